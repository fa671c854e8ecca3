//! The engines with real plugins.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[cfg(all(feature = "jail", target_os = "linux"))]
mod jail;
