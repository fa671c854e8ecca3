//! `genkan connection create --oidc|--saml`

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use genkan_store::Stamp;
use genkan_store::connection::{
    self, Connection, OidcSettings, Provider, SamlSettings, Settings, TokenAuthType,
};
use genkan_store::environment::Kind;
use url::Url;

use super::claims::ClaimArgs;
use super::saml::SamlArgs;
use super::secret::SecretArgs;
use super::{ConnectionView, doubt};
use crate::cli::instance::Instance;
use crate::cli::org::{self, non_empty, parse_pair};
use crate::cli::{Context, Failure};

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
--user-info-uri if it has one.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CreateArgs {
    /// It speaks OpenID Connect
    #[arg(long, required_unless_present = "saml", requires = "secret")]
    oidc: bool,
    /// It speaks SAML: this version keeps the settings and signs nobody in by them
    #[arg(long, conflicts_with_all = ["oidc", "secret", "issuer", "client_id"])]
    saml: bool,
    /// The organization, by identifier or external id
    #[arg(long)]
    organization: String,
    /// The identity provider's issuer, exactly as its tokens carry it
    #[arg(long, value_name = "URL", required_unless_present = "saml")]
    issuer: Option<String>,
    /// What Genkan is called at the provider
    #[arg(long, value_name = "ID", required_unless_present = "saml")]
    client_id: Option<String>,
    #[command(flatten)]
    secret: SecretArgs,
    /// What people call the connection (default: the issuer's host)
    #[arg(long)]
    name: Option<String>,
    /// The product: okta, google, microsoft_ad (Entra), auth0, onelogin, ping_identity, jumpcloud, adfs or custom
    #[arg(long, default_value = "custom", value_parser = parse_provider)]
    provider: Provider,
    /// What to ask the provider for, separated by spaces
    #[arg(long, default_value = "openid profile email")]
    scopes: String,
    /// How to authenticate at the token endpoint
    #[arg(long, alias = "auth-method", value_name = "METHOD", value_enum, default_value_t = TokenAuth::Basic)]
    token_auth: TokenAuth,
    /// Do not use PKCE, for the rare provider that refuses it
    #[arg(long)]
    no_pkce: bool,
    #[command(flatten)]
    claims: ClaimArgs,
    /// Push authorization requests to the provider (RFC 9126), also if its metadata do not ask for it
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on", conflicts_with = "saml")]
    push_requests: Option<bool>,
    /// Read one of our attributes (email, given_name, …) from a claim of the provider; may be repeated
    #[arg(long = "attribute", value_name = "OURS=CLAIM", value_parser = parse_pair)]
    attributes: Vec<(String, String)>,
    /// Where the discovery document is, if not below the issuer
    #[arg(long, value_name = "URL")]
    discovery_endpoint: Option<String>,
    /// The authorization endpoint, for a provider without discovery
    #[arg(long, value_name = "URL", requires_all = ["token_uri", "jwks_uri"])]
    authorize_uri: Option<String>,
    /// The token endpoint, for a provider without discovery
    #[arg(long, value_name = "URL", requires = "authorize_uri")]
    token_uri: Option<String>,
    /// The user info endpoint, for a provider without discovery
    #[arg(long, value_name = "URL", requires = "authorize_uri")]
    user_info_uri: Option<String>,
    /// The key set, for a provider without discovery
    #[arg(long, value_name = "URL", requires = "authorize_uri")]
    jwks_uri: Option<String>,
    /// Create it disabled: nobody is sent there before `genkan connection enable`
    #[arg(long)]
    disabled: bool,
    /// Admit only people who have a user already
    #[arg(long)]
    no_jit: bool,
    /// Keep names and pictures as they were at the first sign-in
    #[arg(long)]
    no_sync_profile: bool,
    /// Accept a provider without TLS; anybody on the way could sign in as anybody
    #[arg(long)]
    insecure_http: bool,
    /// The same as --accept-emails any
    #[arg(long, conflicts_with = "accept_emails")]
    trust_unverified_email: bool,
    /// Whether only people whose claim hd is a domain of the organization come in, if the provider is Google
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), default_value = "on")]
    check_hosted_domain: bool,
    /// People may begin at the provider, such as at a tile of its dashboard; then any link may begin a sign-in
    #[arg(long, conflicts_with = "saml")]
    allow_idp_initiated: bool,
    #[command(flatten)]
    saml_settings: SamlArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum TokenAuth {
    /// With HTTP Basic (client_secret_basic)
    #[value(alias = "client_secret_basic")]
    Basic,
    /// In the form (client_secret_post)
    #[value(alias = "client_secret_post")]
    Post,
}

impl From<TokenAuth> for TokenAuthType {
    fn from(token_auth: TokenAuth) -> Self {
        match token_auth {
            TokenAuth::Basic => Self::BasicAuth,
            TokenAuth::Post => Self::UrlParams,
        }
    }
}

/// The products as `--help` lists them.
const PROVIDERS: &str =
    "okta, google, microsoft_ad (Entra), auth0, onelogin, ping_identity, jumpcloud, adfs or custom";

/// A product by its name in the contract, or by one that people call it.
fn parse_provider(text: &str) -> Result<Provider, String> {
    let word = text.to_ascii_uppercase().replace(['-', ' '], "_");
    let provider = match word.as_str() {
        "ENTRA" | "ENTRA_ID" | "MICROSOFT_ENTRA" | "MICROSOFT_ENTRA_ID" | "AZURE" | "AZURE_AD"
        | "AZUREAD" | "AAD" => Provider::MicrosoftAd,
        "GOOGLE_WORKSPACE" | "GSUITE" | "G_SUITE" => Provider::Google,
        "PING" | "PINGFEDERATE" | "PINGONE" | "PING_ONE" => Provider::PingIdentity,
        "ONE_LOGIN" => Provider::OneLogin,
        "JUMP_CLOUD" => Provider::JumpCloud,
        "AD_FS" => Provider::Adfs,
        word => word.parse().map_err(|_| format!("write one of {PROVIDERS}"))?,
    };
    Ok(provider)
}

/// The most attributes that can be mapped, as in the contract.
const MAX_ATTRIBUTES: usize = 30;

pub(super) async fn run(
    args: &CreateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = org::find(instance, &args.organization).await?;
    let at = instance.stamp();
    let settings = if args.saml {
        Settings::Saml(args.saml(at)?)
    } else {
        Settings::Oidc(args.settings(instance.environment.kind)?)
    };
    let mut connection = Connection::new(at, Some(organization.id), args.provider, settings);
    if args.oidc {
        let (key, secret) = (instance.key().await?, args.secret.read(context)?);
        connection.client_secret_sealed = Some(connection::seal_client_secret(&key, &connection.id, &secret));
        connection.name = host(args.issuer.as_deref().unwrap_or_default());
    }
    if let Some(name) = &args.name {
        connection.name = non_empty("--name", name)?;
    }
    connection.enabled = !args.disabled;
    connection.jit_provisioning = !args.no_jit;
    connection.sync_profile = !args.no_sync_profile;
    check(&connection, instance.environment.kind)?;
    instance
        .change(async |tx| connection::insert(tx, at, &connection).await)
        .await?;
    let view = ConnectionView::new(&connection, &instance.config.public_url);
    context.console.print(&view, || view.text())?;
    args.claims.note(instance, context).await?;
    if let Some(doubt) = args.issuer.as_deref().and_then(doubt::about) {
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

/// The rules that the API holds to as well.
pub(super) fn check(connection: &Connection, environment: Kind) -> Result<(), Failure> {
    connection
        .check(environment == Kind::Development)
        .map_err(|mistake| Failure::usage(format!("{} {}.", mistake.field, mistake.what)))?;
    let missing = connection.missing();
    if connection.enabled && !missing.is_empty() {
        return Err(Failure::usage(format!(
            "The connection is not complete: {} missing.",
            missing.join(", ")
        ))
        .remedy("Enter what is missing, or keep it disabled."));
    }
    Ok(())
}

impl CreateArgs {
    fn saml(&self, at: Stamp<'_>) -> Result<SamlSettings, Failure> {
        if self.claims.is_given() {
            return Err(Failure::usage("The options about claims go with --oidc."));
        }
        let mut settings = SamlSettings {
            attribute_mapping: self.attributes.iter().cloned().collect(),
            insecure_http: self.insecure_http,
            ..SamlSettings::default()
        };
        self.saml_settings.apply(&mut settings, at)?;
        Ok(settings)
    }

    fn settings(&self, environment: Kind) -> Result<OidcSettings, Failure> {
        let endpoints = [
            ("--issuer", self.issuer.as_ref()),
            ("--discovery-endpoint", self.discovery_endpoint.as_ref()),
            ("--authorize-uri", self.authorize_uri.as_ref()),
            ("--token-uri", self.token_uri.as_ref()),
            ("--user-info-uri", self.user_info_uri.as_ref()),
            ("--jwks-uri", self.jwks_uri.as_ref()),
        ];
        if self.saml_settings.is_given() {
            return Err(Failure::usage("The SAML options go with --saml."));
        }
        let mut insecure_http = self.insecure_http;
        for (option, url) in endpoints {
            if let Some(url) = url
                && check_endpoint(option, url)? == "http"
            {
                if !self.insecure_http && environment == Kind::Production {
                    return Err(Failure::usage(format!(
                        "{option} is not https: anybody on the way could sign in as anybody."
                    ))
                    .remedy(
                        "Use https, or add --insecure-http for a provider on a network that you trust.",
                    ));
                }
                insecure_http = true;
            }
        }
        if self.attributes.len() > MAX_ATTRIBUTES {
            return Err(Failure::usage(format!(
                "More than {MAX_ATTRIBUTES} attributes cannot be mapped."
            )));
        }
        let mut settings = OidcSettings {
            issuer: self.issuer.clone().unwrap_or_default(),
            discovery_endpoint: self.discovery_endpoint.clone(),
            authorize_uri: self.authorize_uri.clone(),
            token_uri: self.token_uri.clone(),
            user_info_uri: self.user_info_uri.clone(),
            jwks_uri: self.jwks_uri.clone(),
            client_id: non_empty("--client-id", self.client_id.as_deref().unwrap_or_default())?,
            scopes: parse_scopes(&self.scopes)?,
            token_auth_type: self.token_auth.into(),
            pkce_enabled: !self.no_pkce,
            push_requests: self.push_requests.unwrap_or_default(),
            insecure_http,
            trust_unverified_email: self.trust_unverified_email,
            check_hosted_domain: Some(self.check_hosted_domain),
            allow_idp_initiated_login: self.allow_idp_initiated,
            ..OidcSettings::default()
        };
        // `groups` and `roles` are attributes as well, as in the API.
        settings.set_whole_mapping(self.attributes.iter().cloned().collect());
        self.claims.apply(&mut settings);
        Ok(settings)
    }
}

pub(super) fn parse_scopes(text: &str) -> Result<Vec<String>, Failure> {
    let scopes: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    if scopes.iter().any(|scope| scope == "openid") {
        return Ok(scopes);
    }
    Err(Failure::usage(
        "--scopes lacks openid, without which there is no ID token.",
    ))
}

/// The scheme of an address that Genkan may call.
fn check_endpoint(option: &str, url: &str) -> Result<&'static str, Failure> {
    let refuse = |why: &str| Err(Failure::usage(format!("{option} {why}.")));
    let Ok(parsed) = Url::parse(url) else {
        return refuse("is not an address such as https://login.example.com");
    };
    if parsed.host().is_none() || !parsed.username().is_empty() || parsed.password().is_some() {
        return refuse("must be https, a host and perhaps a path, without a user");
    }
    if parsed.fragment().is_some() || (option == "--issuer" && parsed.query().is_some()) {
        // OIDC Core §2: an issuer has no query and no fragment.
        return refuse("must not have a query or a fragment");
    }
    match parsed.scheme() {
        "https" => Ok("https"),
        "http" => Ok("http"),
        _ => refuse("must begin with https://"),
    }
}

fn host(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    url.as_ref().and_then(Url::host_str).unwrap_or(issuer).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_known_by_what_people_call_it() {
        for (text, provider) in [
            ("entra", Provider::MicrosoftAd),
            ("Azure-AD", Provider::MicrosoftAd),
            ("microsoft_ad", Provider::MicrosoftAd),
            ("google-workspace", Provider::Google),
            ("ping", Provider::PingIdentity),
            ("OKTA", Provider::Okta),
            ("custom", Provider::Custom),
        ] {
            assert_eq!(parse_provider(text), Ok(provider), "{text}");
        }
        let unknown = parse_provider("oktta").unwrap_err();
        assert!(
            unknown.contains("okta, google, microsoft_ad (Entra)"),
            "{unknown}"
        );
        assert!(!unknown.contains("IDP_SIMULATOR"), "{unknown}");
    }
}
