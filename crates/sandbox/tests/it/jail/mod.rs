//! The Linux jail.

mod arguments;
mod escape;
mod figures;
mod inside;
mod leftover;
mod network;
mod process;
pub(crate) mod support;
mod user;
mod world;
