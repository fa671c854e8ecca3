//! Integration tests: the real binary and the real engines, against servers of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cli;
mod downloads;
#[cfg(feature = "jail")]
mod host;
mod support;
mod web;
