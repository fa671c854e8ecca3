//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod host;
mod web;
