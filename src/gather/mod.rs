//! Gathers facts: the one part of planning that does I/O. It asks files, version sources, the registry and the builder, as much side by side as their
//! needs allow, and hands [`Facts`](crate::facts::Facts) on to the planner. What could not be found out is an error here, and never a fact.

mod all;
mod base;
mod copy;
mod error;
mod explain;
mod history;
mod identities;
mod lists;
mod offline;
mod period;
mod probe;
mod records;
mod recovery;
mod references;
mod sources;
mod standing;
mod upstream;

pub use all::{Pins, World, builder, gather, gather_without_builder};
pub use base::{StandingBase, standing_base};
pub use copy::{Parcel, gather_copy, parcel};
pub use error::{DockerfileProblem, GatherError};
pub use explain::{Against, Explained, Verdict, explain};
pub use history::{Recorded, all_records, history, newest_first};
pub use identities::{canonical_list, image_facts};
pub use offline::{Hashed, HashedImage, hash, resolve_floating};
pub(crate) use probe::record as record_at;
#[cfg(test)]
pub(crate) use probe::{current_tags, image as probe_image};
pub use records::record;
pub use recovery::gather_recovery;
pub use sources::{ReadDockerfile, Sources, collect, parse_reference};
pub use standing::{StatusFacts, gather_promotion, gather_status};

#[cfg(test)]
mod tests;
