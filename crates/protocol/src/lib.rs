//! The standards in types: parse, validate, build, render.
//!
//! Nothing here reads a clock, a network, a disk or a random number generator:
//! they come in as arguments.

mod timestamp;

pub use timestamp::Timestamp;
