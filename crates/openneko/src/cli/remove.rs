//! `openneko remove`.

use clap::Args;
use openneko_plugin::PackageName;

use super::{Context, Failure};
use crate::package::PackageFolder;
use crate::{manifest, secrets};

const EXAMPLES: &str = "\
Examples:
  openneko remove @open-neko/plugin-scalekit

A running `openneko serve` stops using the plugin at once. The secrets of the
plugin stay until you unset them.";

/// Remove a plugin
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RemoveArgs {
    /// The plugin's package name
    name: String,
}

pub(super) fn run(args: &RemoveArgs, context: &mut Context) -> Result<(), Failure> {
    let name = args.name.as_str();
    if !context.paths.manifest.exists() {
        return context.console.line(&format!("{name} was not in the manifest"));
    }
    let was_there = manifest::edit(&context.paths, |manifest| {
        let was_there = manifest.remove(name);
        (was_there, was_there)
    })?;
    if !was_there {
        return context.console.line(&format!("{name} was not in the manifest"));
    }
    // The manifest decides what runs; files that stay behind only take room.
    if let Ok(package) = PackageName::parse(name)
        && let Err(error) = PackageFolder::remove_all(&context.paths.plugins(), &package)
    {
        context
            .console
            .note(&format!("warning: its files could not be deleted: {error}"));
    }
    context.console.line(&format!("removed {name}"))?;
    let stored = secrets::Store::open(&context.paths).and_then(|store| store.list());
    if let Some(keys) = stored.ok().and_then(|mut plugins| plugins.remove(name)) {
        context.console.note(&format!(
            "Its secrets stay ({}). To delete one: openneko secrets unset {name} {}",
            keys.join(", "),
            keys.first().map_or("KEY", String::as_str)
        ));
    }
    Ok(())
}
