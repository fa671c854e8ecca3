//! `openneko version`.

use clap::Args;

use super::{Context, Failure};

pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Print the version
#[derive(Debug, Args)]
pub(super) struct VersionArgs {}

pub(super) fn run(_: &VersionArgs, context: &mut Context) -> Result<(), Failure> {
    context.console.line(VERSION)
}
