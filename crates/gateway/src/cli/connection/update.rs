//! `genkan connection update`

use clap::Args;
use clap::builder::BoolishValueParser;
use genkan_store::Error;
use genkan_store::connection::{self, Settings};

use super::claims::ClaimArgs;
use super::create::{TokenAuth, check, parse_scopes};
use super::saml::SamlArgs;
use super::secret::SecretArgs;
use super::{ConnectionView, find};
use crate::cli::instance::Instance;
use crate::cli::org::non_empty;
use crate::cli::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan connection update conn_241053847510274048012 \\
      --client-secret-file okta.secret
  genkan connection update conn_241053847510274048012 \\
      --issuer https://acme.okta.com --client-secret-file okta.secret
  genkan connection update conn_241053847510274048012 --name \"Acme's Okta\"
  genkan connection update conn_241053847510274048012 \\
      --groups-claim groups --roles-claim app_roles";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UpdateArgs {
    /// Its identifier
    connection: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// The identity provider's issuer; a secret that is not named with it is forgotten
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Where the discovery document is, if not below the issuer
    #[arg(long, value_name = "URL")]
    discovery_endpoint: Option<String>,
    /// The token endpoint, for a provider without discovery
    #[arg(long, value_name = "URL")]
    token_uri: Option<String>,
    /// What Genkan is called at the provider
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    secret: SecretArgs,
    /// What to ask the provider for, separated by spaces
    #[arg(long)]
    scopes: Option<String>,
    /// How to authenticate at the token endpoint
    #[arg(long, alias = "auth-method", value_name = "METHOD", value_enum)]
    token_auth: Option<TokenAuth>,
    /// Whether only people whose claim hd is a domain of the organization come in, if the provider is Google
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    check_hosted_domain: Option<bool>,
    /// Whether people may begin at the provider; then any link may begin a sign-in
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    allow_idp_initiated: Option<bool>,
    /// Whether to push authorization requests to the provider (RFC 9126), also if its metadata do not ask for it
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    push_requests: Option<bool>,
    #[command(flatten)]
    claims: ClaimArgs,
    #[command(flatten)]
    saml: SamlArgs,
}

impl UpdateArgs {
    fn names_oidc(&self) -> bool {
        self.issuer.is_some()
            || self.discovery_endpoint.is_some()
            || self.token_uri.is_some()
            || self.client_id.is_some()
            || self.secret.is_given()
            || self.scopes.is_some()
            || self.token_auth.is_some()
            || self.check_hosted_domain.is_some()
            || self.allow_idp_initiated.is_some()
            || self.push_requests.is_some()
            || self.claims.is_given()
    }
}

pub(super) async fn run(
    args: &UpdateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let before = find(instance, &args.connection).await?;
    let mut connection = before.clone();
    if let Some(name) = &args.name {
        connection.name = non_empty("--name", name)?;
    }
    let at = instance.stamp();
    match &mut connection.settings {
        Settings::Oidc(_) if args.saml.is_given() => {
            return Err(Failure::usage("The connection speaks OpenID Connect, not SAML."));
        }
        Settings::Saml(_) if args.names_oidc() => {
            return Err(Failure::usage("The connection speaks SAML, not OpenID Connect."));
        }
        Settings::Saml(settings) => args.saml.apply(settings, at)?,
        Settings::Oidc(oidc) => {
            if let Some(issuer) = &args.issuer {
                oidc.issuer = non_empty("--issuer", issuer)?;
            }
            if args.discovery_endpoint.is_some() {
                oidc.discovery_endpoint.clone_from(&args.discovery_endpoint);
            }
            if args.token_uri.is_some() {
                oidc.token_uri.clone_from(&args.token_uri);
            }
            if let Some(client_id) = &args.client_id {
                oidc.client_id = non_empty("--client-id", client_id)?;
            }
            if let Some(scopes) = &args.scopes {
                oidc.scopes = parse_scopes(scopes)?;
            }
            if let Some(token_auth) = args.token_auth {
                oidc.token_auth_type = token_auth.into();
            }
            oidc.check_hosted_domain = args.check_hosted_domain.or(oidc.check_hosted_domain);
            if let Some(allowed) = args.allow_idp_initiated {
                oidc.allow_idp_initiated_login = allowed;
            }
            if let Some(push) = args.push_requests {
                oidc.push_requests = push;
            }
            args.claims.apply(oidc);
        }
    }
    if args.secret.is_given() {
        let (key, secret) = (instance.key().await?, args.secret.read(context)?);
        connection.client_secret_sealed = Some(connection::seal_client_secret(&key, &connection.id, &secret));
    }
    let is_forgotten = connection.forget_secret_that_would_follow(&before);
    if is_forgotten && connection.enabled {
        return Err(Failure::usage(
            "The client secret would go to whoever answers there now, and people sign in through this connection.",
        )
        .remedy("Name the secret too (--client-secret-file), or disable the connection first."));
    }
    check(&connection, instance.environment.kind)?;
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
    args.claims.note(instance, context).await
}
