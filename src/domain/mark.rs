//! What tells the records and caches of two families in one repository apart.

use super::{Digest, ImageId, Platform, Tag, Version};
use serde::{Deserialize, Serialize};

/// Longest family name that stands in tags as it is, in bytes: with it the longest cache reference still is a tag.
const LONGEST_NAME: usize = 14;

/// What the records and caches of a family carry in their tags. The first family in a repository has none: `_release-v1.2.3`,
/// `cache-base-amd64`. Those that come later have their name, or 12 hex digits of its SHA-256 where it is longer than 14 bytes:
/// `_release.tools-v1.2.3`, `cache-tools.base-amd64`. Other machine tags are told apart by what they are the hash of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(Option<String>);

impl Mark {
    /// The mark of a family that is not the first in its repository.
    #[must_use]
    pub fn of(family: &str) -> Self {
        Self(Some(if family.len() <= LONGEST_NAME {
            family.to_owned()
        } else {
            Digest::of(family.as_bytes()).short()
        }))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// `_release`: the newest record.
    #[must_use]
    pub fn newest_record(&self) -> Tag {
        Tag::derived(self.release())
    }

    /// `_release-<version>`: the record of one release.
    #[must_use]
    pub fn record(&self, version: &Version) -> Tag {
        Tag::derived(format!("{}-{version}", self.release()))
    }

    /// `cache-<image>-<platform>`: the build cache of one platform image.
    #[must_use]
    pub fn cache(&self, image: &ImageId, platform: &Platform) -> Tag {
        let mark = self
            .0
            .as_ref()
            .map_or_else(String::new, |mark| format!("{mark}."));
        Tag::derived(format!(
            "cache-{mark}{}-{}",
            image.dashed(),
            platform.tag_suffix()
        ))
    }

    fn release(&self) -> String {
        self.0
            .as_ref()
            .map_or_else(|| "_release".to_owned(), |mark| format!("_release.{mark}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_tags_are_machine_tags_of_good_length() {
        let (image, platform) = ("base".parse().unwrap(), "linux/arm/v7".parse().unwrap());
        let longest: Version = "9".repeat(100).parse().unwrap();
        let named: ImageId = format!("variant/{}", "n".repeat(64)).parse().unwrap();
        let broad: Platform = format!("linux/{}/{}", "a".repeat(16), "b".repeat(16))
            .parse()
            .unwrap();
        for (mark, newest, cache) in [
            (Mark::default(), "_release", "cache-base-arm-v7"),
            (Mark::of("tools"), "_release.tools", "cache-tools.base-arm-v7"),
            (
                Mark::of("a-family-of-long-name"),
                "_release.ffeffb3bd41c",
                "cache-ffeffb3bd41c.base-arm-v7",
            ),
        ] {
            assert_eq!(mark.newest_record().to_string(), newest);
            assert_eq!(mark.cache(&image, &platform).to_string(), cache);
            for tag in [
                mark.newest_record(),
                mark.record(&longest),
                mark.cache(&named, &broad),
            ] {
                assert!(tag.to_string().parse::<Tag>().is_ok(), "{tag}");
                assert!(tag.has_machine_form(), "{tag}");
            }
        }
        // Nobody's records are another's.
        assert_ne!(
            Mark::of("a-family-of-long-name"),
            Mark::of("a-family-of-long-names")
        );
    }
}
