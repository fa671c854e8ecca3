//! `genkan app create|list|show|update|delete|secret|doctor`

mod doctor;
pub(super) mod secret;
mod settings;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use genkan_store::client::{self, Client, ClientSecret, Kind};
use genkan_store::{ClientId, Error, Secret, environment};
use serde::Serialize;

use self::secret::{SecretArgs, SecretView};
use self::settings::SettingsArgs;
use super::instance::{Deletion, Instance, PageArgs, parse_id};
use super::name::non_empty;
use super::output::{details, duration, table, time, yes_no};
use super::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan app create --name Portal \\
      --redirect-uri https://app.example.com/callback \\
      --post-logout-redirect-uri https://app.example.com
  genkan app create --name \"Mobile app\" --type native \\
      --redirect-uri com.example.app:/callback
  genkan app update webc_241053847510274048012 --strict-refresh
  genkan app secret add webc_241053847510274048012
  genkan app doctor webc_241053847510274048012

A web application gets a secret, which is shown once. Single-page and native
applications have no secret and use PKCE.

A new list of URIs replaces the old one. A single empty value clears the list.
=false turns a switch off.";

/// Applications: the clients that sign people in through Genkan
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AppArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Register an application
    Create(CreateArgs),
    /// List applications, newest first
    List(PageArgs),
    /// Show an application and its secrets, without their values
    Show {
        /// The client id of the application
        app: String,
    },
    /// Change an application; other settings stay
    Update(UpdateArgs),
    /// Delete an application; its tokens become invalid
    Delete {
        /// The client id of the application
        app: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Add or delete a secret, to replace one without an interruption
    Secret(SecretArgs),
    /// Show what was refused recently, and how to correct it
    Doctor {
        /// The client id of the application
        app: String,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The display name
    #[arg(long)]
    name: String,
    /// The place where it runs
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = AppType::Web)]
    kind: AppType,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct UpdateArgs {
    /// The client id of the application
    app: String,
    /// The display name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AppType {
    /// On a server, which can keep a secret
    Web,
    /// In a browser
    Spa,
    /// On a person's device: mobile, desktop, command line
    Native,
}

impl From<AppType> for Kind {
    fn from(kind: AppType) -> Self {
        match kind {
            AppType::Web => Self::WebApp,
            AppType::Spa => Self::Spa,
            AppType::Native => Self::Native,
        }
    }
}

#[derive(Serialize)]
struct AppView {
    id: String,
    name: String,
    /// `WEB_APP`, `SPA` or `NTV`.
    r#type: &'static str,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    back_channel_logout_uris: Vec<String>,
    initiate_login_uri: Option<String>,
    any_loopback_redirect: bool,
    enforce_pkce: bool,
    secret_optional_with_pkce: bool,
    strict_refresh_rotation: bool,
    profile_in_access_token: bool,
    management_access: bool,
    introspect_all: bool,
    token_algorithm: String,
    /// In seconds. If null, the environment's.
    access_token_lifetime: Option<u64>,
    created_at: String,
    updated_at: String,
    /// The value of a new secret. It is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<Vec<SecretView>>,
}

impl AppView {
    fn new(client: &Client) -> Self {
        Self {
            id: client.id.to_string(),
            name: client.name.clone(),
            r#type: client.kind.as_str(),
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
            back_channel_logout_uris: client.back_channel_logout_uris.clone(),
            initiate_login_uri: client.initiate_login_uri.clone(),
            any_loopback_redirect: client.any_loopback_redirect,
            enforce_pkce: client.requires_pkce(),
            secret_optional_with_pkce: client.secret_optional_with_pkce,
            strict_refresh_rotation: client.strict_refresh_rotation,
            profile_in_access_token: client.profile_in_access_token,
            management_access: client.management_access,
            introspect_all: client.introspect_all,
            token_algorithm: client.token_algorithm.to_string(),
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
        let lifetime = self
            .access_token_lifetime
            .map(|secs| duration(Duration::from_secs(secs)));
        let mut rows = vec![
            ("Application", self.id.clone()),
            ("Name", self.name.clone()),
            ("Type", self.r#type.to_owned()),
            ("Redirect URIs", self.redirect_uris.join(" ")),
            ("Post-logout URIs", self.post_logout_redirect_uris.join(" ")),
            ("Back-channel logout", self.back_channel_logout_uris.join(" ")),
            (
                "Initiate login URI",
                self.initiate_login_uri.clone().unwrap_or_default(),
            ),
            ("Any loopback URI", yes_no(self.any_loopback_redirect)),
            ("PKCE enforced", yes_no(self.enforce_pkce)),
            ("Secret optional", yes_no(self.secret_optional_with_pkce)),
            ("Strict refresh", yes_no(self.strict_refresh_rotation)),
            ("Profile in tokens", yes_no(self.profile_in_access_token)),
            ("Management access", yes_no(self.management_access)),
            ("Introspects all", yes_no(self.introspect_all)),
            ("Signed with", self.token_algorithm.clone()),
            (
                "Access tokens live",
                lifetime.unwrap_or_else(|| "as configured".to_owned()),
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
    applications: Vec<AppView>,
    next: Option<String>,
}

pub(super) async fn run(args: &AppArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create(args) => create(args, &instance, context).await,
        Verb::List(page) => list(page, &instance, context).await,
        Verb::Show { app } => show(app, &instance, context).await,
        Verb::Update(args) => update(args, &instance, context).await,
        Verb::Delete { app, yes } => delete(app, *yes, &instance, context).await,
        Verb::Secret(args) => secret::run(args, &instance, context).await,
        Verb::Doctor { app } => doctor::run(app, &instance, context).await,
    }
}

async fn create(args: &CreateArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let (at, kind) = (instance.stamp(), Kind::from(args.kind));
    let id = at.ids.next_with_prefix(kind.id_prefix(), at.now);
    let mut client = Client::new(id, non_empty("--name", &args.name)?, kind, at.now);
    // In development applications use any port.
    client.any_loopback_redirect = instance.environment.kind == environment::Kind::Development;
    args.settings.apply(&mut client, instance)?;
    let secret = (!client.is_public()).then(|| Secret::generate_with_prefix(instance.secret_prefix()));
    let row = secret
        .as_ref()
        .map(|secret| ClientSecret::new(at, &client.id, secret, None));
    instance
        .change(async |tx| {
            client::insert(tx, at, &client).await?;
            match &row {
                Some(row) => client::add_secret(tx, at, row).await,
                None => Ok(()),
            }
        })
        .await?;
    let view = AppView {
        secret: secret.as_ref().map(|secret| secret.expose().to_owned()),
        ..AppView::new(&client)
    };
    context.console.print(&view, || view.text())?;
    if view.secret.is_some() {
        context
            .console
            .note("Keep the secret now: it is not shown again.");
    }
    Ok(())
}

async fn list(args: &PageArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let page = args.page()?;
    let clients = instance.read(async |tx| client::list(tx, &page).await).await?;
    let next = args.next(&clients, |client| client.id.to_string());
    let listing = Listing {
        applications: clients.iter().map(AppView::new).collect(),
        next,
    };
    let row = |view: &AppView| {
        let uris = match view.redirect_uris.as_slice() {
            [] => String::new(),
            [single] => single.clone(),
            [first, more @ ..] => format!("{first} +{}", more.len()),
        };
        [view.id.clone(), view.name.clone(), view.r#type.to_owned(), uris]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.applications.iter().map(row).collect();
        table(
            ["APPLICATION", "NAME", "TYPE", "REDIRECT URIS"],
            &rows,
            "There are no applications.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn show(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let (client, secrets) = find(instance, text).await?;
    let view = AppView::with_secrets(&client, &secrets);
    context.console.print(&view, || view.text())
}

async fn update(args: &UpdateArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let (mut client, secrets) = find(instance, &args.app).await?;
    if let Some(name) = &args.name {
        client.name = non_empty("--name", name)?;
    }
    args.settings.apply(&mut client, instance)?;
    let at = instance.stamp();
    let updated = instance
        .change(async |tx| {
            client::update(tx, at, &client).await?;
            client::find(tx, &client.id).await?.ok_or(Error::Stale)
        })
        .await?;
    let view = AppView::with_secrets(&updated, &secrets);
    context.console.print(&view, || view.text())
}

async fn delete(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let (client, _) = find(instance, text).await?;
    if client.is_default() {
        return Err(Failure::new(
            "The default application belongs to the environment and cannot be deleted.",
        )
        .remedy("Take its redirect URIs away: genkan app update … --redirect-uri \"\""));
    }
    let question = format!("delete {} ({}) and end its tokens", client.name, client.id);
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| client::delete(tx, at, &client.id).await)
        .await?;
    let deleted = Deletion::new(&client.id);
    context.console.print(&deleted, || deleted.text())
}

/// The application that the command line names, with its secrets.
async fn find(instance: &Instance, text: &str) -> Result<(Client, Vec<ClientSecret>), Failure> {
    let id: ClientId = parse_id(text)?;
    let found = instance
        .read(async |tx| client::find_with_secrets(tx, &id).await)
        .await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no application {id}."))
            .remedy("`genkan app list` shows those there are.")
    })
}
