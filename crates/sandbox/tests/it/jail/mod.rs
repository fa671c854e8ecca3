//! The Linux jail.

mod escape;
mod inside;
mod leftover;
mod network;
mod process;
pub(crate) mod support;
mod user;
mod world;
