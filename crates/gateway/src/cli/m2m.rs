//! `genkan m2m create|list|show|update|delete|secret`

use std::time::Duration;

use clap::{Args, Subcommand};
use genkan_protocol::oauth::Scope;
use genkan_store::client::{self, Client, ClientSecret, CustomClaim, Owner};
use genkan_store::{ClientId, Error, Secret};
use serde::Serialize;

use super::app::secret::{self, SecretView, parse_expiry};
use super::instance::{Deletion, Instance, PageArgs, parse_id};
use super::name::non_empty;
use super::output::{details, duration, table, time};
use super::{Context, Failure, which};
use crate::config::parse_duration;

const EXAMPLES: &str = "\
Examples:
  genkan m2m create --name Reports --organization acme-17 \\
      --audience https://api.example.com --scope \"reports:read reports:write\"
  genkan m2m list --organization acme-17
  genkan m2m secret add m2morg_241053847510274048012

A machine client gets tokens for itself by the client credentials grant, with
its secret. The tokens contain the organization, the audience, the scopes and
the custom claims. The management API does not accept them.

A new list replaces the old one. A single empty value clears the list.";

/// Machine clients: programs that act for an organization
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct M2mArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Register a client of an organization; its secret is shown once
    Create {
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        /// The display name
        #[arg(long)]
        name: String,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List an organization's clients, newest first
    List {
        /// The organization's identifier or external id
        #[arg(long)]
        organization: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a client and its secrets, without their values
    Show {
        /// The client id
        client: String,
    },
    /// Change a client; other settings stay
    Update {
        /// The client id
        client: String,
        /// The display name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Delete a client; its tokens become invalid
    Delete {
        /// The client id
        client: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Add or delete a secret, to replace one without an interruption
    Secret {
        #[command(subcommand)]
        verb: SecretVerb,
    },
}

#[derive(Debug, Subcommand)]
enum SecretVerb {
    /// Add a secret; its value is shown once, and other secrets stay valid
    Add {
        /// The client id
        client: String,
        /// The time after which it expires, such as 90d (default: never)
        #[arg(long, value_name = "DURATION", value_parser = parse_expiry)]
        expires_in: Option<Duration>,
    },
    /// Delete a secret; it becomes invalid at once
    Delete {
        /// The client id
        client: String,
        /// The identifier of the secret, not its value
        secret: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct SettingsArgs {
    /// A description of its purpose
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The scopes that its tokens may have, separated by blanks
    #[arg(long, value_name = "SCOPES", value_parser = parse_scope)]
    scope: Option<Scope>,
    /// An audience of its tokens; may be repeated
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// A further claim of its tokens, as KEY=VALUE; may be repeated
    #[arg(long = "custom-claim", value_name = "KEY=VALUE")]
    custom_claims: Vec<String>,
    /// The lifetime of its tokens, such as 1h, which is the default
    #[arg(long, value_name = "DURATION", value_parser = parse_lifetime)]
    access_token_lifetime: Option<Duration>,
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).map_err(|error| error.to_string())
}

fn parse_lifetime(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|lifetime| lifetime.subsec_millis() == 0)
        .ok_or_else(|| "write a whole number and a unit such as 10m or 1h, at most 30d".to_owned())
}

impl SettingsArgs {
    /// Makes the changes of the command line.
    fn apply(&self, client: &mut Client, instance: &Instance) -> Result<(), Failure> {
        if let Some(description) = &self.description {
            client.description.clone_from(description);
        }
        if let Some(scope) = &self.scope {
            client.scope.clone_from(scope);
        }
        match self.audience.as_slice() {
            [] => {}
            [single] if single.is_empty() => client.audience.clear(),
            audience => client.audience = audience.to_vec(),
        }
        match self.custom_claims.as_slice() {
            [] => {}
            [single] if single.is_empty() => client.custom_claims.clear(),
            claims => {
                let claims = claims.iter().map(|claim| parse_claim(claim));
                client.custom_claims = claims.collect::<Result<_, _>>()?;
            }
        }
        if let Some(lifetime) = self.access_token_lifetime {
            client.access_token_lifetime = Some(lifetime);
        }
        client::check(client, instance.redirect_rules())
            .map_err(|mistake| Failure::usage(format!("This cannot be registered: {mistake}.")))
    }
}

fn parse_claim(text: &str) -> Result<CustomClaim, Failure> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("\"{text}\" is not KEY=VALUE.")))?;
    Ok(CustomClaim {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

#[derive(Serialize)]
struct ClientView {
    id: String,
    organization_id: Option<String>,
    resource_id: Option<String>,
    name: String,
    description: String,
    scopes: Vec<String>,
    audience: Vec<String>,
    custom_claims: Vec<CustomClaim>,
    /// In seconds.
    access_token_lifetime: Option<u64>,
    created_at: String,
    updated_at: String,
    /// The value of a new secret. It is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<Vec<SecretView>>,
}

impl ClientView {
    fn new(client: &Client) -> Self {
        let (organization_id, resource_id) = match &client.owner {
            Owner::Organization(id) => (Some(id.to_string()), None),
            Owner::Resource(id) => (None, Some(id.to_string())),
            Owner::Environment => (None, None),
        };
        Self {
            id: client.id.to_string(),
            organization_id,
            resource_id,
            name: client.name.clone(),
            description: client.description.clone(),
            scopes: client.scope.as_slice().to_vec(),
            audience: client.audience.clone(),
            custom_claims: client.custom_claims.clone(),
            access_token_lifetime: client.access_token_lifetime.map(|lifetime| lifetime.as_secs()),
            created_at: time(client.created_at),
            updated_at: time(client.updated_at),
            secret: None,
            secrets: None,
        }
    }

    fn with_secrets(client: &Client, secrets: &[ClientSecret]) -> Self {
        Self {
            secrets: Some(secrets.iter().map(SecretView::from).collect()),
            ..Self::new(client)
        }
    }

    fn text(&self) -> String {
        let owner = match (&self.organization_id, &self.resource_id) {
            (Some(id), _) => ("Organization", id.clone()),
            (None, id) => ("Resource", id.clone().unwrap_or_default()),
        };
        let claims: Vec<_> = self
            .custom_claims
            .iter()
            .map(|claim| format!("{}={}", claim.key, claim.value))
            .collect();
        let lifetime = self
            .access_token_lifetime
            .map(|secs| duration(Duration::from_secs(secs)));
        let mut rows = vec![
            ("Client", self.id.clone()),
            owner,
            ("Name", self.name.clone()),
            ("Description", self.description.clone()),
            ("Scopes", self.scopes.join(" ")),
            ("Audience", self.audience.join(" ")),
            ("Custom claims", claims.join(" ")),
            (
                "Access tokens live",
                lifetime.unwrap_or_else(|| "as its resource says".to_owned()),
            ),
        ];
        rows.extend(
            self.secrets
                .iter()
                .flatten()
                .map(|secret| ("Secret", secret.line())),
        );
        if let Some(secret) = &self.secret {
            rows.push(("New secret", secret.clone()));
        }
        details(&rows)
    }
}

#[derive(Serialize)]
struct Listing {
    clients: Vec<ClientView>,
    next: Option<String>,
}

pub(super) async fn run(args: &M2mArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = &context.open().await?;
    match &args.verb {
        Verb::Create {
            organization,
            name,
            settings,
        } => create((organization, name), settings, instance, context).await,
        Verb::List { organization, page } => list(organization, page, instance, context).await,
        Verb::Show { client } => {
            let (client, secrets) = find(instance, client).await?;
            let view = ClientView::with_secrets(&client, &secrets);
            context.console.print(&view, || view.text())
        }
        Verb::Update {
            client,
            name,
            settings,
        } => update((client, name.as_deref()), settings, instance, context).await,
        Verb::Delete { client, yes } => delete(client, *yes, instance, context).await,
        Verb::Secret { verb } => match verb {
            SecretVerb::Add { client, expires_in } => {
                let (client, _) = find(instance, client).await?;
                secret::add(&client, *expires_in, instance, context).await
            }
            SecretVerb::Delete { client, secret, yes } => {
                let named = find(instance, client).await?;
                secret::delete(&named, secret, *yes, instance, context).await
            }
        },
    }
}

async fn create(
    (organization, name): (&str, &str),
    settings: &SettingsArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = which::organization(instance, organization).await?;
    let (at, owner) = (instance.stamp(), Owner::Organization(organization.id));
    let id = at.ids.next_with_prefix(owner.machine_prefix(), at.now);
    let mut client = Client::machine(id, non_empty("--name", name)?, owner, at.now);
    settings.apply(&mut client, instance)?;
    let secret = Secret::generate_with_prefix(instance.secret_prefix());
    let row = ClientSecret::new(at, &client.id, &secret, None);
    instance
        .change(async |tx| {
            client::insert(tx, at, &client).await?;
            client::add_secret(tx, at, &row).await
        })
        .await?;
    let view = ClientView {
        secret: Some(secret.expose().to_owned()),
        ..ClientView::new(&client)
    };
    context.console.print(&view, || view.text())?;
    context
        .console
        .note("Keep the secret now: it is not shown again.");
    Ok(())
}

async fn list(
    organization: &str,
    args: &PageArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let owner = Owner::Organization(which::organization(instance, organization).await?.id);
    let page = args.page()?;
    let clients = instance
        .read(async |tx| client::list_owned(tx, &owner, &page).await)
        .await?;
    let next = args.next(&clients, |client| client.id.to_string());
    let listing = Listing {
        clients: clients.iter().map(ClientView::new).collect(),
        next,
    };
    let row = |view: &ClientView| [view.id.clone(), view.name.clone(), view.scopes.join(" ")];
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.clients.iter().map(row).collect();
        table(
            ["CLIENT", "NAME", "SCOPES"],
            &rows,
            "The organization has no machine clients.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn update(
    (client, name): (&str, Option<&str>),
    settings: &SettingsArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let (mut client, secrets) = find(instance, client).await?;
    if let Some(name) = name {
        client.name = non_empty("--name", name)?;
    }
    settings.apply(&mut client, instance)?;
    let at = instance.stamp();
    let updated = instance
        .change(async |tx| {
            client::update(tx, at, &client).await?;
            client::find(tx, &client.id).await?.ok_or(Error::Stale)
        })
        .await?;
    let view = ClientView::with_secrets(&updated, &secrets);
    context.console.print(&view, || view.text())
}

async fn delete(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let (client, _) = find(instance, text).await?;
    let question = format!("delete {} ({}) and end its tokens", client.name, client.id);
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| client::delete(tx, at, &client.id).await)
        .await?;
    let deleted = Deletion::new(&client.id);
    context.console.print(&deleted, || deleted.text())
}

/// The machine client that the command line names, with its secrets.
async fn find(instance: &Instance, text: &str) -> Result<(Client, Vec<ClientSecret>), Failure> {
    let id: ClientId = parse_id(text)?;
    let found = instance
        .read(async |tx| client::find_with_secrets(tx, &id).await)
        .await?;
    found.filter(|(client, _)| client.is_machine()).ok_or_else(|| {
        Failure::not_found(format!("There is no machine client {id}."))
            .remedy("`genkan m2m list --organization …` shows those of an organization.")
    })
}
