//! Whether a workflow may be overwritten: its first line holds the hash of all others, so one that was changed by hand is known.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

const MARK: &str = "# Written by `splitbase ci` (sha256:";
const END: &str = "); changed by hand, it is kept unless --force is given.";

/// How a file stands to what would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    Absent,
    /// It is what would be written.
    Same,
    /// It was written by this program, for another family or by another version, and nobody has touched it.
    Outdated,
    /// Somebody has changed it after it was written.
    Changed,
    /// It was not written by this program.
    Foreign,
}

impl Standing {
    /// How `found` stands to `wanted`.
    #[must_use]
    pub fn of(found: Option<&str>, wanted: &str) -> Self {
        let Some(found) = found else {
            return Self::Absent;
        };
        if found == wanted {
            return Self::Same;
        }
        let (first, rest) = found.split_once('\n').unwrap_or((found, ""));
        let hash = first
            .strip_prefix(MARK)
            .and_then(|first| first.trim_end().strip_suffix(END));
        match hash {
            None => Self::Foreign,
            Some(hash) if hash == self::hash(rest) => Self::Outdated,
            Some(_) => Self::Changed,
        }
    }

    /// Whether it may be overwritten without being asked for.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Absent | Self::Same | Self::Outdated)
    }
}

/// The body below the line that marks it.
pub(super) fn marked(body: &str) -> String {
    format!("{MARK}{}{END}\n{body}", hash(body))
}

/// 16 hex digits of the body's hash. Line ends do not count: git may have changed them.
fn hash(body: &str) -> String {
    let digest = Sha256::digest(body.replace("\r\n", "\n").as_bytes());
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
