//! `openneko update`.

use clap::Args;
use openneko_plugin::manifest::Entry;
use openneko_plugin::marketplace::Prereleases;

use super::catalogs::Catalogs;
use super::install::{Options, PackageChoice, perform};
use super::{Context, Failure, list};
use crate::manifest;

const EXAMPLES: &str = "\
Examples:
  openneko update
  openneko update @open-neko/plugin-scalekit

A running `openneko serve` uses the new version from the next call on. The
command asks for confirmation if a plugin may reach more hosts than before. It
never installs an older version. For that, use `openneko install NAME --version
VERSION`.";

/// Update the plugins to the newest versions of their marketplaces
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UpdateArgs {
    /// Update only this plugin
    name: Option<String>,
    /// Include pre-releases, such as 1.2.0-rc.1
    #[arg(long)]
    pre: bool,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: &UpdateArgs, context: &mut Context) -> Result<(), Failure> {
    let manifest = manifest::read(&context.paths)?;
    let (manifest, bad) = manifest.ok_or_else(|| manifest::Error::Missing(context.paths.manifest.clone()))?;
    for entry in &bad {
        context.console.note(&format!("warning: not usable: {entry}"));
    }
    let is_wanted = |entry: &&Entry| args.name.as_ref().is_none_or(|name| entry.name.as_str() == name);
    let entries: Vec<_> = manifest.entries().filter(is_wanted).cloned().collect();
    if entries.is_empty() {
        return match &args.name {
            Some(name) => Err(Failure::new(format!(
                "{name} is not installed: `openneko list` shows what is"
            ))),
            None => context.console.line("no plugins installed"),
        };
    }
    let catalogs = list::fetch(context)?;
    // Each plugin is updated whether or not another one could be.
    let mut failed = 0;
    for entry in &entries {
        if let Err(failure) = update(entry, &catalogs, args, context) {
            if entries.len() == 1 {
                return Err(failure);
            }
            context.console.note(&format!("error: {}", failure.message()));
            failed += 1;
        }
    }
    match failed {
        0 => Ok(()),
        count => Err(Failure::new(format!(
            "{count} of {} plugins could not be updated",
            entries.len()
        ))),
    }
}

fn update(
    entry: &Entry,
    catalogs: &Catalogs,
    args: &UpdateArgs,
    context: &mut Context,
) -> Result<(), Failure> {
    let Entry { name, version, .. } = entry;
    let Some(slug) = &entry.marketplace else {
        context.console.note(&format!(
            "{name} comes from no marketplace: `openneko install --unverified {name}` gets the newest version"
        ));
        return Ok(());
    };
    let plugin = catalogs.of(slug, name)?.ok_or_else(|| {
        Failure::new(format!(
            "{name}: its marketplace \"{slug}\" does not list it any more"
        ))
    })?;
    list::mark(entry, plugin, context)?;
    let prereleases = if args.pre {
        Prereleases::Include
    } else {
        Prereleases::Exclude
    };
    let newest = plugin.select(None, prereleases);
    let listed = plugin.versions.iter().find(|listed| listed.version == *version);
    match newest {
        Ok(newest) if newest.version > *version => perform(
            &PackageChoice::listed(slug, plugin, newest),
            &args.options,
            context,
        ),
        newest => {
            if listed.is_some_and(|listed| listed.yanked) {
                let instead = match newest {
                    Ok(older) => format!("openneko install {name} --version {}", older.version),
                    Err(_) => format!("openneko remove {name}"),
                };
                return Err(Failure::new(format!(
                    "{name}@{version} was yanked, and there is nothing newer. To get rid of it: {instead}"
                )));
            }
            context.console.line(&format!("{name}@{version} is current"))
        }
    }
}
