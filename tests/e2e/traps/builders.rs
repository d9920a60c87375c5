//! Two builders of one image.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{Family, Registry, program};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

const MISSING: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;

/// An attestation, and with it the wrapper, is another one after each build: what stands under an identity is kept all the same.
#[test]
fn e2e_a_second_builder_of_the_same_image_takes_what_is_there() {
    let registry = Registry::start();
    // The second asks whether an image is there before the first has put it, and so builds it too.
    let family = Family::new(&registry);
    let first = family.splitbase().ok(&["build", "-o", "json"]).json();
    let before = family.tags(&registry);
    let building = AtomicBool::new(false);
    let proxy = Proxy::start(registry.address(), move |request| {
        building.fetch_or(!request.is_ours(), Ordering::SeqCst);
        let probe = request.reads("base-") || request.reads("variant-");
        if probe && !building.load(Ordering::SeqCst) {
            Fault::Answer(404, "Content-Type: application/json\r\n", MISSING)
        } else {
            Fault::Pass
        }
    });
    let repository = format!("{}/{}", proxy.address(), family.repository());
    let run = family
        .splitbase()
        .ok(&["build", "--repository", &repository, "-o", "json"]);
    assert_eq!(run.builds().len(), 2);
    let adopted: Vec<_> = run
        .events
        .iter()
        .filter(|event| event["event"] == "finished" && event["step"].as_str().unwrap().starts_with("build/"))
        .collect();
    println!("{adopted:#?}");
    let kept = |tags: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        tags.iter()
            .filter(|(tag, _)| !tag.ends_with("-staging"))
            .map(|(tag, digest)| (tag.clone(), digest.clone()))
            .collect()
    };
    let after = family.tags(&registry);
    assert_eq!(kept(&after), kept(&before), "the first one's stands");
    assert_ne!(after, before, "wrappers differ, or this shows nothing");
    let digests = |report: &Value| {
        report["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["digest"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(digests(&run.json()), digests(&first));
}

/// Two builders that both found nothing: the first one's write comes right after the second one's.
#[test]
fn e2e_a_builder_whose_image_is_overwritten_takes_what_is_there() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["build"]);
    let before = family.tags(&registry);
    let (tag, theirs) = before
        .iter()
        .find(|(tag, _)| tag.starts_with("base-") && tag.ends_with("-amd64"))
        .map(|(tag, digest)| (tag.clone(), digest.clone()))
        .unwrap();
    let url = format!(
        "http://{}/v2/{}/manifests/{tag}",
        registry.address(),
        family.repository()
    );
    let body = String::from_utf8(registry.blob(&theirs)).unwrap();
    // 0: it sees nothing; 1: it has written; 2: the other one has, too.
    let stage = Mutex::new(0);
    let proxy = Proxy::start(registry.address(), move |request| {
        let mut stage = stage.lock().unwrap();
        if !request.is_ours() {
            return Fault::Pass;
        }
        match *stage {
            0 if request.puts(&tag) => *stage = 1,
            0 if request.reads("base-") || request.reads("variant-") => {
                return Fault::Answer(404, "Content-Type: application/json\r\n", MISSING);
            }
            1 if request.reads(&tag) => {
                let content = "Content-Type: application/vnd.oci.image.index.v1+json";
                program(
                    "curl",
                    &["-sSf", "-X", "PUT", "-H", content, "--data-binary", &body, &url],
                );
                *stage = 2;
            }
            _ => {}
        }
        Fault::Pass
    });
    let repository = format!("{}/{}", proxy.address(), family.repository());
    let run = family.splitbase().ok(&["build", "--repository", &repository]);
    let base = &run.events[run.at("finished", "build/base/linux-amd64")];
    assert_eq!(run.builds().len(), 2, "{base}");
    let index = family
        .tags(&registry)
        .into_iter()
        .find(|(tag, _)| tag.starts_with("base-") && tag.len() == 17)
        .unwrap()
        .1;
    let wrapper = registry.index(&theirs);
    assert_eq!(
        registry.index(&index).attestations,
        wrapper.attestations,
        "the other one's image is used, {base}"
    );
}
