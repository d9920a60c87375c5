//! Tests of the planner, on families and facts that are made up.

mod copying;
mod describing;
mod elsewhere;
mod promotion;
mod properties;
mod publishing;
mod refusals;
mod shapes;
