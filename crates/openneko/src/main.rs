//! The `openneko` command.

fn main() {}
