//! Images that stay in the engine until the last test of a run.

use super::containers::docker;
use crate::domain::Platform;
use crate::environment::Environment;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// One tested image of each platform, kept in the engine while a run goes on. The images of a family share most of their layers, and an
/// engine that has just removed the last image with them must fetch and unpack them again for the next test.
#[derive(Debug, Default)]
pub struct Held {
    /// Whether all stay, also after the run.
    keep: bool,
    images: Mutex<BTreeMap<Platform, String>>,
}

impl Held {
    /// With `keep`, all images stay: nothing is removed, now or at the end.
    #[must_use]
    pub fn keeping(keep: bool) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Whether all images stay.
    pub(super) fn keeps(&self) -> bool {
        self.keep
    }

    /// Whether this image, under this name in the engine, is kept from now on; if not, it is the caller's to remove.
    pub(super) fn takes(&self, platform: &Platform, image: &str) -> bool {
        if self.keep {
            return true;
        }
        let mut held = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        held.entry(platform.clone()).or_insert_with(|| image.to_owned()) == image
    }

    /// Removes what was kept. One child, and none where nothing was.
    pub async fn remove(&self, environment: &Environment, cancel: &CancellationToken) {
        let held = std::mem::take(&mut *self.images.lock().unwrap_or_else(PoisonError::into_inner));
        if held.is_empty() {
            return;
        }
        let mut args = vec!["image", "rm"];
        args.extend(held.values().map(String::as_str));
        docker(&args, environment, cancel).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_platform_stays() {
        let held = Held::default();
        let (amd64, arm64) = ("linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap());
        assert!(held.takes(&amd64, "a"));
        assert!(!held.takes(&amd64, "b"));
        // The same bytes again, for another variant.
        assert!(held.takes(&amd64, "a"));
        assert!(held.takes(&arm64, "c"));
    }

    #[test]
    fn all_stay_where_that_is_wanted() {
        let held = Held::keeping(true);
        let amd64 = "linux/amd64".parse().unwrap();
        assert!(held.takes(&amd64, "a") && held.takes(&amd64, "b"));
        assert!(held.images.lock().unwrap().is_empty(), "nothing is to be removed");
    }
}
