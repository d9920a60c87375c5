//! What engines, builders and registries do that can bite, each with a test that it does not.

mod builders;
mod caches;
mod formats;
mod images;

use crate::support::{Family, Upstream};
/// A family whose base is built on this image, and takes its busybox from there.
pub(super) fn on(upstream: &Upstream, registry: &str, platforms: &[&str]) -> Family {
    let family = Family::of(registry, platforms, &["base"]);
    family
        .replace(
            "Dockerfile.base",
            "FROM scratch",
            &format!("FROM {}", upstream.reference),
        )
        .replace("Dockerfile.base", "COPY busybox-${TARGETARCH} /bin/busybox\n", "");
    family
}
