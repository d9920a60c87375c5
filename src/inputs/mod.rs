//! Inputs.

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InputEntry {
    /// Relative to the context.
    pub path: String,
}
