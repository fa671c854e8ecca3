//! The engines with real plugins.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod attempts;
mod engines;
#[cfg(all(feature = "jail", target_os = "linux"))]
mod jail;
#[cfg(feature = "wasm")]
mod javascript;
#[cfg(feature = "wasm")]
mod wasm;
mod world;
