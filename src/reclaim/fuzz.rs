//! What docker prints of what it holds, for fuzz targets.

use super::engine::{listed, reclaimable, size};

/// `docker image ls`, `docker buildx du`, and a size.
pub(crate) fn answer(text: &str) {
    let _ = (listed(text).is_ok(), reclaimable(text), size(text));
}
