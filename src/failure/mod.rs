//! What a failure means: one table for requests to registries, builds by buildx, and version sources.
//!
//! The table is data ([`table`]); [`classify`] walks it and nothing else decides. What no rule knows is of class [`FailureClass::Unknown`],
//! and is never tried again. Pure: whoever saw the failure makes a [`Symptom`] of it, and keeps the words for people.

mod class;
mod kind;
mod place;
mod rule;
mod said;
mod symptom;
mod table;
#[cfg(test)]
mod tests;
mod trouble;

pub use class::FailureClass;
pub use kind::FailureKind;
pub use place::Place;
pub use rule::{Rule, Sign};
pub use said::{code, request, status};
pub use symptom::{Source, Symptom};
pub use table::rules;
pub use trouble::Trouble;

/// The rule that decides: the first one that fits.
#[must_use]
pub fn classify(symptom: &Symptom<'_>) -> &'static Rule {
    rules().find(|rule| rule.fits(symptom)).unwrap_or(&table::UNKNOWN)
}
