//! `openneko install`.

mod env;
mod perform;
mod spec;

use clap::Args;
use openneko_plugin::Version;
use openneko_plugin::marketplace::Prereleases;

use super::catalogs::Catalogs;
use super::{Context, Failure};
use crate::marketplace::Marketplaces;
use crate::policy::Policy;
pub(super) use perform::{Options, PackageChoice, perform};
use spec::Spec;

const EXAMPLES: &str = "\
Examples:
  openneko install @open-neko/plugin-scalekit
  openneko install @open-neko/plugin-scalekit@0.2.1
  openneko install @open-neko/plugin-scalekit@official --version 0.2.1
  openneko install @acme/plugin-sso --registry https://npm.acme.com

The command installs the newest release that a trusted marketplace lists. It
downloads the package from the npm registry of ~/.npmrc. It unpacks the package
only if the marketplace and the registry both name its SHA-512 hash. The plugin
runs only in the sandbox, and reaches only the hosts that are printed.

If you install a plugin again, it is repaired or upgraded, and keeps its
grants.";

/// Install a plugin
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InstallArgs {
    /// The package, with an optional marketplace or version: NAME[@MARKETPLACE|@VERSION]
    spec: String,
    /// Install this version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Install a package that no marketplace lists, if the policy allows it
    #[arg(long)]
    unverified: bool,
    /// Include pre-releases, such as 1.2.0-rc.1
    #[arg(long)]
    pre: bool,
    #[command(flatten)]
    options: Options,
    #[arg(long, hide = true)]
    skip_host_check: bool,
}

pub(super) fn run(args: &InstallArgs, context: &mut Context) -> Result<(), Failure> {
    let policy = Policy::read(&context.paths)?;
    let spec = Spec::parse(&args.spec, args.version.as_deref())?;
    if args.unverified {
        return unverified(args, spec, &policy, context);
    }
    let catalogs = catalogs(&spec, &policy, context)?;
    let prereleases = if args.pre {
        Prereleases::Include
    } else {
        Prereleases::Exclude
    };
    let (slug, plugin) = catalogs.find(&spec.name)?;
    let asked = spec.version.as_ref().map(Version::as_str);
    let chosen = PackageChoice::listed(slug, plugin, plugin.select(asked, prereleases)?);
    perform(&chosen, &args.options, context)
}

fn unverified(args: &InstallArgs, spec: Spec, policy: &Policy, context: &mut Context) -> Result<(), Failure> {
    if !policy.allow_unverified {
        return Err(Failure::usage(
            "install: --unverified is disabled by deployment policy. \
             To allow it on this host: openneko policy set allow-unverified true",
        ));
    }
    if spec.marketplace.is_some() {
        return Err(Failure::usage(
            "install: --unverified asks no marketplace, so the package cannot name one",
        ));
    }
    context
        .console
        .note("warning: --unverified: no marketplace vouches for this package, its hosts or its integrity");
    let chosen = PackageChoice {
        name: spec.name,
        version: spec.version,
        terms: None,
    };
    perform(&chosen, &args.options, context)
}

/// The catalogs that may have the plugin: of one marketplace if the spec names it, else of all.
fn catalogs(spec: &Spec, policy: &Policy, context: &mut Context) -> Result<Catalogs, Failure> {
    let marketplaces = Marketplaces::read(&context.paths)?;
    let Some(slug) = &spec.marketplace else {
        let (allowed, denied) = marketplaces
            .trusted
            .into_iter()
            .partition(|one| policy.allows_marketplace(&one.url));
        return Catalogs::fetch(allowed, denied, context);
    };
    let Some(found) = marketplaces.find(slug) else {
        return Err(Failure::new(format!(
            "install: marketplace \"{slug}\" not trusted — add it first with: openneko marketplace add <url>"
        )));
    };
    if !policy.allows_marketplace(&found.url) {
        return Err(Failure::usage(format!(
            "install: marketplace \"{slug}\" is not allowed by deployment policy. \
             To allow it on this host: openneko policy allow {slug}"
        )));
    }
    Catalogs::fetch_one(found.clone(), context)
}
