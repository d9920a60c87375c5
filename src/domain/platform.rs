//! Platforms.

use super::{InvalidText, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a platform: `linux/ARCH` or `linux/ARCH/VARIANT`, for example `linux/arm64`";

/// What an image runs on, in the normal form of containerd's `platforms` package: `linux/amd64`, `linux/arm/v7`.
///
/// `linux/arm64/v8` is `linux/arm64`, `linux/x86_64` is `linux/amd64`. Only Linux is supported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// A platform from the parts that a manifest's descriptor or an image's config holds; `None` when it is not a Linux platform.
    #[must_use]
    pub fn from_parts(os: &str, architecture: &str, variant: Option<&str>) -> Option<Self> {
        let text = match variant {
            Some(variant) if !variant.is_empty() => format!("{os}/{architecture}/{variant}"),
            _ => format!("{os}/{architecture}"),
        };
        text.parse().ok()
    }

    /// The platform that this program was built for, which the engine of the same machine runs natively.
    #[must_use]
    pub fn native() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "arm" => ("arm", Some("v7".to_owned())),
            "x86" => ("386", None),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self {
            architecture: architecture.to_owned(),
            variant,
        }
    }

    /// Always `linux`.
    #[must_use]
    pub const fn os(&self) -> &'static str {
        "linux"
    }

    /// The architecture in Go's spelling: `amd64`, `arm64`, `arm`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The variant of the architecture: `v7`.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// How identity tags end: `amd64`, `arm64`, `arm-v7`.
    #[must_use]
    pub fn tag_suffix(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}-{variant}", self.architecture),
            None => self.architecture.clone(),
        }
    }

    /// How step ids name it: `linux-amd64`.
    #[must_use]
    pub fn dashed(&self) -> String {
        format!("linux-{}", self.tag_suffix())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidText::new(text, EXPECTED);
        let word = |part: &str| {
            (1..=16).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let mut parts = text.split('/');
        let (os, architecture, variant) = (parts.next(), parts.next(), parts.next());
        let (Some("linux"), Some(architecture), None) = (os, architecture, parts.next()) else {
            return Err(invalid());
        };
        if !word(architecture) || variant.is_some_and(|variant| !word(variant)) {
            return Err(invalid());
        }
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("aarch64" | "arm64", None | Some("v8")) => ("arm64", None),
            ("arm", None) => ("arm", Some("v7")),
            (architecture, variant) => (architecture, variant),
        };
        Ok(Self {
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        })
    }
}

string_serde!(Platform);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (text, normal, suffix) in [
            ("linux/amd64", "linux/amd64", "amd64"),
            ("linux/x86_64", "linux/amd64", "amd64"),
            ("linux/arm64/v8", "linux/arm64", "arm64"),
            ("linux/arm", "linux/arm/v7", "arm-v7"),
            ("linux/arm/v6", "linux/arm/v6", "arm-v6"),
        ] {
            let platform: Platform = text.parse().unwrap();
            assert_eq!(platform.to_string(), normal);
            assert_eq!(platform.tag_suffix(), suffix);
        }
        for text in ["amd64", "windows/amd64", "linux/", "linux/a/b/c", "linux/AMD64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
