//! `openneko init`.

use clap::Args;

use super::{Context, Failure};
use crate::manifest;

const EXAMPLES: &str = "\
Examples:
  openneko init
  OPENNEKO_PLUGINS_MANIFEST_PATH=/etc/openneko/plugins.json openneko init

An existing manifest is not changed.";

/// Create an empty openneko.plugins.json
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InitArgs {}

pub(super) fn run(_: &InitArgs, context: &mut Context) -> Result<(), Failure> {
    let path = context.paths.manifest.display().to_string();
    if manifest::init(&context.paths)? {
        context.console.line(&format!("created {path}"))
    } else {
        context.console.line(&format!("{path} already exists"))
    }
}
