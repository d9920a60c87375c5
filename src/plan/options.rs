//! What the person who asks for a plan wants.

use crate::domain::{ImageId, InvalidText, Platform, TargetRef, VariantName, Version};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Build, test, tag, move aliases.
    #[default]
    Release,
    /// Build and test: a release without its tags.
    Test,
    /// Only build what is missing, under identity tags.
    Build,
    /// Only test what is built.
    Smoke,
}

/// An image that is built anew although it is there: `IMAGE[/PLATFORM]` with the platform as `linux/arm64` or `linux-arm64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Which image.
    pub image: ImageId,
    /// For which platform; all when `None`.
    pub platform: Option<Platform>,
}

impl Rebuild {
    /// Whether it asks for this platform image.
    #[must_use]
    pub fn covers(&self, image: &ImageId, platform: &Platform) -> bool {
        self.image == *image && self.platform.as_ref().is_none_or(|wanted| wanted == platform)
    }
}

impl FromStr for Rebuild {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (image, platform) = match text.split_once("/linux") {
            Some((image, behind)) => {
                let platform = format!("linux{behind}")
                    .replacen("linux-", "linux/", 1)
                    .replace("arm-v", "arm/v");
                (image, Some(platform.parse()?))
            }
            None => (text, None),
        };
        Ok(Self {
            image: image.parse()?,
            platform,
        })
    }
}

/// What the person who asks for a plan wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, and they are independent"
)]
pub struct Options {
    /// What the plan is for.
    pub goal: Goal,
    /// Where it goes (`--to`).
    #[serde(default)]
    pub target: TargetRef,
    /// The release; tags, aliases and records need it.
    pub version: Option<Version>,
    /// Leave aliases where they are (`--no-promote`).
    pub no_promote: bool,
    /// Only these variants; all when `None`.
    pub variants: Option<Vec<VariantName>>,
    /// Images to build anew.
    pub rebuild: Vec<Rebuild>,
    /// Overwrite release tags that hold something else, set an unfinished release aside, and go on with one that may be alive elsewhere.
    pub force: bool,
    /// Take over aliases of which no record knows the release.
    pub adopt: bool,
    /// Move aliases to an older release than the one they stand for.
    #[serde(default)]
    pub allow_older: bool,
    /// Test again what has passed before, too.
    pub test_again: bool,
    /// Nothing of it is kept: it may be built from any cache.
    #[serde(default)]
    pub throw_away: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuild_forms() {
        for (text, image, platform) in [
            ("base", "base", None),
            ("variant/omos", "variant/omos", None),
            ("base/linux/arm64", "base", Some("linux/arm64")),
            ("variant/omos/linux-arm-v7", "variant/omos", Some("linux/arm/v7")),
        ] {
            let rebuild: Rebuild = text.parse().unwrap();
            assert_eq!(rebuild.image.to_string(), image);
            assert_eq!(rebuild.platform.map(|p| p.to_string()).as_deref(), platform);
        }
        assert!("omos".parse::<Rebuild>().is_err());
    }
}
