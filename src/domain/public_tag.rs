//! Release tags and aliases, with the repository that they are in.

use super::{InvalidText, Repository, Tag, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a tag, or a tag with its repository: `HOST/PATH:TAG`";

/// A release tag or alias: in the family's repository, or in that of a variant that has its own. Written as `v1.2.3` or as
/// `docker.io/acme/omos:v1.2.3`. Those of the family's repository come first in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicTag {
    repository: Option<Repository>,
    tag: Tag,
}

impl PublicTag {
    /// The tag `tag` of `repository`, for a family whose own repository is `family`.
    #[must_use]
    pub fn new(family: &Repository, repository: &Repository, tag: Tag) -> Self {
        Self {
            repository: (repository != family).then(|| repository.clone()),
            tag,
        }
    }

    /// The tag alone.
    #[must_use]
    pub const fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The repository that it is in, where that of the family is `family`.
    #[must_use]
    pub fn repository<'a>(&'a self, family: &'a Repository) -> &'a Repository {
        self.repository.as_ref().unwrap_or(family)
    }
}

impl From<Tag> for PublicTag {
    fn from(tag: Tag) -> Self {
        Self {
            repository: None,
            tag,
        }
    }
}

impl fmt::Display for PublicTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Some(repository) => f.write_str(&repository.with_tag(&self.tag)),
            None => self.tag.fmt(f),
        }
    }
}

impl FromStr for PublicTag {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((repository, tag)) if repository.contains('/') => Ok(Self {
                repository: Some(repository.parse()?),
                tag: tag.parse()?,
            }),
            Some(_) => Err(InvalidText::new(text, EXPECTED)),
            None => text.parse::<Tag>().map(Self::from),
        }
    }
}

string_serde!(PublicTag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let family: Repository = "localhost:5000/acme/devbox".parse().unwrap();
        let other: Repository = "localhost:5000/acme/omos".parse().unwrap();
        let tag: Tag = "v1.2.3".parse().unwrap();
        for (repository, text) in [(&family, "v1.2.3"), (&other, "localhost:5000/acme/omos:v1.2.3")] {
            let public = PublicTag::new(&family, repository, tag.clone());
            assert_eq!(public.to_string(), text);
            let read: PublicTag = text.parse().unwrap();
            assert_eq!(
                (read.repository(&family), read.tag()),
                (repository, &tag),
                "{text}"
            );
            assert_eq!(read, public);
        }
        for text in ["", "a:b", "a/b", "Acme/x:v1", "acme/x:"] {
            assert!(text.parse::<PublicTag>().is_err(), "{text}");
        }
    }
}
