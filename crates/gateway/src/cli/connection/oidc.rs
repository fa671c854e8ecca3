//! The options for an OpenID Provider.

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use genkan_store::connection::{
    Connection, Edit, EmailTrust, OidcChange, OidcSettings, RolesFrom, TokenAuthType, hosted_domain,
};

use super::claims::ClaimArgs;
use super::secret::SecretArgs;
use super::words::{Words, pairs, switch};
use crate::cli::Failure;
use crate::cli::output::yes_no;

pub(super) const WORDS: Words = Words {
    options: &[
        ("issuer", "--issuer"),
        ("discovery_endpoint", "--discovery-endpoint"),
        ("authorize_uri", "--authorize-uri"),
        ("token_uri", "--token-uri"),
        ("user_info_uri", "--user-info-uri"),
        ("jwks_uri", "--jwks-uri"),
        ("client_id", "--client-id"),
        // Three options can set it.
        ("client_secret", "The client secret"),
        ("scopes", "--scopes"),
        ("groups_claim", "--groups-claim"),
        ("roles_claim", "--roles-claim"),
        ("only_verified_emails", "--accept-emails"),
    ],
    leave_out: "Leave the options for OpenID Connect out.",
    address: "Redirect URI",
};

#[derive(Debug, Args)]
#[command(next_help_heading = "OpenID Connect")]
pub(super) struct OidcArgs {
    /// The identity provider's issuer, exactly as its tokens carry it; a secret that is not named with another
    /// issuer is forgotten
    #[arg(long, value_name = "URL")]
    pub(super) issuer: Option<String>,
    /// What Genkan is called at the provider
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    pub(super) secret: SecretArgs,
    /// What to ask the provider for, separated by spaces; "openid profile email" unless you choose
    #[arg(long)]
    scopes: Option<String>,
    /// How to authenticate at the token endpoint; basic unless you choose
    #[arg(long, alias = "auth-method", value_name = "METHOD", value_enum)]
    token_auth: Option<TokenAuth>,
    /// Whether to use PKCE; so unless you choose
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    pkce: Option<bool>,
    /// Do not use PKCE, for the rare provider that refuses it: the same as --pkce off
    #[arg(long, conflicts_with = "pkce")]
    no_pkce: bool,
    #[command(flatten)]
    pub(super) claims: ClaimArgs,
    /// Whether to push authorization requests to the provider (RFC 9126), also if its metadata do not ask for it
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    push_requests: Option<bool>,
    /// Whether the provider sends its answers by a form and not in the address, so that codes stand in no log
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    form_post: Option<bool>,
    /// Accept addresses that the provider marks as unverified: the same as --accept-emails any; off takes it back
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on", conflicts_with = "accept_emails")]
    trust_unverified_email: Option<bool>,
    /// Where the discovery document is, if not below the issuer; empty for there
    #[arg(long, value_name = "URL")]
    discovery_endpoint: Option<String>,
    /// The authorization endpoint, for a provider without discovery; empty for that of the discovery document
    #[arg(long, value_name = "URL")]
    authorize_uri: Option<String>,
    /// The token endpoint, for a provider without discovery
    #[arg(long, value_name = "URL")]
    token_uri: Option<String>,
    /// The user info endpoint, for a provider without discovery
    #[arg(long, value_name = "URL")]
    user_info_uri: Option<String>,
    /// The key set, for a provider without discovery
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// Whether only people whose claim hd is a domain of the organization come in, if the provider is Google; so
    /// unless you choose
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    check_hosted_domain: Option<bool>,
    /// Whether people may begin at the provider, such as at a tile of its dashboard; then any link may begin a
    /// sign-in
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), num_args = 0..=1,
        default_missing_value = "on")]
    allow_idp_initiated: Option<bool>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TokenAuth {
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

impl OidcArgs {
    pub(super) fn is_given(&self) -> bool {
        self.issuer.is_some()
            || self.discovery_endpoint.is_some()
            || self.authorize_uri.is_some()
            || self.token_uri.is_some()
            || self.user_info_uri.is_some()
            || self.jwks_uri.is_some()
            || self.client_id.is_some()
            || self.secret.is_given()
            || self.scopes.is_some()
            || self.token_auth.is_some()
            || self.pkce.is_some()
            || self.no_pkce
            || self.claims.is_given()
            || self.push_requests.is_some()
            || self.form_post.is_some()
            || self.trust_unverified_email.is_some()
            || self.check_hosted_domain.is_some()
            || self.allow_idp_initiated.is_some()
    }

    /// If endpoints are entered by hand, those that every sign-in needs must be there.
    pub(super) fn check_by_hand(&self) -> Result<(), Failure> {
        let needed = [
            ("--authorize-uri", &self.authorize_uri),
            ("--token-uri", &self.token_uri),
            ("--jwks-uri", &self.jwks_uri),
        ];
        let is_by_hand = self.user_info_uri.is_some() || needed.iter().any(|(_, url)| url.is_some());
        match needed.into_iter().find(|(_, url)| url.is_none()) {
            Some((missing, _)) if is_by_hand => Err(Failure::usage(format!(
                "Endpoints by hand need --authorize-uri, --token-uri and --jwks-uri: {missing} is missing."
            ))),
            _ => Ok(()),
        }
    }

    /// The change of the options, without the secret.
    pub(super) fn change(&self) -> Result<OidcChange, Failure> {
        let mut change = OidcChange {
            issuer: Edit::of_text(self.issuer.clone()),
            discovery_endpoint: Edit::of_text(self.discovery_endpoint.clone()),
            authorize_uri: Edit::of_text(self.authorize_uri.clone()),
            token_uri: Edit::of_text(self.token_uri.clone()),
            user_info_uri: Edit::of_text(self.user_info_uri.clone()),
            jwks_uri: Edit::of_text(self.jwks_uri.clone()),
            client_id: Edit::of_text(self.client_id.clone()),
            scopes: match self.scopes.as_deref() {
                None => Edit::Leave,
                Some("") => Edit::Clear,
                Some(scopes) => Edit::Set(parse_scopes(scopes)?),
            },
            token_auth_type: self.token_auth.map(Into::into),
            pkce_enabled: switch(self.pkce, self.no_pkce),
            push_requests: self.push_requests,
            form_post: self.form_post,
            trust_unverified_email: self.trust_unverified_email,
            // If every address is accepted, none needs to be verified.
            only_verified_email: self
                .trust_unverified_email
                .filter(|trusted| *trusted)
                .map(|_| false),
            check_hosted_domain: self.check_hosted_domain,
            allow_idp_initiated_login: self.allow_idp_initiated,
            ..OidcChange::default()
        };
        self.claims.enter(&mut change);
        Ok(change)
    }
}

/// The settings as text.
pub(super) fn rows(connection: &Connection, oidc: &OidcSettings) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("Issuer", oidc.issuer.clone()),
        ("Client id", oidc.client_id.clone()),
        (
            "Client secret",
            if connection.client_secret_sealed.is_some() {
                "sealed"
            } else {
                "none"
            }
            .to_owned(),
        ),
        ("Token endpoint auth", oidc.token_auth_type.as_str().to_owned()),
        ("PKCE", yes_no(oidc.pkce_enabled)),
        ("Pushed requests", yes_no(oidc.push_requests)),
        ("Answers by form", yes_no(oidc.form_post)),
        ("Scopes", oidc.scopes.join(" ")),
        ("Attributes", pairs(&connection.settings.common.attribute_mapping)),
        ("Groups claim", oidc.groups_from().unwrap_or("none").to_owned()),
        (
            "Roles claim",
            match oidc.roles_from() {
                RolesFrom::Named(claim) => claim.to_owned(),
                RolesFrom::Unnamed(_) => "none, and what one gave is taken back".to_owned(),
                RolesFrom::Nowhere => "none".to_owned(),
            },
        ),
        (
            "E-mail addresses",
            match oidc.email_trust() {
                EmailTrust::Verified => "verified ones only",
                EmailTrust::NotDoubted => "unless marked as unverified",
                EmailTrust::Any => "all, also unverified ones",
            }
            .to_owned(),
        ),
    ];
    // It has no meaning for other providers.
    if hosted_domain::applies(connection) {
        rows.push(("Checks hd", yes_no(hosted_domain::is_on(connection))));
    }
    let endpoints = [
        ("Discovery", &oidc.discovery_endpoint),
        ("Authorization", &oidc.authorize_uri),
        ("Token", &oidc.token_uri),
        ("User info", &oidc.user_info_uri),
        ("Keys", &oidc.jwks_uri),
    ];
    let written = |(name, uri): (&'static str, &Option<String>)| uri.clone().map(|uri| (name, uri));
    rows.extend(endpoints.into_iter().filter_map(written));
    rows
}

/// The scopes of a request. The API takes a list without `openid`, as in the contract, because Genkan
/// always requests `openid`.
fn parse_scopes(text: &str) -> Result<Vec<String>, Failure> {
    let scopes: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    if scopes.iter().any(|scope| scope == "openid") {
        return Ok(scopes);
    }
    Err(Failure::usage(
        "--scopes lacks openid, without which there is no ID token.",
    ))
}
