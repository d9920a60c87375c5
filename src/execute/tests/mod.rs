//! Tests of the executor, with effects that are made up and a target in memory.

mod adoption;
mod attempts;
mod describing;
mod elsewhere;
mod indexes;
mod lists;
mod publishing;
mod records;
mod rollback;
mod scale;
mod stalled;
mod stopping;
mod transaction;
mod world;
