//! `genkan connection create --oidc|--saml`

use clap::Args;
use genkan_store::Provider;
use genkan_store::connection::{self, Connection, Settings};
use url::Url;

use super::settings::{KindArgs, SettingsArgs};
use super::{ConnectionView, doubt, metadata, names, saml};
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
  genkan connection create --saml --organization acme-17 --provider okta \\
      --saml-metadata-url https://acme.okta.com/app/exk1/sso/saml/metadata
  genkan connection create --saml --organization acme-17 --provider adfs \\
      --saml-metadata-file FederationMetadata.xml --disabled
  genkan connection create --saml --organization acme-17 \\
      --saml-entity-id https://idp.acme.com --saml-certificate-file idp.pem \\
      --saml-sso-url https://idp.acme.com/sso

By OpenID Connect, the endpoints are read from the issuer's discovery document.
For a provider without one, name them all: --authorize-uri, --token-uri and
--jwks-uri, and --user-info-uri if it has one. By SAML, all is read from the
provider's metadata; without them, name entity id, sign-on URL and certificate.
The command prints what to enter at the provider. All of it can be changed by
`genkan connection update`.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    kind: KindArgs,
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
    let settings = Settings::new(args.kind.chosen());
    let provider = args.settings.provider.unwrap_or(Provider::Custom);
    let mut connection = Connection::new(at, Some(organization.id), provider, settings);
    connection.enabled = !args.disabled;
    if let Some(issuer) = &args.settings.oidc.issuer {
        connection.name = host(issuer);
    }
    args.settings.oidc.check_by_hand()?;
    let key = args.settings.oidc.secret.key(instance).await?;
    let secret = args.settings.oidc.secret.entered(key.as_ref(), context)?;
    names::check(&args.settings, &connection, instance).await?;
    let mut change = args.settings.change(&connection, secret)?;
    metadata::read(&mut change, &connection, instance).await?;
    super::apply(&mut connection, &change, at, instance)?;
    instance
        .change(async |tx| connection::insert(tx, at, &connection).await)
        .await?;
    let view = ConnectionView::new(&connection, &instance.config.public_url);
    context.console.print(&view, || view.text())?;
    args.settings.oidc.claims.note(instance, context).await?;
    if let Some(doubt) = args.settings.oidc.issuer.as_deref().and_then(doubt::about) {
        context.console.note(&doubt);
    }
    for doubt in doubt::about_metadata(&change, at.now) {
        context.console.note(&doubt);
    }
    let mut note = match &view.service_provider {
        Some(own) => saml::to_register(own),
        None => format!(
            "Register this redirect URI at the identity provider: {}",
            view.redirect_uri
        ),
    };
    note += &format!("\nThen try it: genkan connection test {}", connection.id);
    context.console.note(&note);
    Ok(())
}

fn host(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    url.as_ref().and_then(Url::host_str).unwrap_or(issuer).to_owned()
}
