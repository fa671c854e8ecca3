//! The Linux jail.

mod process;
mod support;
