//! `genkan connection create --oidc|--saml`

use clap::Args;
use genkan_store::Provider;
use genkan_store::connection::{self, Connection, Settings};
use url::Url;

use super::settings::SettingsArgs;
use super::{ConnectionView, doubt};
use crate::cli::instance::Instance;
use crate::cli::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan connection create --oidc --organization acme-17 --provider okta \\
      --issuer https://acme.okta.com --client-id 0oa1b2c3 \\
      --client-secret-file okta.secret
  pass okta | genkan connection create --oidc --organization acme-17 \\
      --issuer https://login.acme.com --client-id genkan \\
      --client-secret-stdin --attribute email=mail --groups-claim groups

The endpoints are read from the issuer's discovery document. For a provider
without one, name them all: --authorize-uri, --token-uri and --jwks-uri, and
--user-info-uri if it has one. `genkan connection update` can change all of it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CreateArgs {
    /// It speaks OpenID Connect
    #[arg(long, required_unless_present = "saml", requires_all = ["issuer", "client_id", "secret"])]
    oidc: bool,
    /// It speaks SAML: this version keeps the settings and signs nobody in by them
    #[arg(long, conflicts_with_all = ["oidc", "secret", "issuer", "client_id"])]
    saml: bool,
    /// The organization, by identifier or external id
    #[arg(long)]
    organization: String,
    /// Create it disabled: nobody is sent there before `genkan connection enable`
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) async fn run(
    args: &CreateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = which::organization(instance, &args.organization).await?;
    let at = instance.stamp();
    let (provider, kind) = (args.settings.provider, instance.environment.kind);
    let settings = Settings::new(if args.saml {
        connection::Kind::Saml
    } else {
        connection::Kind::Oidc
    });
    let provider = provider.unwrap_or(Provider::Custom);
    let mut connection = Connection::new(at, Some(organization.id), provider, settings);
    if let Some(issuer) = &args.settings.oidc.issuer {
        connection.name = host(issuer);
    }
    args.settings.oidc.check_by_hand()?;
    args.settings.apply(&mut connection, at, kind)?;
    connection.client_secret_sealed = args
        .settings
        .oidc
        .secret
        .seal(&connection, instance, context)
        .await?;
    connection.enabled = !args.disabled;
    super::check(&connection, kind)?;
    instance
        .change(async |tx| connection::insert(tx, at, &connection).await)
        .await?;
    let view = ConnectionView::new(&connection, &instance.config.public_url);
    context.console.print(&view, || view.text())?;
    args.settings.oidc.claims.note(instance, context).await?;
    if let Some(doubt) = args.settings.oidc.issuer.as_deref().and_then(doubt::about) {
        context.console.note(&doubt);
    }
    context.console.note(&if args.saml {
        format!(
            "Register this assertion URL at the identity provider: {}",
            view.redirect_uri
        )
    } else {
        format!(
            "Register this redirect URI at the identity provider: {}\nThen try it: genkan connection test {}",
            view.redirect_uri, connection.id
        )
    });
    Ok(())
}

fn host(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    url.as_ref().and_then(Url::host_str).unwrap_or(issuer).to_owned()
}
