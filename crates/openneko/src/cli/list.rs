//! `openneko list`.

use clap::{Args, ValueEnum};
use openneko_plugin::json::{Json, Object};
use openneko_plugin::manifest::{Entry, Manifest};
use openneko_plugin::marketplace::{Plugin, Prereleases};
use openneko_plugin::permission::HostPattern;

use super::catalogs::Catalogs;
use super::{Context, Failure, now};
use crate::host::grant_text;
use crate::manifest;
use crate::marketplace::Marketplaces;
use crate::policy::Policy;

/// In an entry: the marketplace has withdrawn this version.
pub(super) const YANKED: &str = "yanked";

const EXAMPLES: &str = "\
Examples:
  openneko list
  openneko list --check
  openneko list -o json";

/// List the installed plugins and the hosts that they may reach
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArgs {
    /// The format of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Ask the marketplaces whether they have withdrawn a version
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

pub(super) fn run(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    if args.check {
        check(context)?;
    }
    let Some((manifest, bad)) = manifest::read(&context.paths)? else {
        return match args.output {
            Output::Json => context.console.json(&[(); 0]),
            Output::Text => context
                .console
                .line("no openneko.plugins.json — run `openneko init` to create one"),
        };
    };
    match args.output {
        Output::Json => context.console.json(&manifest.entries().collect::<Vec<_>>())?,
        Output::Text => {
            if manifest.entries().next().is_none() {
                context.console.line("no plugins installed")?;
            }
            let policy = Policy::read(&context.paths)?;
            for entry in manifest.entries() {
                context.console.line(&line(entry, &policy))?;
            }
        }
    }
    for entry in bad {
        context.console.note(&format!("warning: not usable: {entry}"));
    }
    Ok(())
}

fn line(entry: &Entry, policy: &Policy) -> String {
    let hosts: Vec<_> = entry
        .permissions
        .network
        .iter()
        .map(HostPattern::as_str)
        .collect();
    let hosts = if hosts.is_empty() {
        "no network".to_owned()
    } else {
        hosts.join(", ")
    };
    let mut line = format!("{}@{}  [{hosts}]", entry.name, entry.version);
    if entry.capabilities.auth.is_some() {
        line.push_str("  [SSO provider]");
    }
    if let Some(slug) = &entry.marketplace {
        line.push_str(&format!("  from={slug}"));
    }
    for grant in &entry.grants {
        line.push_str(&format!("  granted={}", grant_text(grant)));
    }
    if entry.install_source.as_deref() == Some("unverified") && !policy.allow_unverified {
        line.push_str("  [not allowed by policy]");
    }
    if let Some(yanked) = entry.extra.get(YANKED) {
        let reason = yanked.as_object().and_then(|mark| mark.get("reason")?.as_str());
        line.push_str(&format!("  YANKED: {}", reason.unwrap_or("no reason given")));
    }
    line
}

/// Asks the marketplaces of all plugins, marks withdrawn versions, and shows newer ones.
fn check(context: &mut Context) -> Result<(), Failure> {
    let Some((manifest, _)) = manifest::read(&context.paths)? else {
        return Ok(());
    };
    let catalogs = fetch(context)?;
    for entry in manifest.entries() {
        let Some(slug) = &entry.marketplace else {
            continue;
        };
        match catalogs.of(slug, &entry.name) {
            Ok(Some(plugin)) => {
                mark(entry, plugin, context)?;
                let newest = plugin.select(None, Prereleases::Exclude);
                if let Ok(newest) = newest
                    && newest.version > entry.version
                {
                    context.console.note(&format!(
                        "{}: {} is available: openneko update {}",
                        entry.name, newest.version, entry.name
                    ));
                }
            }
            Ok(None) => context.console.note(&format!(
                "warning: {}: its marketplace \"{slug}\" does not list it any more",
                entry.name
            )),
            Err(failure) => context.console.note(&format!("warning: {}", failure.message())),
        }
    }
    Ok(())
}

/// The catalogs of every marketplace that the policy allows.
pub(super) fn fetch(context: &mut Context) -> Result<Catalogs, Failure> {
    let policy = Policy::read(&context.paths)?;
    let (allowed, denied) = Marketplaces::read(&context.paths)?
        .trusted
        .into_iter()
        .partition(|one| policy.allows_marketplace(&one.url));
    Catalogs::fetch(allowed, denied, context)
}

/// Notes in the manifest whether the installed version was withdrawn.
pub(super) fn mark(entry: &Entry, plugin: &Plugin, context: &Context) -> Result<(), Failure> {
    let listed = plugin
        .versions
        .iter()
        .find(|listed| listed.version == entry.version);
    let mark = listed.filter(|listed| listed.yanked).map(|listed| {
        let reason = listed
            .yanked_reason
            .clone()
            .unwrap_or_else(|| "no reason given".to_owned());
        let old = entry.extra.get(YANKED).and_then(Json::as_object);
        let noticed_at = old.and_then(|old| old.get("noticedAt")?.as_str().map(str::to_owned));
        let members = [("reason", reason), ("noticedAt", noticed_at.unwrap_or_else(now))];
        let mark: Object = members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Json::String(value)))
            .collect();
        Json::Object(mark)
    });
    if mark.as_ref() == entry.extra.get(YANKED) {
        return Ok(());
    }
    let change = |manifest: &mut Manifest| {
        // It may have been replaced meanwhile.
        let now = manifest
            .get(entry.name.as_str())
            .filter(|now| now.version == entry.version);
        let Some(mut entry) = now.cloned() else {
            return ((), false);
        };
        match mark {
            Some(mark) => entry.extra.insert(YANKED, mark),
            None => drop(entry.extra.remove(YANKED)),
        }
        manifest.upsert(entry);
        ((), true)
    };
    Ok(manifest::edit(&context.paths, change)?)
}
