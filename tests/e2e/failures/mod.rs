//! Bad input and failure: what is said, with which exit code, and that nothing is published.

mod around;
mod input;
mod pushes;
mod reads;
mod steps;

use crate::support::{Family, Registry, Run};
use std::collections::BTreeMap;
/// Fails unless the run ended with this exit code, said all of this, and no release tag or alias stands.
#[track_caller]
pub(super) fn refused(run: Run, code: i32, says: &[&str], family: &Family, registry: &Registry) -> Run {
    println!("{}{}", run.stdout, run.stderr);
    let run = run.expect(code);
    for text in says {
        run.says(text);
    }
    assert_eq!(family.public_tags(registry), BTreeMap::new());
    run
}

/// As [`refused`], and before anything was built or written.
#[track_caller]
pub(super) fn refused_at_once(run: Run, code: i32, says: &[&str], family: &Family, registry: &Registry) {
    let run = refused(run, code, says, family, registry);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.tags(registry), BTreeMap::new(), "not even machine tags");
}
