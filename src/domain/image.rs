//! The images of a family: the base, or one variant.

use super::{InvalidText, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED_NAME: &str =
    "a variant name: 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit";
const EXPECTED_IMAGE: &str = "an image: `base` or `variant/NAME`";

/// The name of a variant: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantName(String);

impl VariantName {
    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VariantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for VariantName {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let later = |byte: u8| first(byte) || matches!(byte, b'.' | b'_' | b'-');
        let bytes = text.as_bytes();
        if (1..=64).contains(&bytes.len())
            && bytes.first().is_some_and(|&b| first(b))
            && bytes.iter().all(|&b| later(b))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText::new(text, EXPECTED_NAME))
        }
    }
}

string_serde!(VariantName);

/// The base, or one variant. Ordered with the base first, then the variants by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageId {
    /// The family's base image.
    Base,
    /// A variant of the family.
    Variant(VariantName),
}

impl ImageId {
    /// The word for `SPLITBASE_VARIANT` and `{variant}`: the variant's name, `base` for the base.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Base => "base",
            Self::Variant(name) => name.as_str(),
        }
    }

    /// The image in the form that tags may carry: `base`, `variant-NAME`.
    #[must_use]
    pub fn dashed(&self) -> String {
        self.to_string().replace('/', "-")
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Variant(name) => write!(f, "variant/{name}"),
        }
    }
}

impl FromStr for ImageId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "base" {
            return Ok(Self::Base);
        }
        text.strip_prefix("variant/")
            .and_then(|name| name.parse().ok())
            .map(Self::Variant)
            .ok_or_else(|| InvalidText::new(text, EXPECTED_IMAGE))
    }
}

string_serde!(ImageId);
