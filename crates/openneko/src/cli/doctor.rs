//! `openneko doctor`.

use clap::Args;
use openneko_sandbox::Probe;

use super::{Context, Failure, block_on, call};
use crate::host::{Host, PluginDescription, engines};
use crate::secrets::Store;
use crate::web::serve;
use crate::web::settings::Flags;

const HELP: &str = "\
The command starts every sandbox engine with a real call. It shows the engine
that each plugin would use, and why it cannot use the engines before it.
OPENNEKO_SANDBOX_MINIMUM sets the weakest accepted engine (jail, wasm or
microvm). OPENNEKO_SANDBOX_ENGINES lists the engines in their order, such as
jail,wasm.

The exit code is 1 if a plugin cannot run, or if no engine works.";

/// Check the sandbox engines of this machine, and the engine of each plugin
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct DoctorArgs {}

pub(super) fn run(_: &DoctorArgs, context: &mut Context) -> Result<(), Failure> {
    let host = call::open(context)?;
    let (probes, plugins) = block_on(async { Ok((host.engines().probes().await, host.describe().await)) })?;
    let mut is_well = false;
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    context.console.line(&format!("host:     {platform}"))?;
    for (kind, probe) in &probes {
        let name = engines::name(*kind);
        match probe {
            Probe::Works(what) => {
                is_well = true;
                context
                    .console
                    .line(&format!("engine:   {name:<8} works: {what}"))?;
            }
            Probe::Fails { reason, fix } => {
                context
                    .console
                    .line(&format!("engine:   {name:<8} does not work: {reason}"))?;
                context.console.line(&format!("  fix: {fix}"))?;
            }
        }
    }
    if probes.is_empty() {
        context.console.line("engine:   none in this build")?;
    }
    let path = &context.paths.manifest;
    let found = if path.exists() { "found" } else { "missing" };
    context
        .console
        .line(&format!("manifest: {found} at {}", path.display()))?;
    let plugins = plugins.map_err(|error| Failure::new(error.to_string()))?;
    context.console.line(&format!("plugins:  {}", plugins.len()))?;
    for plugin in &plugins {
        is_well &= describe(plugin, &host, context)?;
    }
    let (_, bad) = host.manifest().map_err(|error| Failure::new(error.to_string()))?;
    for entry in &bad {
        is_well = false;
        context.console.line(&format!("  not usable: {entry}"))?;
    }
    let secrets = Store::open(&context.paths)?;
    for path in secrets.exposed_files() {
        let path = path.display();
        let line = format!("warning:  other users can read {path}: chmod 600 {path}");
        context.console.line(&line)?;
    }
    is_well &= describe_sign_in(&plugins, context)?;
    // Everything is said already.
    if is_well { Ok(()) } else { Err(Failure::new("")) }
}

/// Whether the web app could start, and which people it would let in.
fn describe_sign_in(plugins: &[PluginDescription], context: &mut Context) -> Result<bool, Failure> {
    let settings = match serve::settings(&context.paths, &Flags::default()) {
        Ok(settings) => settings,
        Err(error) => {
            let error = error.to_string();
            for (at, line) in error.lines().enumerate() {
                let prefix = if at == 0 { "web:      " } else { "" };
                context.console.line(&format!("{prefix}{line}"))?;
            }
            return Ok(false);
        }
    };
    let signs_in = plugins
        .iter()
        .any(|plugin| plugin.entry.capabilities.auth.is_some());
    if signs_in && settings.rules.admits_every_organization() {
        let line = format!("warning:  {}", serve::EVERY_ORGANIZATION);
        context.console.line(&line)?;
    }
    if settings.rules.roles_follow_groups && settings.rules.admin_groups.is_empty() {
        context
            .console
            .line("warning:  web.rolesFollowGroups has no effect: web.adminGroups names no group")?;
    }
    Ok(true)
}

fn describe(plugin: &PluginDescription, host: &Host, context: &mut Context) -> Result<bool, Failure> {
    let entry = &plugin.entry;
    let line = format!("  {}@{}: ", entry.name, entry.version);
    let is_well = match &plugin.engine {
        Ok((kind, passed)) => {
            context
                .console
                .line(&format!("{line}runs in {}", engines::name(*kind)))?;
            for (kind, reason) in passed {
                context
                    .console
                    .line(&format!("    not in {}: {reason}", engines::name(*kind)))?;
            }
            true
        }
        Err(error) => {
            context.console.line(&format!("{line}does not run: {error}"))?;
            false
        }
    };
    if plugin.is_passed_over {
        context
            .console
            .line("    signs nobody in: another plugin that does stands before it in the manifest")?;
    }
    let missing = host
        .missing(entry)
        .map_err(|error| Failure::new(error.to_string()))?;
    for key in &missing {
        context.console.line(&format!(
            "    {key} is not set: openneko secrets set {} {key}",
            entry.name
        ))?;
    }
    Ok(is_well && missing.is_empty())
}
