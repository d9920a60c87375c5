//! Floating versions.

/// A version that was resolved.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Resolved {
    /// The version.
    pub version: String,
    /// Where it came from.
    pub source: String,
    /// What is odd about it.
    #[serde(default)]
    pub warnings: Vec<String>,
}
