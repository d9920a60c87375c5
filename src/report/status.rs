//! What the tags of a family point at, for people.

use super::style::{FAINT, HEADING, NAME, ODD, paint};
use super::summary::short;
use super::table::{Cell, Table};
use super::text;
use crate::domain::{Digest, Identity, ImageId, Platform, PublicTag, Repository, TargetRef, Version};
use crate::record::RecordState;
use std::fmt::Write as _;

/// A release that the registry knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRelease {
    /// Its version.
    pub version: Version,
    /// How far it has come.
    pub state: RecordState,
    /// When its record was last written.
    pub updated: jiff::Timestamp,
}

/// An alias and what it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusAlias {
    /// The alias.
    pub alias: PublicTag,
    /// The image that it is for.
    pub image: ImageId,
    /// What it points at; `None` where it is absent.
    pub digest: Option<Digest>,
    /// The release that this digest is of, where it is known.
    pub version: Option<Version>,
    /// Whether a release of the sources as they are would move it, as far as its version may; `None` where that is not known.
    pub moves: Option<bool>,
    /// What is odd about it: `moved by somebody else`.
    pub note: Option<String>,
}

/// What `status` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The repository.
    pub repository: Repository,
    /// The target.
    pub target: TargetRef,
    /// The newest release, where there is a record.
    pub newest: Option<StatusRelease>,
    /// The aliases of the family.
    pub aliases: Vec<StatusAlias>,
    /// What a release now would do with each image, or why that is not known.
    pub now: Result<Vec<StatusNow>, String>,
}

/// What a release now would do with one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusNow {
    /// The image.
    pub image: ImageId,
    /// Its identity as its sources are now.
    pub identity: Identity,
    /// Its identity in the newest release.
    pub released: Option<Identity>,
    /// The index that stands under its identity, where nothing of it would change.
    pub digest: Option<Digest>,
    /// Platforms that would be built.
    pub builds: Vec<Platform>,
    /// Platforms that would be tested.
    pub tests: Vec<Platform>,
}

impl StatusNow {
    /// What would be done, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let listed = |verb: &str, platforms: &[Platform]| {
            let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            (!platforms.is_empty()).then(|| format!("{verb} {}", platforms.join(", ")))
        };
        let parts = [listed("build", &self.builds), listed("test", &self.tests)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return "use as it is".to_owned();
        }
        parts.join("; ")
    }
}

/// `not-promoted`, as the record spells it, in words.
pub(super) const fn state_word(state: RecordState) -> &'static str {
    match state {
        RecordState::Planned => "unfinished: nothing is published yet",
        RecordState::Publishing => "unfinished: tags are being written",
        RecordState::Done => "done",
        RecordState::NotPromoted => "not promoted: its aliases have not moved",
        RecordState::Failed => "failed",
        RecordState::Undone => "undone",
    }
}

/// The status as text.
#[must_use]
pub fn status(status: &Status) -> String {
    let newest = match &status.newest {
        Some(release) => {
            let time = release.updated.strftime("%Y-%m-%d %H:%M UTC");
            let state = state_word(release.state);
            format!("{}, {state}, {time}", paint(HEADING, release.version.as_str()))
        }
        None => "none".to_owned(),
    };
    let target = if status.target.is_registry() {
        String::new()
    } else {
        format!("{}  {}\n", paint(FAINT, "target        "), status.target)
    };
    let mut text = format!(
        "{}  {}\n{target}{}  {newest}\n",
        paint(FAINT, "repository    "),
        status.repository,
        paint(FAINT, "newest release")
    );
    if !status.aliases.is_empty() {
        let _ = write!(
            text,
            "\n{}\n{}",
            paint(HEADING, "aliases"),
            aliases(&status.aliases)
        );
    }
    let _ = write!(
        text,
        "\n{}\n{}",
        paint(HEADING, "a release now"),
        now(&status.now)
    );
    text
}

fn now(now: &Result<Vec<StatusNow>, String>) -> String {
    let images = match now {
        Ok(images) => images,
        Err(reason) => {
            return format!(
                "  {}\n",
                paint(ODD, &text::clean(&format!("not known: {reason}")))
            );
        }
    };
    let mut table = Table::default();
    for image in images {
        let same = image.released == Some(image.identity);
        let since = match image.released {
            Some(_) if same => "as released".to_owned(),
            Some(released) => format!("released as {}", released.short()),
            None => "not released yet".to_owned(),
        };
        table.row([
            Cell::new(image.image.to_string()).style(NAME),
            Cell::new(image.identity.short()).style(FAINT),
            Cell::new(since),
            Cell::new(image.words()),
        ]);
    }
    table.render("  ")
}

fn aliases(aliases: &[StatusAlias]) -> String {
    let mut table = Table::default();
    for alias in aliases {
        let version = match (&alias.version, &alias.digest) {
            (Some(version), _) => Cell::new(version.to_string()),
            (None, Some(_)) => Cell::new("unknown").style(ODD),
            (None, None) => Cell::new("absent").style(ODD),
        };
        table.row([
            Cell::new(alias.alias.to_string()).style(NAME),
            version,
            alias.image.to_string().into(),
            Cell::new(alias.digest.as_ref().map(short).unwrap_or_default()).style(FAINT),
            Cell::new(if alias.moves == Some(true) {
                "a release now moves it"
            } else {
                ""
            }),
            Cell::new(text::clean(alias.note.as_deref().unwrap_or_default())).style(ODD),
        ]);
    }
    table.render("  ")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, bare};
    use super::*;

    #[test]
    fn aliases_and_what_they_point_at() {
        let alias = |name: &str, digest, version: Option<&str>, note: Option<&str>| StatusAlias {
            alias: fixture::tag(name),
            image: fixture::image("variant/omos"),
            digest,
            version: version.map(|version| version.parse().unwrap()),
            moves: Some(version.is_some()),
            note: note.map(str::to_owned),
        };
        let mut shown = Status {
            repository: "acme/devbox".parse().unwrap(),
            target: TargetRef::Registry,
            newest: Some(StatusRelease {
                version: "v1.2.3".parse().unwrap(),
                state: RecordState::Done,
                updated: fixture::clock(),
            }),
            aliases: vec![
                alias("latest-omos", Some(fixture::digest(1)), Some("v1.2.3"), None),
                alias(
                    "1.2-omos",
                    Some(fixture::digest(2)),
                    None,
                    Some("moved by somebody else"),
                ),
                alias("edge", None, None, None),
            ],
            now: Ok(vec![
                StatusNow {
                    image: fixture::image("base"),
                    identity: crate::testing::given::identity("base"),
                    released: Some(crate::testing::given::identity("base")),
                    digest: Some(fixture::digest(1)),
                    builds: vec![],
                    tests: vec![],
                },
                StatusNow {
                    image: fixture::image("variant/omos"),
                    identity: crate::testing::given::identity("new"),
                    released: Some(crate::testing::given::identity("old")),
                    digest: None,
                    builds: vec!["linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap()],
                    tests: vec!["linux/amd64".parse().unwrap()],
                },
            ]),
        };
        insta::assert_snapshot!(bare(&status(&shown)), @r"
        repository      docker.io/acme/devbox
        newest release  v1.2.3, done, 2026-11-20 12:00 UTC

        aliases
          latest-omos  v1.2.3   variant/omos  sha256:010101010101  a release now moves it
          1.2-omos     unknown  variant/omos  sha256:020202020202                          moved by somebody else
          edge         absent   variant/omos

        a release now
          base          cae662172fd4  as released               use as it is
          variant/omos  11507a0e2f5e  released as cba06b5736fa  build linux/amd64, linux/arm64; test linux/amd64
        ");
        shown.newest = None;
        shown.aliases.clear();
        shown.now = Err("npm does not answer".to_owned());
        insta::assert_snapshot!(bare(&status(&shown)), @r"
        repository      docker.io/acme/devbox
        newest release  none

        a release now
          not known: npm does not answer
        ");
    }
}
