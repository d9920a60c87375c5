//! What a failure was most likely due to: an engine that has gone, or a full disk. Their own texts are many, and often name something else.

use super::info;
use super::watch::{Room, Seen};
use crate::environment::Environment;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// What shows how to make room.
const MEND: &str = "make room: `splitbase doctor --reclaim` shows what can go, and with `--yes` removes it";
/// What children say whose connection to the engine broke.
const BROKEN: [&str; 5] = [
    "error reading from server",
    "transport is closing",
    "code = unavailable",
    "cannot connect to the docker daemon",
    "connection error: desc",
];

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// A build.
    Building,
    /// A smoke test.
    Testing,
}

impl Doing {
    const fn words(self) -> &'static str {
        match self {
            Self::Building => "while this was built",
            Self::Testing => "while this was tested",
        }
    }
}

/// A failure as the child told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    /// What failed.
    pub doing: Doing,
    /// When it began.
    pub began: Instant,
    /// Why, as far as the child knows.
    pub reason: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// Whether the child's own word is that a disk is full.
    pub says_full: bool,
}

/// The same, with its cause first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// Whether the engine does not answer any more: what failed says nothing of the image, and trying again is in vain.
    pub gone: bool,
}

impl Unexplained {
    /// Asks the engine whether it is there, and looks how low the room has been since then.
    pub async fn explain(
        self,
        room: &Room,
        environment: &Environment,
        cancel: &CancellationToken,
    ) -> Explained {
        let seen = room.since(self.began).await;
        let gone = info::gone(environment, cancel).await;
        // After an interrupt nobody wants to know.
        let gone = gone.filter(|_| !cancel.is_cancelled());
        self.caused_by(gone, &seen, room.unseen())
    }

    fn caused_by(self, gone: Option<String>, seen: &[Seen], unseen: Option<&str>) -> Explained {
        let Self {
            doing,
            reason,
            mut hints,
            says_full,
            ..
        } = self;
        let full = seen
            .iter()
            .filter(|seen| seen.lowest.is_short())
            .min_by_key(|seen| seen.lowest.room());
        let full_words = full.map(|seen| {
            format!(
                "the disk was full {}: {} were free in `{}` ({})",
                doing.words(),
                seen.lowest.figures(),
                seen.place.path.display(),
                seen.place.what
            )
        });
        if let Some(said) = gone {
            // Even that may be due to a full disk.
            hints = full.iter().map(|_| MEND.to_owned()).collect();
            hints.push(
                "start the engine again, or see why it ended: `docker info`, `journalctl -u docker`"
                    .to_owned(),
            );
            hints.push(
                "then run this again: what is built and tested is kept, and it goes on from there".to_owned(),
            );
            let full = full_words.map_or(String::new(), |words| format!("; {words}"));
            return Explained {
                reason: format!("the engine has gone {}: {said}{full}; {reason}", doing.words()),
                hints,
                gone: true,
            };
        }
        if let Some(words) = full_words {
            hints.insert(0, MEND.to_owned());
            return Explained {
                reason: format!("{words}; {reason}"),
                hints,
                gone: false,
            };
        }
        if says_full {
            hints.insert(0, MEND.to_owned());
            hints.extend(unseen.map(str::to_owned));
        }
        let low = reason.to_lowercase();
        let broken = BROKEN.iter().any(|text| low.contains(text));
        Explained {
            reason: if broken && doing == Doing::Building {
                hints.push("run this again: what was built is kept, and it goes on from there".to_owned());
                format!(
                    "the engine, or the builder, went away {}: {reason}",
                    doing.words()
                )
            } else {
                reason
            },
            hints,
            gone: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::{Free, Place};
    use super::*;

    fn failed(reason: &str, says_full: bool) -> Unexplained {
        Unexplained {
            doing: Doing::Building,
            began: Instant::now(),
            reason: reason.to_owned(),
            hints: vec!["its own hint".to_owned()],
            says_full,
        }
    }

    fn seen(bytes: u64) -> Seen {
        Seen {
            place: Place::engine("/e".into()),
            lowest: Free {
                id: 1,
                bytes,
                total: 200_000_000,
                files: None,
            },
        }
    }

    #[test]
    fn a_full_disk_is_named_first_whatever_the_text_is() {
        let reason = "failed to calculate checksum of ref x: not found";
        let explained = failed(reason, false).caused_by(None, &[seen(150_000_000), seen(81_920)], None);
        assert_eq!(
            explained.reason,
            format!(
                "the disk was full while this was built: 81.92kB of 200MB were free in `/e` (engine); {reason}"
            )
        );
        assert_eq!(explained.hints, [MEND, "its own hint"]);
        assert!(!explained.gone);
    }

    #[test]
    fn a_disk_with_room_is_not_the_cause() {
        let explained = failed("exit code 1", false).caused_by(None, &[seen(150_000_000)], None);
        assert_eq!(
            (explained.reason.as_str(), explained.hints.len()),
            ("exit code 1", 1)
        );
        // The child says it of a disk that is not seen from here.
        let explained = failed("no space", true).caused_by(None, &[seen(150_000_000)], Some("elsewhere"));
        assert_eq!(explained.reason, "no space");
        assert_eq!(explained.hints, [MEND, "its own hint", "elsewhere"]);
    }

    #[test]
    fn an_engine_that_has_gone_is_said_to_have_gone() {
        let explained = failed("error reading from server: EOF", false).caused_by(
            Some("cannot connect".to_owned()),
            &[seen(150_000_000)],
            None,
        );
        assert_eq!(
            explained.reason,
            "the engine has gone while this was built: cannot connect; error reading from server: EOF"
        );
        assert!(explained.gone);
        assert!(explained.hints[1].contains("run this again"), "{explained:?}");
        // It is back already.
        let explained = failed("error reading from server: EOF", false).caused_by(None, &[], None);
        assert!(
            explained
                .reason
                .starts_with("the engine, or the builder, went away"),
            "{explained:?}"
        );
    }
}
