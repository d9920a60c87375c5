//! Finding and removing with a scripted `docker`: the real one is shared by all tests, and must lose nothing.

use super::*;
use crate::testing::{read, write};
use std::path::Path;

/// An engine of one kept image, one of a test long ago, one of a test that runs, one of somebody else, and one without a name.
fn scripted(folder: &Path) -> Environment {
    let now = crate::clock::now_exactly();
    let script = format!(
        r#"#!/bin/sh
echo "$*" >>"{at}/calls"
line() {{ echo "{{\"ID\":\"sha256:$1\",\"Repository\":\"$2\",\"Tag\":\"$3\",\"Size\":\"$4\"}}"; }}
case "$*" in
"buildx du"*) printf 'ID\tRECLAIMABLE\tSIZE\nReclaimable:\t1.5GB\nTotal:\t2GB\n' ;;
"buildx prune"*) printf 'ID\nTotal:\t1.4GB\n' ;;
*dangling*) line ee '<none>' '<none>' 7MB ;;
"image ls"*)
    line aa localhost/splitbase-smoke base-amd64-0a 20MB
    line bb localhost/splitbase-smoke-0123 test 30MB
    line cc localhost/splitbase-smoke-4567 test 30MB
    line dd localhost/somebody latest 30MB
    line ee '<none>' '<none>' 7MB
    ;;
"image inspect"*0123*) echo '"2020-01-01T00:00:00Z"' ;;
"image inspect"*) echo '"{now}"' ;;
"image rm sha256:ee") echo 'Error response from daemon: conflict: in use' >&2; exit 1 ;;
esac
"#,
        at = folder.display()
    );
    write(&folder.join("docker"), script, true);
    Environment::of([("PATH", format!("{}:/usr/bin:/bin", folder.display()))])
}

#[tokio::test]
async fn what_can_go_is_shown_and_only_that_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (environment, cancel) = (scripted(folder.path()), CancellationToken::new());
    let cache = engine::build_cache(Some("b"), &environment, &cancel)
        .await
        .unwrap();
    let images = engine::images(&environment, &cancel).await.unwrap();
    let mut items = [cache, images].concat();
    let named: Vec<_> = items
        .iter()
        .map(|item| (item.name.as_str(), item.bytes.unwrap() / 1_000_000))
        .collect();
    assert_eq!(
        named,
        [
            ("build cache of `b`", 1_500),
            ("localhost/splitbase-smoke:base-amd64-0a", 20),
            ("localhost/splitbase-smoke-0123:test", 30),
            ("sha256:ee", 7),
        ]
    );
    let calls = || read(&folder.path().join("calls"));
    assert!(
        !calls().contains("prune") && !calls().contains("image rm"),
        "{}",
        calls()
    );
    for item in &mut items {
        remove(item, &environment, &cancel).await;
    }
    let outcomes: Vec<_> = items.iter().map(|item| item.outcome.clone()).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Removed,
            Outcome::Removed,
            Outcome::Removed,
            Outcome::Failed
        ]
    );
    assert_eq!(items[0].bytes, Some(1_400_000_000), "what it says that it freed");
    assert!(items[3].message.as_deref().unwrap().contains("in use"));
    let calls = calls();
    let removals: Vec<_> = calls
        .lines()
        .filter(|call| call.contains("prune") || call.contains(" rm "))
        .collect();
    assert_eq!(
        removals,
        [
            "buildx prune --force --builder b",
            "image rm localhost/splitbase-smoke:base-amd64-0a",
            "image rm localhost/splitbase-smoke-0123:test",
            "image rm sha256:ee",
        ]
    );
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("docker"),
        "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n",
        true,
    );
    let environment = Environment::of([("PATH", format!("{}:/bin", folder.path().display()))]);
    let found = find(None, &environment, &CancellationToken::new()).await;
    assert_eq!(found.notes.len(), 2, "{found:?}");
    assert!(found.notes[0].contains("Cannot connect"), "{found:?}");
}
