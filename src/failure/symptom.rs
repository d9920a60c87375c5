//! What is known of a failure.

use super::place::Place;
use super::trouble::Trouble;

/// What is known of the source of a `COPY` that the builder did not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The text names no path in quotes: it is a snapshot, a lease, a blob.
    Unnamed,
    /// It is copied from another image or stage.
    OtherImage,
    /// It is in the build context on this machine, and no ignore file can have kept it out.
    There,
    /// Not there, or kept out, or not known.
    NotSeen,
}

/// What is known of a failure. What is not known, is left as [`Symptom::at`] has it.
#[derive(Debug, Clone, Copy)]
pub struct Symptom<'a> {
    /// Where it came up.
    pub place: Place,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// Error codes of a registry (OCI distribution specification): `MANIFEST_UNKNOWN`.
    pub codes: &'a [String],
    /// What kept an answer from coming.
    pub trouble: Option<Trouble>,
    /// The exit code of the program that said it.
    pub exit_code: Option<i32>,
    /// What was said.
    pub text: &'a str,
    /// What the failed `RUN` printed last.
    pub log: &'a str,
    /// Whether the build read its cache from a registry.
    pub cache_read: bool,
    /// What is known of a missing source.
    pub source: Source,
}

impl Symptom<'_> {
    /// Nothing is known but where it came up.
    #[must_use]
    pub const fn at(place: Place) -> Self {
        Self {
            place,
            status: None,
            codes: &[],
            trouble: None,
            exit_code: None,
            text: "",
            log: "",
            cache_read: false,
            source: Source::NotSeen,
        }
    }
}
