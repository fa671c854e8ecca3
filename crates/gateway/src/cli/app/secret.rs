//! `genkan app secret add|delete`

use std::time::Duration;

use clap::{Args, Subcommand};
use genkan_store::client::{self, Client, ClientSecret};
use genkan_store::{Secret, SecretId};
use serde::Serialize;

use super::find;
use crate::cli::instance::{Deletion, Instance, parse_id};
use crate::cli::output::{details, time};
use crate::cli::{Context, Failure};
use crate::config::parse_duration;

const EXAMPLES: &str = "\
To replace a secret without an interruption, add a new one, give it to the
application, and delete the old one.

  genkan app secret add webc_241053847510274048012
  genkan app show webc_241053847510274048012
  genkan app secret delete webc_241053847510274048012 sks_241053847510274048016";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a secret; its value is shown once, and other secrets stay valid
    Add {
        /// The client id of the application
        app: String,
        /// The time after which it expires, such as 90d (default: never)
        #[arg(long, value_name = "DURATION", value_parser = parse_expiry)]
        expires_in: Option<Duration>,
    },
    /// Delete a secret; it becomes invalid at once
    Delete {
        /// The client id of the application
        app: String,
        /// The identifier of the secret, not its value
        secret: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub(in crate::cli) fn parse_expiry(text: &str) -> Result<Duration, String> {
    let is_useful = |expiry: &Duration| *expiry >= Duration::from_secs(60);
    parse_duration(text)
        .filter(is_useful)
        .ok_or_else(|| "write a duration such as 90d, at least 1m".to_owned())
}

/// A secret without its value.
#[derive(Serialize)]
pub(in crate::cli) struct SecretView {
    id: String,
    /// The last four characters, by which people tell secrets apart.
    suffix: String,
    disabled: bool,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl From<&ClientSecret> for SecretView {
    fn from(secret: &ClientSecret) -> Self {
        Self {
            id: secret.id.to_string(),
            suffix: secret.suffix.clone(),
            disabled: secret.disabled,
            created_at: time(secret.created_at),
            expires_at: secret.expires_at.map(time),
            last_used_at: secret.last_used_at.map(time),
        }
    }
}

impl SecretView {
    pub(in crate::cli) fn line(&self) -> String {
        let expiry = self
            .expires_at
            .as_ref()
            .map(|expiry| format!(", until {expiry}"))
            .unwrap_or_default();
        let used = self
            .last_used_at
            .as_ref()
            .map(|used| format!(", last used {used}"))
            .unwrap_or_default();
        let disabled = if self.disabled { ", disabled" } else { "" };
        format!(
            "{} …{}, since {}{expiry}{used}{disabled}",
            self.id, self.suffix, self.created_at
        )
    }
}

#[derive(Serialize)]
struct NewSecret {
    id: String,
    client_id: String,
    secret: String,
    expires_at: Option<String>,
}

pub(super) async fn run(
    args: &SecretArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    match &args.verb {
        Verb::Add { app, expires_in } => {
            let (client, _) = find(instance, app).await?;
            add(&client, *expires_in, instance, context).await
        }
        Verb::Delete { app, secret, yes } => {
            let named = find(instance, app).await?;
            delete(&named, secret, *yes, instance, context).await
        }
    }
}

/// Makes a new secret of a client, and shows it.
pub(in crate::cli) async fn add(
    client: &Client,
    expires_in: Option<Duration>,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let (at, secret) = (
        instance.stamp(),
        Secret::generate_with_prefix(instance.secret_prefix()),
    );
    let expires_at = expires_in.map(|expires_in| at.now + expires_in);
    let row = ClientSecret::new(at, &client.id, &secret, expires_at);
    instance
        .change(async |tx| client::add_secret(tx, at, &row).await)
        .await?;
    let view = NewSecret {
        id: row.id.to_string(),
        client_id: client.id.to_string(),
        secret: secret.expose().to_owned(),
        expires_at: row.expires_at.map(time),
    };
    context.console.print(&view, || {
        details(&[("Secret", view.id.clone()), ("Value", view.secret.clone())])
    })?;
    context.console.note("Keep the value now: it is not shown again.");
    Ok(())
}

/// Deletes a secret of a client.
pub(in crate::cli) async fn delete(
    (client, secrets): &(Client, Vec<ClientSecret>),
    secret: &str,
    yes: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let id: SecretId = parse_id(secret)?;
    if !secrets.iter().any(|secret| secret.id == id) {
        let noun = if client.is_machine() { "m2m" } else { "app" };
        return Err(Failure::not_found(format!("{} has no secret {id}.", client.id))
            .remedy(format!("`genkan {noun} show {}` shows those it has.", client.id)));
    }
    let last = if secrets.len() == 1 { ", its only one" } else { "" };
    context
        .console
        .confirm(&format!("delete the secret {id} of {}{last}", client.name), yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| client::delete_secret(tx, at, &client.id, &id).await)
        .await?;
    let deleted = Deletion::new(&id);
    context.console.print(&deleted, || deleted.text())
}
