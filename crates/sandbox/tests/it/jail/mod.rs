//! The Linux jail.

mod escape;
mod inside;
mod leftover;
mod network;
mod process;
mod support;
mod user;
mod world;
