//! The command line `vultus`.

fn main() {}
