//! Tests of the planner, on families and facts that are made up.

mod collisions;
mod copying;
mod describing;
mod elsewhere;
mod freshness;
mod promotion;
mod properties;
mod publishing;
mod refusals;
mod shapes;
mod signing;
