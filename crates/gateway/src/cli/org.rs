//! `genkan org create|list|show|update|allow-other-ways|delete`

use clap::{Args, Subcommand};
use genkan_protocol::Domain as DomainName;
use genkan_store::connection::{self, Connection};
use genkan_store::domain::{self, Domain};
use genkan_store::organization::other_ways::{self, ClosureReason};
use genkan_store::organization::{self, Organization, Region};
use serde::Serialize;
use serde_json::{Map, Value};

use super::connection::ConnectionSummary;
use super::domain::{DomainView, parse_domain};
use super::instance::{Deletion, Instance, PageArgs};
use super::output::{details, table, time};
use super::pairs::{self, PairsChange, parse_pair};
use super::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan org create --name \"Acme Inc.\" --domain acme.com --external-id acme-17
  genkan org list
  genkan org show acme-17
  genkan org update acme-17 --name \"Acme Corporation\"
  genkan org delete org_241053847510274048012

An organization is named by its identifier or by its external id.";

const OTHER_WAYS: &str = "\
If an organization has had a connection, its members enter only by a
connection, also after the last connection was deleted. This command lets
active members enter with the session of another organization that vouches for
them, until the organization has a connection again.";

/// Organizations: the companies whose people sign in
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct OrgArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add an organization
    Create(CreateArgs),
    /// List organizations, newest first
    List(PageArgs),
    /// Show an organization with its domains and connections
    Show {
        /// Its identifier or external id
        organization: String,
    },
    /// Change an organization; other settings stay
    Update(UpdateArgs),
    /// Let members enter in other ways after the organization's connection was deleted
    #[command(after_help = OTHER_WAYS)]
    AllowOtherWays {
        /// Its identifier or external id
        organization: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Delete an organization with its domains, connections and memberships; its events are kept for their retention
    Delete {
        /// Its identifier or external id
        organization: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The display name
    #[arg(long)]
    name: String,
    /// A domain of its people's e-mail addresses; may be repeated
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = parse_domain)]
    domains: Vec<DomainName>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct UpdateArgs {
    /// Its identifier or external id
    organization: String,
    /// The display name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// The settings of an organization, for its creation and for changes. An empty text clears a setting.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// The identifier of your application for it; empty for none
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// A short name for addresses, such as acme; empty for none
    #[arg(long, value_parser = parse_slug)]
    slug: Option<String>,
    /// The address of its logo; empty for none
    #[arg(long, value_name = "URL", value_parser = parse_logo)]
    logo_url: Option<String>,
    /// The region of its data, as your application sees it: US or EU; empty for none
    #[arg(long, value_parser = parse_region)]
    region: Option<Choice<Region>>,
    /// An entry of its metadata, removed if it has no value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Clear the metadata before entries are set
    #[arg(long)]
    no_metadata: bool,
}

/// A word, or none to clear it.
#[derive(Debug, Clone, Copy)]
struct Choice<T>(Option<T>);

fn parse_region(text: &str) -> Result<Choice<Region>, String> {
    if text.is_empty() {
        return Ok(Choice(None));
    }
    let region = text.to_ascii_uppercase().parse::<Region>();
    region
        .map(|region| Choice(Some(region)))
        .map_err(|_| "write US or EU".to_owned())
}

fn parse_slug(text: &str) -> Result<String, String> {
    if text.is_empty() || organization::check_slug(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err("write small letters, digits and hyphens, such as acme or acme.corp".to_owned())
    }
}

fn parse_logo(text: &str) -> Result<String, String> {
    if text.is_empty() || organization::check_logo_url(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err("write an address that starts with https://".to_owned())
    }
}

impl SettingsArgs {
    /// Fields that are not named stay.
    fn apply(&self, organization: &mut Organization) {
        for (field, text) in [
            (&mut organization.external_id, &self.external_id),
            (&mut organization.slug, &self.slug),
            (&mut organization.logo_url, &self.logo_url),
        ] {
            if let Some(text) = text {
                *field = Some(text.clone()).filter(|text| !text.is_empty());
            }
        }
        if let Some(Choice(region)) = self.region {
            organization.region = region;
        }
        let change = PairsChange {
            clear: self.no_metadata,
            pairs: &self.metadata,
        };
        change.apply(&mut organization.metadata);
    }
}

#[derive(Serialize)]
struct OrganizationView {
    id: String,
    display_name: String,
    external_id: Option<String>,
    slug: Option<String>,
    logo_url: Option<String>,
    region: Option<&'static str>,
    metadata: Map<String, Value>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domains: Option<Vec<DomainView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Vec<ConnectionSummary>>,
    /// Nobody can enter it, because its connection was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_gone: Option<bool>,
    /// Without a connection of its own: whether its members enter with sessions of elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_ways_allowed: Option<bool>,
}

impl OrganizationView {
    fn new(organization: &Organization) -> Self {
        Self {
            id: organization.id.to_string(),
            display_name: organization.display_name.clone(),
            external_id: organization.external_id.clone(),
            slug: organization.slug.clone(),
            logo_url: organization.logo_url.clone(),
            region: organization.region.map(Region::as_str),
            metadata: organization.metadata.clone(),
            created_at: time(organization.created_at),
            updated_at: time(organization.updated_at),
            domains: None,
            connections: None,
            connection_gone: None,
            other_ways_allowed: None,
        }
    }

    fn whole(
        organization: &Organization,
        domains: &[Domain],
        connections: &[Connection],
        closed: Option<ClosureReason>,
    ) -> Self {
        Self {
            domains: Some(domains.iter().map(DomainView::from).collect()),
            connections: Some(connections.iter().map(ConnectionSummary::from).collect()),
            connection_gone: Some(closed == Some(ClosureReason::HadConnection)),
            other_ways_allowed: Some(closed.is_none()),
            ..Self::new(organization)
        }
    }

    fn text(&self) -> String {
        let domains = self.domains.iter().flatten().map(|domain| domain.domain.clone());
        let connections = self.connections.iter().flatten().map(ConnectionSummary::line);
        let mut rows = vec![
            ("Organization", self.id.clone()),
            ("Name", self.display_name.clone()),
            ("External id", self.external_id.clone().unwrap_or_default()),
            ("Domains", domains.collect::<Vec<_>>().join(", ")),
            ("Connections", connections.collect::<Vec<_>>().join(", ")),
            ("Metadata", pairs::line(&self.metadata)),
        ];
        let closed = self.connection_gone.filter(|gone| *gone).map(|_| {
            "nobody enters: its connection was deleted (`genkan org allow-other-ways` opens it)".to_owned()
        });
        let open = self.other_ways_allowed.filter(|allowed| *allowed).map(|_| {
            "without a connection of its own, its active members enter with sessions of elsewhere".to_owned()
        });
        let own = [
            ("Closed", closed),
            ("Open", open),
            ("Slug", self.slug.clone()),
            ("Logo", self.logo_url.clone()),
            ("Region", self.region.map(str::to_owned)),
        ];
        rows.extend(own.into_iter().filter_map(|(name, text)| Some((name, text?))));
        rows.push(("Created", self.created_at.clone()));
        details(&rows)
    }
}

#[derive(Serialize)]
struct Listing {
    organizations: Vec<OrganizationView>,
    next: Option<String>,
}

pub(super) async fn run(args: &OrgArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create(args) => create(args, &instance, context).await,
        Verb::List(page) => list(page, &instance, context).await,
        Verb::Show { organization } => show(organization, &instance, context).await,
        Verb::Update(args) => update(args, &instance, context).await,
        Verb::AllowOtherWays { organization, yes } => {
            allow_other_ways(organization, *yes, &instance, context).await
        }
        Verb::Delete { organization, yes } => delete(organization, *yes, &instance, context).await,
    }
}

async fn create(args: &CreateArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let at = instance.stamp();
    let mut organization = Organization::new(at.id(), args.name.trim(), at.now);
    args.settings.apply(&mut organization);
    let domain = |name: &DomainName| {
        let kind = domain::Kind::OrganizationDomain;
        Domain::new(at.id(), organization.id.clone(), name.clone(), kind, at.now)
            .claimed_by(instance.claimant())
    };
    let domains: Vec<_> = args.domains.iter().map(domain).collect();
    instance
        .change(async |tx| {
            organization::insert(tx, at, &organization).await?;
            for domain in &domains {
                domain::insert(tx, at, domain).await?;
            }
            Ok(())
        })
        .await?;
    let view = OrganizationView::whole(&organization, &domains, &[], None);
    context.console.print(&view, || view.text())
}

async fn list(args: &PageArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let page = args.page()?;
    let organizations = instance
        .read(async |tx| organization::list(tx, &page).await)
        .await?;
    let next = args.next(&organizations, |organization| organization.id.to_string());
    let listing = Listing {
        organizations: organizations.iter().map(OrganizationView::new).collect(),
        next,
    };
    let row = |view: &OrganizationView| {
        [
            view.id.clone(),
            view.display_name.clone(),
            view.external_id.clone().unwrap_or_default(),
            view.created_at.clone(),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.organizations.iter().map(row).collect();
        table(
            ["ORGANIZATION", "NAME", "EXTERNAL ID", "CREATED"],
            &rows,
            "There are no organizations.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn show(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let organization = which::organization(instance, text).await?;
    let (domains, connections, closed) = instance
        .read(async |tx| {
            let domains = domain::list(tx, &organization.id).await?;
            let connections = connection::list_for_organization(tx, &organization.id).await?;
            let closed = other_ways::closed(tx, &organization.id).await?;
            Ok((domains, connections, closed))
        })
        .await?;
    let view = OrganizationView::whole(&organization, &domains, &connections, closed);
    context.console.print(&view, || view.text())
}

async fn update(args: &UpdateArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let mut organization = which::organization(instance, &args.organization).await?;
    if let Some(name) = &args.name {
        name.trim().clone_into(&mut organization.display_name);
    }
    args.settings.apply(&mut organization);
    let at = instance.stamp();
    instance
        .change(async |tx| organization::update(tx, at, &organization).await)
        .await?;
    show(organization.id.as_str(), instance, context).await
}

async fn allow_other_ways(
    text: &str,
    yes: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = which::organization(instance, text).await?;
    let (id, name) = (&organization.id, &organization.display_name);
    match instance.read(async |tx| other_ways::closed(tx, id).await).await? {
        Some(ClosureReason::HasConnection) => {
            return Err(
                Failure::new(format!("{name} has a connection, and is entered by that alone.")).remedy(
                    format!("`genkan org show {id}` shows it. Delete it first, if it shall be no more."),
                ),
            );
        }
        Some(ClosureReason::HadConnection) => {
            let question =
                format!("let active members of {name} ({id}) in with sessions of other organizations");
            context.console.confirm(&question, yes)?;
        }
        None => {}
    }
    let at = instance.stamp();
    let is_new = instance
        .change(async |tx| other_ways::allow(tx, at, id).await)
        .await?;
    context.console.note(if is_new {
        "Other ways are allowed from now on."
    } else {
        "Other ways were allowed already: nothing was changed."
    });
    show(id.as_str(), instance, context).await
}

async fn delete(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let organization = which::organization(instance, text).await?;
    let name = &organization.display_name;
    let question = format!(
        "delete {name} ({}) with its domains, connections and memberships, and sign its people out",
        organization.id
    );
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change_read_committed(async |tx| organization::delete(tx, at, &organization.id).await)
        .await?;
    let deleted = Deletion::new(&organization.id);
    context.console.print(&deleted, || deleted.text())
}
