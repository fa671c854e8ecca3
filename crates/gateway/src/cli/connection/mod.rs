//! `genkan connection create|list|show|update|enable|disable|test|delete`

mod create;
mod secret;
mod update;

use clap::{Args, Subcommand};
use genkan_store::ConnectionId;
use genkan_store::connection::{self, Connection, OidcSettings, Settings};
use serde::Serialize;

use self::create::CreateArgs;
use self::update::UpdateArgs;
use super::instance::{Deleted, Instance, PageArgs, parse_id};
use super::output::{details, table, time, yes_no};
use super::{Context, Failure, org};
use crate::config::PublicUrl;

const EXAMPLES: &str = "\
Examples:
  genkan connection create --oidc --organization acme-17 --provider okta \\
      --issuer https://acme.okta.com --client-id 0oa1b2c3 \\
      --client-secret-file okta.secret
  genkan connection test conn_241053847510274048012
  genkan connection disable conn_241053847510274048012

Register Genkan at the identity provider as a web application: it gives a
client id and a secret. Create the connection with them, enter the redirect URI
that it prints at the provider, and try it.";

/// Connections: an organization's way to its identity provider
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConnectionArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Connect an organization to its identity provider
    Create(Box<CreateArgs>),
    /// List connections, newest first
    List {
        /// Only those of this organization, by identifier or external id
        #[arg(long)]
        organization: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a connection, without its secret
    Show {
        /// Its identifier
        connection: String,
    },
    /// Change a connection; what is not named stays
    Update(UpdateArgs),
    /// Let people sign in through it
    Enable {
        /// Its identifier
        connection: String,
    },
    /// Stop people from signing in through it; sessions stay
    Disable {
        /// Its identifier
        connection: String,
    },
    /// Print the address where a sign-in through it can be tried, even while it is disabled
    Test {
        /// Its identifier
        connection: String,
    },
    /// Delete a connection and what it knew of people; users and sessions stay
    Delete {
        /// Its identifier
        connection: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What an organization shows of a connection.
#[derive(Serialize)]
pub(super) struct ConnectionSummary {
    id: String,
    organization_id: Option<String>,
    r#type: &'static str,
    provider: &'static str,
    name: String,
    enabled: bool,
}

impl From<&Connection> for ConnectionSummary {
    fn from(connection: &Connection) -> Self {
        Self {
            id: connection.id.to_string(),
            organization_id: connection.organization_id.as_ref().map(ToString::to_string),
            r#type: connection.kind().as_str(),
            provider: connection.provider.as_str(),
            name: connection.name.clone(),
            enabled: connection.enabled,
        }
    }
}

impl ConnectionSummary {
    pub(super) fn line(&self) -> String {
        format!(
            "{} ({}{})",
            self.id,
            self.name,
            if self.enabled { "" } else { ", disabled" }
        )
    }
}

#[derive(Serialize)]
struct ConnectionView<'a> {
    #[serde(flatten)]
    summary: ConnectionSummary,
    jit_provisioning: bool,
    sync_profile: bool,
    /// The address to register at the identity provider.
    redirect_uri: String,
    /// Where a sign-in can be tried.
    test_uri: String,
    has_client_secret: bool,
    oidc: &'a OidcSettings,
    created_at: String,
    updated_at: String,
}

impl<'a> ConnectionView<'a> {
    fn new(connection: &'a Connection, public_url: &PublicUrl) -> Self {
        let Settings::Oidc(oidc) = &connection.settings;
        Self {
            summary: connection.into(),
            jit_provisioning: connection.jit_provisioning,
            sync_profile: connection.sync_profile,
            redirect_uri: public_url.join(&format!("/sso/v1/oidc/{}/callback", connection.id)),
            test_uri: public_url.join(&format!("/sso/v1/oidc/{}/test", connection.id)),
            has_client_secret: connection.client_secret_sealed.is_some(),
            oidc,
            created_at: time(connection.created_at),
            updated_at: time(connection.updated_at),
        }
    }

    fn text(&self) -> String {
        let Self { summary, oidc, .. } = self;
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let mapping = oidc
            .attribute_mapping
            .iter()
            .map(|(ours, theirs)| format!("{ours}={theirs}"));
        let mut rows = vec![
            ("Connection", summary.id.clone()),
            ("Name", summary.name.clone()),
            ("Organization", optional(&summary.organization_id)),
            ("Provider", summary.provider.to_owned()),
            ("Enabled", yes_no(summary.enabled)),
            ("Issuer", oidc.issuer.clone()),
            ("Client id", oidc.client_id.clone()),
            (
                "Client secret",
                if self.has_client_secret { "sealed" } else { "none" }.to_owned(),
            ),
            ("Token endpoint auth", oidc.token_auth_type.as_str().to_owned()),
            ("PKCE", yes_no(oidc.pkce_enabled)),
            ("Scopes", oidc.scopes.join(" ")),
            ("Attributes", mapping.collect::<Vec<_>>().join(", ")),
            ("Groups claim", optional(&oidc.groups_claim)),
            ("Roles claim", optional(&oidc.roles_claim)),
            ("Creates users", yes_no(self.jit_provisioning)),
            ("Updates profiles", yes_no(self.sync_profile)),
        ];
        let endpoints = [
            ("Discovery", &oidc.discovery_endpoint),
            ("Authorization", &oidc.authorize_uri),
            ("Token", &oidc.token_uri),
            ("User info", &oidc.user_info_uri),
            ("Keys", &oidc.jwks_uri),
        ];
        let written = |(name, uri): (&'static str, &Option<String>)| uri.clone().map(|uri| (name, uri));
        rows.extend(endpoints.into_iter().filter_map(written));
        rows.push(("Redirect URI", self.redirect_uri.clone()));
        rows.push(("Try it at", self.test_uri.clone()));
        details(&rows)
    }
}

#[derive(Serialize)]
struct Listing {
    connections: Vec<ConnectionSummary>,
    next: Option<String>,
}

pub(super) async fn run(args: &ConnectionArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create(args) => create::run(args, &instance, context).await,
        Verb::List { organization, page } => list(organization.as_deref(), page, &instance, context).await,
        Verb::Show { connection } => show(connection, &instance, context).await,
        Verb::Update(args) => update::run(args, &instance, context).await,
        Verb::Enable { connection } => set_enabled(connection, true, &instance, context).await,
        Verb::Disable { connection } => set_enabled(connection, false, &instance, context).await,
        Verb::Test { connection } => test(connection, &instance, context).await,
        Verb::Delete { connection, yes } => delete(connection, *yes, &instance, context).await,
    }
}

async fn list(
    organization: Option<&str>,
    args: &PageArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let (connections, next) = match organization {
        Some(text) => {
            let organization = org::find(instance, text).await?;
            let list = async |tx: &mut genkan_db::Tx<'_>| {
                connection::list_for_organization(tx, &organization.id).await
            };
            (instance.read(list).await?, None)
        }
        None => {
            let page = args.page()?;
            let connections = instance
                .read(async |tx| connection::list(tx, &page).await)
                .await?;
            let next = args.next(&connections, |connection| connection.id.to_string());
            (connections, next)
        }
    };
    let listing = Listing {
        connections: connections.iter().map(ConnectionSummary::from).collect(),
        next,
    };
    let row = |view: &ConnectionSummary| {
        let organization = view.organization_id.clone().unwrap_or_default();
        [
            view.id.clone(),
            view.name.clone(),
            view.provider.to_owned(),
            organization,
            yes_no(view.enabled),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.connections.iter().map(row).collect();
        table(
            ["CONNECTION", "NAME", "PROVIDER", "ORGANIZATION", "ENABLED"],
            &rows,
            "There are no connections.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn show(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let connection = find(instance, text).await?;
    let view = ConnectionView::new(&connection, &instance.config.public_url);
    context.console.print(&view, || view.text())
}

async fn set_enabled(
    text: &str,
    enabled: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let connection = find(instance, text).await?;
    let at = instance.stamp();
    instance
        .change(async |tx| connection::set_enabled(tx, at, &connection.id, enabled).await)
        .await?;
    let summary = ConnectionSummary {
        enabled,
        ..(&connection).into()
    };
    let word = if enabled { "enabled" } else { "disabled" };
    context
        .console
        .print(&summary, || format!("{} is {word}.\n", summary.id))
}

#[derive(Serialize)]
struct Test {
    id: String,
    test_uri: String,
}

async fn test(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let connection = find(instance, text).await?;
    let view = ConnectionView::new(&connection, &instance.config.public_url);
    let test = Test {
        id: view.summary.id,
        test_uri: view.test_uri,
    };
    context.console.print(&test, || format!("{}\n", test.test_uri))?;
    context
        .console
        .note("Open it in a browser and sign in; the page shows each check and what arrived.");
    Ok(())
}

async fn delete(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let connection = find(instance, text).await?;
    context.console.confirm(
        &format!("delete the connection {} ({})", connection.name, connection.id),
        yes,
    )?;
    let at = instance.stamp();
    instance
        .change(async |tx| connection::delete(tx, at, &connection.id).await)
        .await?;
    let deleted = Deleted::new(&connection.id);
    context.console.print(&deleted, || deleted.text())
}

/// The connection that the command line names.
async fn find(instance: &Instance, text: &str) -> Result<Connection, Failure> {
    let id: ConnectionId = parse_id(text)?;
    let found = instance.read(async |tx| connection::find(tx, &id).await).await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no connection {id}."))
            .remedy("`genkan connection list` shows those there are.")
    })
}
