//! `openneko marketplace …`.

use clap::{Args, Subcommand};

use super::{Context, Failure, block_on};
use crate::http::Http;
use crate::marketplace::{self, Marketplaces};
use crate::policy::Policy;

const EXAMPLES: &str = "\
Examples:
  openneko marketplace list
  openneko marketplace add https://acme.com/plugins/marketplace.json
  openneko policy allow acme
  openneko marketplace remove acme

The address is https. For development it may also be http on localhost, a file:
URL, or the path of a file. The install policy decides from which trusted
marketplaces you can install (see `openneko policy`).";

/// Manage the trusted marketplaces
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MarketplaceArgs {
    #[command(subcommand)]
    command: MarketplaceCommand,
}

#[derive(Debug, Subcommand)]
enum MarketplaceCommand {
    List(ListArgs),
    Add(AddArgs),
    Remove(RemoveArgs),
}

/// List the trusted marketplaces
#[derive(Debug, Args)]
struct ListArgs {}

/// Trust a marketplace
#[derive(Debug, Args)]
struct AddArgs {
    /// The address of its marketplace.json
    url: String,
}

/// Stop trusting a marketplace; its installed plugins stay
#[derive(Debug, Args)]
struct RemoveArgs {
    /// Its slug or its address
    name_or_url: String,
}

pub(super) fn run(args: &MarketplaceArgs, context: &mut Context) -> Result<(), Failure> {
    match &args.command {
        MarketplaceCommand::List(_) => list(context),
        MarketplaceCommand::Add(args) => add(args, context),
        MarketplaceCommand::Remove(args) => remove(args, context),
    }
}

fn list(context: &mut Context) -> Result<(), Failure> {
    let marketplaces = Marketplaces::read(&context.paths)?;
    let policy = Policy::read(&context.paths)?;
    if marketplaces.trusted.is_empty() {
        return context.console.line("no marketplaces trusted");
    }
    for one in &marketplaces.trusted {
        let official = if one.official { "  [official]" } else { "" };
        let denied = if policy.allows_marketplace(&one.url) {
            ""
        } else {
            "  [not allowed by policy]"
        };
        let line = format!("{}  {}{official}{denied}", one.name, one.url);
        context.console.line(&line)?;
    }
    Ok(())
}

fn add(args: &AddArgs, context: &mut Context) -> Result<(), Failure> {
    let address = marketplace::address(&args.url, &context.paths.current_dir)
        .map_err(|error| Failure::usage(format!("marketplace: {error}")))?;
    let known = Marketplaces::read(&context.paths)?;
    if let Some(known) = known.trusted.iter().find(|known| known.url == address) {
        return Err(marketplace::Error::UrlAlreadyTrusted(address, known.name.clone()).into());
    }
    let http = Http::new(&context.paths, &[])?;
    let fetched = block_on(async { Ok(marketplace::fetch(&http, &address).await) })?;
    let (catalog, bad) =
        fetched.map_err(|error| Failure::new(format!("failed to fetch marketplace {address}: {error}")))?;
    for entry in &bad {
        context.console.note(&format!("warning: not usable: {entry}"));
    }
    let today = super::now()[..10].to_owned();
    let slug = Marketplaces::edit(&context.paths, |all| all.add(&catalog.name, &address, today))?;
    context.console.line(&format!(
        "trusted {} as \"{slug}\" — {} plugin(s) listed",
        catalog.name,
        catalog.plugins.len()
    ))?;
    if !Policy::read(&context.paths)?.allows_marketplace(&address) {
        context.console.note(&format!(
            "The install policy does not allow it yet. To install from it: openneko policy allow {slug}"
        ));
    }
    Ok(())
}

fn remove(args: &RemoveArgs, context: &mut Context) -> Result<(), Failure> {
    let name = args.name_or_url.as_str();
    // A path or an unnormalized address names the same as what is kept.
    let address = marketplace::address(name, &context.paths.current_dir).unwrap_or_default();
    let removed = Marketplaces::edit(&context.paths, |all| match all.remove(name)? {
        None => all.remove(&address),
        removed => Ok(removed),
    })?;
    match removed {
        Some(slug) => context.console.line(&format!("removed marketplace {slug}")),
        None => context
            .console
            .line(&format!("no trusted marketplace matched {name}")),
    }
}
