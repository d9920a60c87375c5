//! A release from its sources to its tags.

use crate::support::{Family, Registry};

#[test]
fn e2e_release_of_one_image() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let run = family.splitbase().ok(&["release", "v1.0.0", "-o", "json"]);
    println!("{}\n{}\n{:#?}", run.stdout, run.stderr, run.docker);
    println!("{:#?} {:?}", family.tags(&registry), run.took);
    println!("{:#}", family.record(&registry, "v1.0.0"));
    let report = run.json();
    assert_eq!(report["outcome"], "done");
    assert_eq!(run.builds().len(), 2);
    let tags = family.public_tags(&registry);
    assert_eq!(
        tags.keys().collect::<Vec<_>>(),
        ["base-latest", "latest", "v1.0.0"]
    );
    registry.requests();
    let again = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(again.builds(), [""; 0]);
    assert_eq!(registry.writes(), []);
    println!("{}\n{}\n{:#?}", again.stdout, again.stderr, again.events);
}
