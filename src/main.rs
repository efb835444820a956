//! Mutu.
fn main() {}
