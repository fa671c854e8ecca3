//! Installs the chosen version: asks for values, downloads, checks, and then changes the manifest.

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use openneko_plugin::capability::Capabilities;
use openneko_plugin::json::{Json, Object};
use openneko_plugin::manifest::Entry;
use openneko_plugin::marketplace::{Plugin, Version as ListedVersion};
use openneko_plugin::permission::{HostPattern, Integrity, Permissions};
use openneko_plugin::{PackageName, Version};
use openneko_sandbox::egress::Grant;

use super::env::{self, Env};
use crate::cli::grant::strangers;
use crate::cli::{Context, Failure, block_on, list, now};
use crate::manifest;
use crate::package::{self, PackageFolder, StagedPackage, Witness};
use crate::policy::Policy;
use crate::registry::{PublishedVersion, Registry};

/// The options of every installation.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The npm registry to download from
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Do not ask for confirmation if the plugin may reach more hosts than before
    #[arg(long, short)]
    yes: bool,
}

/// The version to install.
pub(in crate::cli) struct PackageChoice {
    pub(in crate::cli) name: PackageName,
    /// `None` for the version that the registry calls the latest.
    pub(in crate::cli) version: Option<Version>,
    /// `None` if no marketplace vouches for it.
    pub(in crate::cli) terms: Option<Terms>,
}

/// The entry of a marketplace for a version.
pub(in crate::cli) struct Terms {
    marketplace: String,
    integrity: Integrity,
    permissions: Permissions,
    capabilities: Capabilities,
}

impl PackageChoice {
    pub(in crate::cli) fn listed(slug: &str, plugin: &Plugin, version: &ListedVersion) -> Self {
        Self {
            name: plugin.name.clone(),
            version: Some(version.version.clone()),
            terms: Some(Terms {
                marketplace: slug.to_owned(),
                integrity: version.integrity.clone(),
                permissions: version.permissions.clone(),
                capabilities: version.capabilities.clone(),
            }),
        }
    }
}

/// Installs `chosen` and prints what it may reach.
pub(in crate::cli) fn perform(
    chosen: &PackageChoice,
    options: &Options,
    context: &mut Context,
) -> Result<(), Failure> {
    // A manifest that cannot be written afterwards should fail now.
    let manifest = manifest::read(&context.paths)?;
    let installed = manifest.and_then(|(manifest, _)| manifest.get(chosen.name.as_str()).cloned());
    let installed = installed.as_ref();
    let listed = match &chosen.terms {
        Some(terms) => {
            let env = agree(chosen, &terms.permissions, installed, options, context)?;
            if !env.missing.is_empty() {
                return Err(env::missing(&chosen.name, &env.missing));
            }
            Some(env)
        }
        None => None,
    };
    let (published, digest, staged) = download(chosen, options, context)?;
    let description = staged.description();
    let (permissions, capabilities, env) = match (&chosen.terms, listed) {
        (Some(terms), Some(env)) => {
            description
                .check_hosts(&terms.permissions)
                .map_err(package::Error::from)?;
            (terms.permissions.clone(), terms.capabilities.clone(), env)
        }
        _ => {
            let permissions = description.permissions.clone().unwrap_or_default();
            let capabilities = description.capabilities.clone().filter(|all| !all.is_empty());
            let capabilities = capabilities.ok_or_else(|| {
                let name = &chosen.name;
                Failure::new(format!(
                    "--unverified install: {name} package.json must declare openneko.capabilities"
                ))
            })?;
            let env = agree(chosen, &permissions, installed, options, context)?;
            (permissions, capabilities, env)
        }
    };
    let entry = Entry {
        name: chosen.name.clone(),
        version: published.version.clone(),
        integrity: Integrity::of_digest(&digest),
        permissions,
        capabilities,
        env: None,
        grants: Vec::new(),
        marketplace: chosen.terms.as_ref().map(|terms| terms.marketplace.clone()),
        install_source: Some(source(chosen).to_owned()),
        installed_at: Some(now()),
        policy_snapshot: Some(Json::from(&Policy::read(&context.paths)?)?),
        extra: Object::new(),
    };
    let entry = put_in_place(staged, entry, context)?;
    report(&entry, &env, context)
}

fn source(chosen: &PackageChoice) -> &'static str {
    if chosen.terms.is_some() {
        "marketplace"
    } else {
        "unverified"
    }
}

/// Asks the person to confirm additional hosts, and asks for missing values.
fn agree(
    chosen: &PackageChoice,
    permissions: &Permissions,
    installed: Option<&Entry>,
    options: &Options,
    context: &mut Context,
) -> Result<Env, Failure> {
    let name = &chosen.name;
    for host in &permissions.network {
        // The sandbox would refuse it at the first call: better now.
        let grant = Grant::package(host.as_str())
            .map_err(|error| Failure::new(format!("install: {name} cannot be given its hosts: {error}")))?;
        if grant.host.covers_strangers() {
            context.console.note(&strangers(name.as_str(), &grant.host));
        }
    }
    if let Some(installed) = installed {
        let is_new = |host: &&HostPattern| !installed.permissions.network.contains(host);
        let more: Vec<_> = permissions
            .network
            .iter()
            .filter(is_new)
            .map(HostPattern::as_str)
            .collect();
        if !more.is_empty() {
            let old = &installed.version;
            let question = format!(
                "{name} would be allowed to reach more hosts than {old} was: {}",
                more.join(", ")
            );
            context.console.confirm(&question, options.yes)?;
        }
    }
    env::resolve(name, permissions, installed, context)
}

/// Downloads the tarball, compares its hash with those of marketplace and registry, and unpacks it into a new folder.
fn download(
    chosen: &PackageChoice,
    options: &Options,
    context: &mut Context,
) -> Result<(PublishedVersion, [u8; 64], StagedPackage), Failure> {
    let name = &chosen.name;
    let registry = Registry::of(&context.paths, name, options.registry.as_deref())?;
    let bar = progress_bar(name);
    let (published, tarball) = block_on(async {
        let published = registry.published(name, chosen.version.as_ref()).await?;
        let tarball = registry
            .tarball(&published, |length, received| {
                if let Some(length) = length {
                    bar.set_length(length);
                }
                bar.set_position(received);
            })
            .await?;
        Ok((published, tarball))
    })
    .inspect_err(|_| bar.finish_and_clear())?;
    bar.finish_and_clear();
    if let Some(reason) = &published.deprecated {
        context
            .console
            .note(&format!("warning: the author deprecates this version: {reason}"));
    }
    let shown = format!("{name}@{}", published.version);
    let mut expected = vec![(Witness::Registry, &published.integrity)];
    if let Some(terms) = &chosen.terms {
        expected.insert(0, (Witness::Catalog, &terms.integrity));
    }
    let digest = package::verify(&shown, &tarball, &expected)?;
    let place = PackageFolder::new(&context.paths.plugins(), name, &published.version, &digest);
    let staged = place
        .stage(&tarball, name, &published.version)
        .map_err(|error| Failure::from(error).within(&shown))?;
    Ok((published, digest, staged))
}

fn progress_bar(name: &PackageName) -> ProgressBar {
    // Draws nothing where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.with_message(format!("downloading {name}"))
}

/// Writes the folder before the manifest, so that the manifest never names a missing folder.
fn put_in_place(staged: StagedPackage, mut entry: Entry, context: &Context) -> Result<Entry, Failure> {
    let sha512 = staged.runner_sha512()?;
    let runner = staged.description().runner.clone();
    let place = staged.install()?;
    let written = manifest::edit(&context.paths, |manifest| {
        // As it is now, not as it was before the questions and the download: a
        // grant that was revoked meanwhile must not come back.
        if let Some(now) = manifest.get(entry.name.as_str()) {
            entry.env = now.env.clone();
            entry.grants = now.grants.clone();
            entry.extra = now.extra.clone();
        }
        entry.extra.remove(list::YANKED);
        manifest::set_runner(&mut entry, &runner, &sha512);
        manifest.upsert(entry.clone());
        (entry, true)
    });
    match written {
        Ok(entry) => {
            place.remove_others();
            Ok(entry)
        }
        Err(error) => {
            if !is_used(&place, context) {
                place.remove();
            }
            Err(error.into())
        }
    }
}

/// Whether the manifest names this folder already, because the same package was installed before.
fn is_used(place: &PackageFolder, context: &Context) -> bool {
    let manifest = manifest::read(&context.paths).ok().flatten();
    manifest.is_some_and(|(manifest, _)| {
        manifest
            .entries()
            .filter_map(|entry| manifest::runner(&context.paths, entry).ok())
            .any(|runner| runner.path.starts_with(place.folder()))
    })
}

fn report(entry: &Entry, env: &Env, context: &mut Context) -> Result<(), Failure> {
    let Entry { name, version, .. } = entry;
    let origin = match &entry.marketplace {
        Some(slug) => format!("marketplace={slug}"),
        None => "unverified npm".to_owned(),
    };
    let hosts: Vec<_> = entry
        .permissions
        .network
        .iter()
        .map(HostPattern::as_str)
        .collect();
    let hosts = if hosts.is_empty() {
        "none".to_owned()
    } else {
        hosts.join(", ")
    };
    context.console.line(&format!(
        "installed {name}@{version} ({origin}) — network: {hosts}"
    ))?;
    for (what, keys) in [("saved env", &env.saved), ("env already set", &env.already_set)] {
        if !keys.is_empty() {
            context.console.line(&format!("  {what}: {}", keys.join(", ")))?;
        }
    }
    for key in &env.missing {
        context.console.note(&format!(
            "warning: {name} needs {key}: openneko secrets set {name} {key}"
        ));
    }
    Ok(())
}
