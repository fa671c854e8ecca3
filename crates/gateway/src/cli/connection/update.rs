//! `genkan connection update`

use clap::Args;
use genkan_store::Error;
use genkan_store::connection;

use super::settings::SettingsArgs;
use super::{ConnectionView, doubt, find};
use crate::cli::instance::Instance;
use crate::cli::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan connection update conn_241053847510274048012 \\
      --client-secret-file okta.secret
  genkan connection update conn_241053847510274048012 \\
      --issuer https://acme.okta.com --client-secret-file okta.secret
  genkan connection update conn_241053847510274048012 --name \"Acme's Okta\"
  genkan connection update conn_241053847510274048012 \\
      --groups-claim groups --roles-claim app_roles
  genkan connection update conn_241053847510274048012 \\
      --attribute email=mail --trust-unverified-email

What is not named stays. An empty text (--discovery-endpoint \"\") clears.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UpdateArgs {
    /// Its identifier
    connection: String,
    /// Forget the client secret; only of a connection that is disabled
    #[arg(long, conflicts_with = "secret")]
    no_client_secret: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(
    args: &UpdateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let before = find(instance, &args.connection).await?;
    let mut connection = before.clone();
    let (at, kind) = (instance.stamp(), instance.environment.kind);
    args.settings.apply(&mut connection, at, kind)?;
    let secret = &args.settings.oidc.secret;
    if secret.is_given() {
        connection.client_secret_sealed = secret.seal(&connection, instance, context).await?;
    } else if args.no_client_secret {
        connection.client_secret_sealed = None;
    }
    let is_forgotten = connection.forget_secret_that_would_follow(&before);
    if is_forgotten && connection.enabled {
        return Err(Failure::usage(
            "The client secret would go to whoever answers there now, and people sign in through this connection.",
        )
        .remedy("Name the secret too (--client-secret-file), or disable the connection first."));
    }
    super::check(&connection, kind)?;
    let updated = instance
        .change(async |tx| {
            connection::update(tx, at, &connection).await?;
            connection::find(tx, &connection.id).await?.ok_or(Error::Stale)
        })
        .await?;
    let view = ConnectionView::new(&updated, &instance.config.public_url);
    context.console.print(&view, || view.text())?;
    if is_forgotten {
        context.console.note(
            "The client secret is forgotten: it goes to nobody who was not named with it. Enter it before you enable \
             the connection.",
        );
    }
    if let Some(doubt) = args.settings.oidc.issuer.as_deref().and_then(doubt::about) {
        context.console.note(&doubt);
    }
    args.settings.oidc.claims.note(instance, context).await
}
