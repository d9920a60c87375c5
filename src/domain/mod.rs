//! The words of the product as types: each is parsed once where text enters, and is right ever after.
//!
//! Nothing here does I/O, and nothing here knows of configuration, plans or registries.

mod destination;
mod digest;
mod exit_code;
mod identity;
mod image;
mod mark;
mod period;
mod platform;
mod public_tag;
mod quantity;
mod repository;
mod tag;
mod tag_pattern;
mod target_ref;
mod version;

pub use destination::Destination;
pub use digest::Digest;
pub use exit_code::ExitCode;
pub use identity::{Identity, IdentityTags, SmokeIdentity};
pub use image::{ImageId, VariantName};
pub use mark::Mark;
pub use period::Period;
pub use platform::Platform;
pub use public_tag::PublicTag;
pub use quantity::{ByteSize, Duration};
pub use repository::Repository;
pub use tag::Tag;
pub use tag_pattern::TagPattern;
pub use target_ref::TargetRef;
pub use version::{ParsedVersion, Version, Versioning};

/// Text that does not have the form that its place asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidText {
    /// What was given.
    pub text: String,
    /// What would have been right: a noun phrase with its grammar.
    pub expected: &'static str,
}

impl InvalidText {
    pub(crate) fn new(text: impl Into<String>, expected: &'static str) -> Self {
        Self {
            text: text.into(),
            expected,
        }
    }
}

/// Serde and `FromStr` plumbing for a type that is written as one string.
macro_rules! string_serde {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use string_serde;
