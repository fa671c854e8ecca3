//! `openneko grant` and `openneko revoke`.

use clap::Args;
use openneko_plugin::manifest::{Grant, Manifest};
use openneko_sandbox::egress;

use super::{Context, Failure, now};
use crate::manifest;

const EXAMPLES: &str = "\
Examples:
  openneko grant @open-neko/plugin-scalekit auth.acme.com
  openneko grant @open-neko/plugin-scalekit auth.acme.com:8443
  openneko grant @open-neko/plugin-scalekit sso.intern --allow-private
  openneko revoke @open-neko/plugin-scalekit auth.acme.com:8443

Use this for a self-hosted provider. The plugin may then reach this host as
well as the hosts that it declares. Without --allow-private the name must not
resolve to an address of a private network. `openneko list` shows the grants.";

/// Let a plugin reach one more host
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GrantArgs {
    /// The plugin's package name
    plugin: String,
    /// The host, with its port unless that is 443
    #[arg(value_name = "HOST[:PORT]")]
    host: String,
    /// Allow a host in a private network or on this machine
    #[arg(long)]
    allow_private: bool,
}

/// Revoke a grant
#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    /// The plugin's package name
    plugin: String,
    /// The host, with its port unless that is 443
    #[arg(value_name = "HOST[:PORT]")]
    host: String,
}

pub(super) fn grant(args: &GrantArgs, context: &mut Context) -> Result<(), Failure> {
    let wanted =
        parse(&args.host, args.allow_private).map_err(|reason| Failure::usage(format!("grant: {reason}")))?;
    let plugin = args.plugin.as_str();
    if wanted.host.covers_strangers() {
        context.console.note(&strangers(plugin, &wanted.host));
    }
    change(plugin, context, |grants| {
        // Whoever grants again means the new terms.
        grants.retain(|grant| !is_same(grant, &wanted));
        grants.push(Grant {
            host: wanted.host.to_string(),
            port: wanted.port,
            allow_private: wanted.allow_private,
            granted_at: now(),
        });
    })?;
    let private = if args.allow_private {
        " (private addresses too)"
    } else {
        ""
    };
    context.console.line(&format!(
        "granted {}:{}{private} to {plugin}",
        wanted.host, wanted.port
    ))
}

pub(super) fn revoke(args: &RevokeArgs, context: &mut Context) -> Result<(), Failure> {
    // Whatever was granted can be named, also names that only `--allow-private` takes.
    let wanted = parse(&args.host, true).map_err(|reason| Failure::usage(format!("revoke: {reason}")))?;
    let plugin = args.plugin.as_str();
    let mut was_granted = false;
    change(plugin, context, |grants| {
        let before = grants.len();
        grants.retain(|grant| !is_same(grant, &wanted));
        was_granted = grants.len() < before;
    })?;
    let (host, port) = (&wanted.host, wanted.port);
    if was_granted {
        context
            .console
            .line(&format!("revoked {host}:{port} from {plugin}"))
    } else {
        context
            .console
            .line(&format!("{host}:{port} was not granted to {plugin}"))
    }
}

/// The warning before a plugin may reach host names of unrelated people.
pub(super) fn strangers(plugin: &str, host: &egress::HostPattern) -> String {
    let suffix = host.name();
    format!(
        "warning: {host} lets {plugin} reach every name under {suffix}, and anybody can have one there; \
         a name of its own is safer"
    )
}

fn parse(text: &str, allow_private: bool) -> Result<egress::Grant, String> {
    egress::Grant::operator(text, allow_private).map_err(|error| error.to_string())
}

fn is_same(grant: &Grant, wanted: &egress::Grant) -> bool {
    grant.host == wanted.host.to_string() && grant.port == wanted.port
}

fn change(plugin: &str, context: &Context, change: impl FnOnce(&mut Vec<Grant>)) -> Result<(), Failure> {
    let change = |manifest: &mut Manifest| {
        let Some(entry) = manifest.get(plugin) else {
            return (false, false);
        };
        let mut entry = entry.clone();
        change(&mut entry.grants);
        manifest.upsert(entry);
        (true, true)
    };
    let is_installed = context.paths.manifest.exists() && manifest::edit(&context.paths, change)?;
    if is_installed {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{plugin} is not installed: `openneko list` shows what is"
    )))
}
