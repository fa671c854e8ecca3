//! `genkan connection create|list|show|update|enable|disable|test|relink|certificates|delete`

mod certificates;
mod claims;
mod create;
mod doubt;
mod metadata;
mod names;
mod oidc;
mod relink;
mod saml;
mod secret;
mod settings;
mod test;
mod update;
mod view;
mod words;

use clap::{Args, Subcommand};
use genkan_store::connection::{self, Change, ChangeEffect, Connection, EnableOutcome};
use genkan_store::environment::Kind;
use genkan_store::{ConnectionId, Stamp, session};
use serde::Serialize;

use self::certificates::CertificatesArgs;
use self::create::CreateArgs;
use self::relink::RelinkArgs;
use self::test::TestArgs;
use self::update::UpdateArgs;
pub(super) use self::view::ConnectionSummary;
use self::view::ConnectionView;
use super::instance::{Deletion, Instance, PageArgs, parse_id};
use super::output::{table, yes_no};
use super::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan connection create --oidc --organization acme-17 --provider okta \\
      --issuer https://acme.okta.com --client-id 0oa1b2c3 \\
      --client-secret-file okta.secret
  genkan connection create --saml --organization acme-17 --provider adfs \\
      --saml-metadata-file FederationMetadata.xml --disabled
  genkan connection show conn_241053847510274048012
  genkan connection certificates list conn_241053847510274048012
  genkan connection test conn_241053847510274048012
  genkan connection disable conn_241053847510274048012

By OpenID Connect: register Genkan at the identity provider as a web
application, which gives a client id and a secret. Create the connection with
them, and enter the redirect URI that it prints at the provider.

By SAML: create the connection with the provider's metadata, and enter the
addresses that it prints at the provider, or have it read our metadata.

Then try it.";

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
    Certificates(CertificatesArgs),
    /// Delete a connection and what it knew of people, and end what began there; users stay
    Delete {
        /// Its identifier
        connection: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
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
        Verb::Certificates(args) => certificates::run(args, &instance, context).await,
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
            let organization = which::organization(instance, text).await?;
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
        EnableOutcome::Enabled => {}
        EnableOutcome::Unknown => return Err(unknown(&connection.id)),
        EnableOutcome::Unfit(mistake) => {
            return Err(Failure::new(settings::sentence(connection.kind(), &mistake)));
        }
        EnableOutcome::Incomplete(missing) => {
            return Err(
                Failure::new(settings::incomplete(connection.kind(), &missing)).remedy(format!(
                    "`genkan connection update {}` enters them.",
                    connection.id
                )),
            );
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
        .change_read_committed(async |tx| {
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
        .change_read_committed(async |tx| connection::delete(tx, at, &connection.id).await)
        .await?;
    let deleted = Deletion::new(&connection.id);
    context.console.print(&deleted, || deleted.text())
}

/// Makes a change, by the same rules as the API.
fn apply(
    connection: &mut Connection,
    change: &Change<'_>,
    at: Stamp<'_>,
    instance: &Instance,
) -> Result<ChangeEffect, Failure> {
    let http_allowed = instance.environment.kind == Kind::Development;
    let kind = connection.kind();
    connection::apply(connection, change, at, http_allowed).map_err(|why| settings::refused(kind, why))
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
