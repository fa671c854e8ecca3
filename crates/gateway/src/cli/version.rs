//! `genkan version`

use clap::Args;
use serde::Serialize;

use super::{Context, Failure};

/// Print the version
#[derive(Debug, Args)]
pub(super) struct VersionArgs {}

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

pub(super) fn run(VersionArgs {}: VersionArgs, context: &mut Context) -> Result<(), Failure> {
    let version = Version {
        name: "genkan",
        version: env!("CARGO_PKG_VERSION"),
    };
    context
        .console
        .print(&version, || format!("{} {}\n", version.name, version.version))
}
