//! `genkan directory create|list|update|secret|enable|disable|delete`

use clap::{Args, Subcommand};
use genkan_store::directory::{self, Directory, secret};
use genkan_store::{DirectoryId, Error, Provider, conflict};
use serde::Serialize;

use super::instance::{Deletion, Instance, parse_id};
use super::name::non_empty;
use super::output::{details, table, yes_no};
use super::{Context, Failure, product, which};

const EXAMPLES: &str = "\
Examples:
  genkan directory create --organization acme-17 --provider okta
  genkan directory secret dir_241053847510274048012
  genkan directory list --organization acme-17
  genkan directory disable dir_241053847510274048012

Enter the endpoint and the secret at the directory server. The secret is shown
once.";

/// Directories: the SCIM sources of an organization's users and groups
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DirectoryArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a directory to an organization
    Create {
        /// The organization, by identifier or external id
        #[arg(long)]
        organization: String,
        #[arg(long, value_parser = parse_provider,
            help = format!("The product: {}", product::list(Provider::is_directory)))]
        provider: Option<Provider>,
        /// The display name (default: the product)
        #[arg(long)]
        name: Option<String>,
    },
    /// List the directories of an organization, its primary one first
    List {
        /// The organization, by identifier or external id
        #[arg(long)]
        organization: String,
    },
    /// Change a directory; other settings stay
    Update {
        /// The identifier of the directory
        directory: String,
        /// The product, as for create; empty for none
        #[arg(long, value_parser = parse_change)]
        provider: Option<ProviderChange>,
        /// The display name
        #[arg(long)]
        name: Option<String>,
    },
    /// Make a secret for the directory server; it is shown once
    Secret {
        /// The identifier of the directory
        directory: String,
        /// Refuse all earlier secrets from now on
        #[arg(long)]
        replace: bool,
    },
    /// Accept changes of the directory server
    Enable {
        /// The identifier of the directory
        directory: String,
    },
    /// Refuse changes of the directory server; its users and groups stay
    Disable {
        /// The identifier of the directory
        directory: String,
    },
    /// Delete a disabled directory with its users and groups
    Delete {
        /// The identifier of the directory
        directory: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

fn parse_provider(text: &str) -> Result<Provider, String> {
    let product = Provider::named(text).filter(|product| product.is_directory());
    product.ok_or_else(|| format!("write one of {}", product::list(Provider::is_directory)))
}

/// A product, or none to clear it.
#[derive(Debug, Clone, Copy)]
struct ProviderChange(Option<Provider>);

fn parse_change(text: &str) -> Result<ProviderChange, String> {
    let named = (!text.is_empty()).then(|| parse_provider(text));
    Ok(ProviderChange(named.transpose()?))
}

#[derive(Serialize)]
struct DirectoryView {
    id: String,
    organization_id: String,
    name: String,
    r#type: &'static str,
    provider: Option<&'static str>,
    status: &'static str,
    enabled: bool,
    /// The SCIM address to enter at the directory server.
    endpoint: String,
}

impl DirectoryView {
    fn new(directory: &Directory, instance: &Instance) -> Self {
        let path = format!("/directory/{}/scim/v2", directory.id);
        Self {
            id: directory.id.to_string(),
            organization_id: directory.organization_id.to_string(),
            name: directory.name.clone(),
            r#type: directory.kind.as_str(),
            provider: directory.provider.map(Provider::as_str),
            status: directory.status.as_str(),
            enabled: directory.enabled,
            endpoint: instance.config.public_url.join(&path),
        }
    }

    fn text(&self) -> String {
        details(&[
            ("Directory", self.id.clone()),
            ("Name", self.name.clone()),
            ("Organization", self.organization_id.clone()),
            ("Provider", self.provider.unwrap_or_default().to_owned()),
            ("Status", self.status.to_owned()),
            ("Enabled", yes_no(self.enabled)),
            ("Endpoint", self.endpoint.clone()),
        ])
    }
}

#[derive(Serialize)]
struct Listing {
    directories: Vec<DirectoryView>,
}

#[derive(Serialize)]
struct NewSecret {
    id: String,
    directory_id: String,
    secret: String,
}

pub(super) async fn run(args: &DirectoryArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create {
            organization,
            provider,
            name,
        } => create(organization, *provider, name.as_deref(), &instance, context).await,
        Verb::List { organization } => list(organization, &instance, context).await,
        Verb::Update {
            directory,
            provider,
            name,
        } => update((directory, *provider, name.as_deref()), &instance, context).await,
        Verb::Secret { directory, replace } => make_secret(directory, *replace, &instance, context).await,
        Verb::Enable { directory } => set_enabled(directory, true, &instance, context).await,
        Verb::Disable { directory } => set_enabled(directory, false, &instance, context).await,
        Verb::Delete { directory, yes } => delete(directory, *yes, &instance, context).await,
    }
}

async fn create(
    organization: &str,
    provider: Option<Provider>,
    name: Option<&str>,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = which::organization(instance, organization).await?;
    let at = instance.stamp();
    let mut directory = Directory::new(at, organization.id, provider);
    if let Some(name) = name {
        directory.name = non_empty("--name", name)?;
    }
    instance
        .change(async |tx| directory::insert(tx, at, &directory).await)
        .await?;
    let view = DirectoryView::new(&directory, instance);
    context.console.print(&view, || view.text())?;
    context.console.note(&format!(
        "`genkan directory secret {}` makes its secret.",
        view.id
    ));
    Ok(())
}

async fn update(
    (text, provider, name): (&str, Option<ProviderChange>, Option<&str>),
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut directory = find(instance, text).await?;
    if let Some(ProviderChange(provider)) = provider {
        directory.provider = provider;
    }
    if let Some(name) = name {
        directory.name = non_empty("--name", name)?;
    }
    let at = instance.stamp();
    instance
        .change(async |tx| directory::update(tx, at, &directory).await)
        .await?;
    let view = DirectoryView::new(&directory, instance);
    context.console.print(&view, || view.text())
}

async fn list(organization: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let organization = which::organization(instance, organization).await?;
    let directories = instance
        .read(async |tx| directory::list(tx, &organization.id).await)
        .await?;
    let listing = Listing {
        directories: directories
            .iter()
            .map(|directory| DirectoryView::new(directory, instance))
            .collect(),
    };
    let row = |view: &DirectoryView| {
        [
            view.id.clone(),
            view.name.clone(),
            view.status.to_owned(),
            yes_no(view.enabled),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.directories.iter().map(row).collect();
        table(
            ["DIRECTORY", "NAME", "STATUS", "ENABLED"],
            &rows,
            "The organization has no directories.",
        )
    })
}

async fn make_secret(
    text: &str,
    replace: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let directory = find(instance, text).await?;
    let at = instance.stamp();
    let made = instance
        .change(async |tx| match replace {
            true => secret::regenerate(tx, at, &directory).await.map(Some),
            false => match secret::create(tx, at, &directory).await {
                Err(Error::Conflict(conflict::DIRECTORY_SECRETS)) => Ok(None),
                made => made.map(Some),
            },
        })
        .await?;
    let Some((made, value)) = made else {
        return Err(Failure::new(format!(
            "The directory has {} secrets already.",
            secret::MAX_SECRETS
        ))
        .remedy("Add --replace to refuse them from now on."));
    };
    let view = NewSecret {
        id: made.id.to_string(),
        directory_id: directory.id.to_string(),
        secret: value.expose().to_owned(),
    };
    context.console.print(&view, || format!("{}\n", view.secret))?;
    context.console.note("It is not shown again.");
    Ok(())
}

async fn set_enabled(
    text: &str,
    enabled: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut directory = find(instance, text).await?;
    let at = instance.stamp();
    instance
        .change(async |tx| {
            directory::set_enabled(tx, at, &directory.organization_id, &directory.id, enabled).await
        })
        .await?;
    directory.enabled = enabled;
    let view = DirectoryView::new(&directory, instance);
    let word = if enabled { "enabled" } else { "disabled" };
    context
        .console
        .print(&view, || format!("{} is {word}.\n", view.id))
}

async fn delete(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let directory = find(instance, text).await?;
    if directory.enabled {
        return Err(
            Failure::new(format!("The directory is enabled: {}.", directory.id))
                .remedy(format!("`genkan directory disable {}` first.", directory.id)),
        );
    }
    context.console.confirm(
        &format!("delete the directory {} ({})", directory.name, directory.id),
        yes,
    )?;
    let at = instance.stamp();
    instance
        .change(async |tx| directory::delete(tx, at, &directory.organization_id, &directory.id).await)
        .await?;
    let deleted = Deletion::new(&directory.id);
    context.console.print(&deleted, || deleted.text())
}

/// The directory that the command line names.
async fn find(instance: &Instance, text: &str) -> Result<Directory, Failure> {
    let id: DirectoryId = parse_id(text)?;
    let found = instance
        .read(async |tx| directory::find_by_id(tx, &id).await)
        .await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no directory {id}."))
            .remedy("`genkan directory list --organization …` shows those there are.")
    })
}
