//! The repository's page: made from a template and the record of a release, compared, written, and pushed to Docker Hub.
//!
//! It decides nothing about a release. Placeholders and limits: `docs/reference/describe.md`.

mod compare;
mod limit;
mod page;
mod publish;
mod template;

pub use compare::{Difference, difference};
pub use page::{Released, render};
pub use publish::{DescribeError, Described, Page};
pub use template::{PageTemplate, Placeholder, TemplateProblem};
