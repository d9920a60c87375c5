//! The registry that the environment names, or else the public one. Fails where it cannot be reached.

use super::super::{Context, resolve_all};
use super::npm;
use crate::config::{Retry, VersionSource};
use crate::environment::Environment;
use indexmap::IndexMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn e2e_npm_real_registry() {
    let folder = tempfile::tempdir().unwrap();
    let context = Context::new(
        folder.path(),
        Environment::of_process(),
        Retry::default(),
        CancellationToken::new(),
        Arc::new(|line| println!("{line}")),
    );
    let sources: IndexMap<String, VersionSource> = [
        ("OMOS_VERSION".to_owned(), npm("oh-my-opencode-slim", "latest")),
        (
            "PI_VERSION".to_owned(),
            npm("@earendil-works/pi-coding-agent", "latest"),
        ),
    ]
    .into();
    let resolved = resolve_all(&sources, &context).await.unwrap();
    for (name, found) in &resolved {
        println!("{name} = {found:?}");
        assert!(nodejs_semver::Version::parse(&found.version).is_ok());
    }
    assert_eq!(
        resolved["PI_VERSION"].source,
        "npm:@earendil-works/pi-coding-agent@latest"
    );
}
