//! `genkan connection create|list|show|update|enable|disable|test|relink|delete`

mod claims;
mod create;
mod doubt;
mod relink;
mod saml;
mod secret;
mod test;
mod update;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use genkan_store::connection::{
    self, Connection, EmailTrust, Enabling, OidcSettings, RolesFrom, SamlSettings, Settings, hosted_domain,
};
use genkan_store::{ConnectionId, session};
use serde::Serialize;

use self::create::CreateArgs;
use self::relink::RelinkArgs;
use self::test::TestArgs;
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
  genkan connection create --saml --organization acme-17 --provider adfs \\
      --saml-metadata-file FederationMetadata.xml --disabled
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
    Update(Box<UpdateArgs>),
    /// Let people sign in through it
    Enable {
        /// Its identifier
        connection: String,
    },
    /// Stop people from signing in through it; sessions stay, unless told otherwise
    Disable {
        /// Its identifier
        connection: String,
        /// End the sessions that began there too: everybody who came through it signs in again
        #[arg(long)]
        end_sessions: bool,
    },
    /// Make a link that tries a sign-in through it, even while it is disabled, and wait for the result
    Test(TestArgs),
    /// Let people come with another subject at the provider, each once within seven days
    ///
    /// Whoever has an address that somebody else is known by is refused, because addresses lapse and are
    /// given to others. If the provider has renumbered its people, this lets them in: the new subject takes
    /// the place of the one before.
    Relink(RelinkArgs),
    /// Delete a connection and what it knew of people, and end what began there; users stay
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
    has_client_secret: bool,
    status: &'static str,
    /// What must be entered before it can be enabled.
    missing: Vec<&'static str>,
    /// The domains that it signs in were chosen; otherwise all of its organization's.
    assigned_domains_only: bool,
    /// Whether the claim hd is checked; nothing unless the provider is Google.
    #[serde(skip)]
    checks_hosted_domain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<&'a OidcSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saml: Option<&'a SamlSettings>,
    created_at: String,
    updated_at: String,
}

impl<'a> ConnectionView<'a> {
    fn new(connection: &'a Connection, public_url: &PublicUrl) -> Self {
        let (oidc, saml) = match &connection.settings {
            Settings::Oidc(settings) => (Some(settings), None),
            Settings::Saml(settings) => (None, Some(settings)),
        };
        let protocol = if saml.is_some() { "saml" } else { "oidc" };
        Self {
            summary: connection.into(),
            jit_provisioning: connection.jit_provisioning,
            sync_profile: connection.sync_profile,
            redirect_uri: public_url.join(&format!("/sso/v1/{protocol}/{}/callback", connection.id)),
            has_client_secret: connection.client_secret_sealed.is_some(),
            status: connection.status().as_str(),
            missing: connection.missing(),
            assigned_domains_only: connection.assigned_domains_only,
            checks_hosted_domain: hosted_domain::applies(connection)
                .then(|| hosted_domain::is_on(connection)),
            oidc,
            saml,
            created_at: time(connection.created_at),
            updated_at: time(connection.updated_at),
        }
    }

    fn text(&self) -> String {
        let summary = &self.summary;
        let mut rows = vec![
            ("Connection", summary.id.clone()),
            ("Name", summary.name.clone()),
            ("Organization", optional(&summary.organization_id)),
            ("Type", summary.r#type.to_owned()),
            ("Provider", summary.provider.to_owned()),
            ("Enabled", yes_no(summary.enabled)),
            ("Status", self.status.to_owned()),
        ];
        if !self.missing.is_empty() {
            rows.push(("Missing", self.missing.join(", ")));
        }
        rows.extend(self.oidc.map(|oidc| self.oidc_rows(oidc)).unwrap_or_default());
        rows.extend(self.saml.map(saml_rows).unwrap_or_default());
        rows.push(("Creates users", yes_no(self.jit_provisioning)));
        rows.push(("Updates profiles", yes_no(self.sync_profile)));
        let address = if self.saml.is_some() {
            "Assertion URL"
        } else {
            "Redirect URI"
        };
        rows.push((address, self.redirect_uri.clone()));
        details(&rows)
    }

    fn oidc_rows(&self, oidc: &OidcSettings) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("Issuer", oidc.issuer.clone()),
            ("Client id", oidc.client_id.clone()),
            (
                "Client secret",
                if self.has_client_secret { "sealed" } else { "none" }.to_owned(),
            ),
            ("Token endpoint auth", oidc.token_auth_type.as_str().to_owned()),
            ("PKCE", yes_no(oidc.pkce_enabled)),
            ("Pushed requests", yes_no(oidc.push_requests)),
            ("Scopes", oidc.scopes.join(" ")),
            ("Attributes", pairs(&oidc.attribute_mapping)),
            ("Groups claim", oidc.groups_from().unwrap_or("none").to_owned()),
            (
                "Roles claim",
                match oidc.roles_from() {
                    RolesFrom::Named(claim) => claim.to_owned(),
                    RolesFrom::Unnamed(_) => "none, and what one gave is taken back".to_owned(),
                    RolesFrom::Nowhere => "none".to_owned(),
                },
            ),
            (
                "E-mail addresses",
                match oidc.email_trust() {
                    EmailTrust::Verified => "verified ones only",
                    EmailTrust::NotDoubted => "unless marked as unverified",
                    EmailTrust::Any => "all, also unverified ones",
                }
                .to_owned(),
            ),
        ];
        if let Some(checked) = self.checks_hosted_domain {
            rows.push(("Checks hd", yes_no(checked)));
        }
        let endpoints = [
            ("Discovery", &oidc.discovery_endpoint),
            ("Authorization", &oidc.authorize_uri),
            ("Token", &oidc.token_uri),
            ("User info", &oidc.user_info_uri),
            ("Keys", &oidc.jwks_uri),
        ];
        let written = |(name, uri): (&'static str, &Option<String>)| uri.clone().map(|uri| (name, uri));
        rows.extend(endpoints.into_iter().filter_map(written));
        rows
    }
}

fn saml_rows(saml: &SamlSettings) -> Vec<(&'static str, String)> {
    let certificates = saml
        .certificates
        .iter()
        .map(|certificate| format!("{}, until {}", certificate.issuer, time(certificate.expires_at)));
    vec![
        ("Metadata URL", optional(&saml.idp_metadata_url)),
        ("Entity id", optional(&saml.idp_entity_id)),
        ("Sign-on URL", optional(&saml.idp_sso_url)),
        ("Logout URL", optional(&saml.idp_slo_url)),
        ("Certificates", certificates.collect::<Vec<_>>().join("; ")),
        ("Name id", saml.name_id_format.as_str().to_owned()),
        ("Signatures", saml.signing.as_str().to_owned()),
        ("Signs requests", yes_no(saml.want_request_signed)),
        ("Attributes", pairs(&saml.attribute_mapping)),
    ]
}

fn optional(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

fn pairs(mapping: &BTreeMap<String, String>) -> String {
    let pairs = mapping.iter().map(|(ours, theirs)| format!("{ours}={theirs}"));
    pairs.collect::<Vec<_>>().join(", ")
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
        Verb::Enable { connection } => enable(connection, &instance, context).await,
        Verb::Disable {
            connection,
            end_sessions,
        } => disable(connection, *end_sessions, &instance, context).await,
        Verb::Test(args) => test::run(args, &instance, context).await,
        Verb::Relink(args) => relink::run(args, &instance, context).await,
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

async fn enable(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let connection = find(instance, text).await?;
    let at = instance.stamp();
    let enabling = instance
        .change(async |tx| connection::enable(tx, at, &connection.id).await)
        .await?;
    match enabling {
        Enabling::Enabled => {}
        Enabling::Unknown => return Err(unknown(&connection.id)),
        Enabling::Unfit(mistake) => {
            return Err(Failure::new(format!("{} {}.", mistake.field, mistake.what)));
        }
        Enabling::Incomplete(missing) => {
            return Err(Failure::new(format!(
                "The connection is not complete: {} missing.",
                missing.join(", ")
            ))
            .remedy(format!(
                "`genkan connection update {}` enters them.",
                connection.id
            )));
        }
    }
    let summary = ConnectionSummary {
        enabled: true,
        ..(&connection).into()
    };
    context
        .console
        .print(&summary, || format!("{} is enabled.\n", summary.id))
}

async fn disable(
    text: &str,
    end_sessions: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let connection = find(instance, text).await?;
    let at = instance.stamp();
    let ended = instance
        .change(async |tx| {
            connection::disable(tx, at, &connection.id).await?;
            match end_sessions {
                true => session::end_all_for_connection(tx, at, &connection.id).await,
                false => Ok(0),
            }
        })
        .await?;
    let summary = ConnectionSummary {
        enabled: false,
        ..(&connection).into()
    };
    context
        .console
        .print(&summary, || format!("{} is disabled.\n", summary.id))?;
    if end_sessions {
        context
            .console
            .note(&format!("{ended} sessions have ended there."));
    }
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
    found.ok_or_else(|| unknown(&id))
}

fn unknown(id: &ConnectionId) -> Failure {
    Failure::not_found(format!("There is no connection {id}."))
        .remedy("`genkan connection list` shows those there are.")
}
