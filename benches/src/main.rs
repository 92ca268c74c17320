//! Benchmarks of Vultus.

fn main() {}
