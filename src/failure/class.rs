//! Whether trying again can help.

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// A later try can succeed: 408, 429, 5xx, resets, time-outs.
    Transient,
    /// No later try can succeed before somebody changes something: 400, 401, 403, a digest that is wrong, a failed `RUN`.
    Permanent,
    /// Somebody else writes the same tag at the same time.
    Conflict,
    /// Not known; not tried again.
    Unknown,
}

impl FailureClass {
    /// The word for documents.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
        }
    }
}
