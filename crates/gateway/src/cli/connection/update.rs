//! `genkan connection update`

use clap::Args;
use genkan_store::Error;
use genkan_store::connection::{self, Edit};

use super::settings::SettingsArgs;
use super::{ConnectionView, doubt, find, metadata, names};
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
  genkan connection update conn_241053847510274048012 \\
      --attribute custom.department=dept
  genkan connection update conn_241053847510274048012 \\
      --saml-metadata-url https://acme.okta.com/app/exk1/sso/saml/metadata

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
    let mut connection = find(instance, &args.connection).await?;
    let at = instance.stamp();
    let key = args.settings.oidc.secret.key(instance).await?;
    let secret = match args.no_client_secret {
        true => Edit::Clear,
        false => args.settings.oidc.secret.entered(key.as_ref(), context)?,
    };
    names::check(&args.settings, &connection, instance).await?;
    let mut change = args.settings.change(&connection, secret)?;
    metadata::read(&mut change, &connection, instance).await?;
    let applied = super::apply(&mut connection, &change, at, instance)?;
    let updated = instance
        .change_read_committed(async |tx| {
            connection::update(tx, at, &connection).await?;
            connection::find(tx, &connection.id).await?.ok_or(Error::Stale)
        })
        .await?;
    let view = ConnectionView::new(&updated, &instance.config.public_url);
    context.console.print(&view, || view.text())?;
    if applied.secret_is_forgotten {
        context.console.note(
            "The client secret is forgotten: it goes to nobody who was not named with it. Enter it before you enable \
             the connection.",
        );
    }
    if let Some(doubt) = args.settings.oidc.issuer.as_deref().and_then(doubt::about) {
        context.console.note(&doubt);
    }
    for doubt in doubt::about_metadata(&change, at.now) {
        context.console.note(&doubt);
    }
    args.settings.oidc.claims.note(instance, context).await
}
