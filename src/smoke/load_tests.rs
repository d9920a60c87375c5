//! Loads that others in the engine get into the way of, with a scripted `docker`.

use super::*;
use crate::testing::{read, write};
use std::path::Path;

/// A `docker` that counts its loads, which end with exit code 0 from the `good`th on; before that it says `said`.
fn scripted(folder: &Path, good: u32, said: &str, digest: Digest) -> Environment {
    let script = format!(
        r#"#!/bin/sh
case "$1 $2" in
"image load")
    cat >/dev/null
    echo x >>"{at}/loads"
    [ "$(wc -l <"{at}/loads")" -ge {good} ] && exit 0
    echo '{said}' >&2
    exit 1
    ;;
"image inspect") echo {digest} ;;
"image rm") echo "$3" >>"{at}/removed" ;;
esac
"#,
        at = folder.display()
    );
    write(&folder.join("docker"), script, true);
    let path = format!("{}:/usr/bin:/bin", folder.display());
    Environment::of([("PATH", path)])
}

async fn loaded(good: u32, said: &str) -> (Result<Loaded, String>, usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"image");
    let environment = scripted(folder.path(), good, said, digest);
    let loading = Loading {
        config: Digest::of(b"config"),
        archive: Arc::new(|_, to| to.write_all(b"archive")),
    };
    let result = load(&loading, digest, &environment, &CancellationToken::new()).await;
    let lines = |name: &str| {
        let path = folder.path().join(name);
        if path.exists() {
            read(&path).lines().count()
        } else {
            0
        }
    };
    (result, lines("loads"), lines("removed"))
}

#[tokio::test]
async fn what_others_removed_meanwhile_is_loaded_again() {
    let said = "Error response from daemon: content digest sha256:0a: not found";
    let (result, loads, removed) = loaded(3, said).await;
    assert!(
        result
            .unwrap()
            .reference
            .ends_with(&Digest::of(b"image").to_string())
    );
    // What an attempt may have left goes before the next.
    assert_eq!((loads, removed), (3, 2));
    let (result, loads, _) = loaded(99, said).await;
    assert_eq!((result.unwrap_err().as_str(), loads), (said, 4));
}

#[tokio::test]
async fn what_stays_as_it_is_is_not_tried_again() {
    for said in ["write /x: no space left on device", "permission denied"] {
        let (result, loads, removed) = loaded(2, said).await;
        assert_eq!((result.unwrap_err().as_str(), loads, removed), (said, 1, 1));
    }
}
