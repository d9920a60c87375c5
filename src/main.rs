#![doc = "The `splitbase` program."]

fn main() {}
