//! OpenID Connect: Genkan as the relying party of an OpenID Provider.

use genkan_protocol::oidc::issuer_of;
use serde::{Deserialize, Serialize};
use url::Url;

use super::edit::{Edit, set};
use super::rules::{ConfigurationType, EmailTrust, MAX_TEXT, Mistake, Mistakes, Rules, address, short};
use crate::row::words;

const MAX_CLIENT_ID: usize = 512;
/// The attribute whose claim lists a person's groups.
const GROUPS: &str = "groups";
/// The attribute whose claim lists a person's roles.
const ROLES: &str = "roles";

words! {
    /// How we authenticate at the provider's token endpoint.
    pub enum TokenAuthType {
        /// `client_secret_basic`
        BasicAuth = "BASIC_AUTH",
        /// `client_secret_post`
        UrlParams = "URL_PARAMS",
    }
}

/// The settings of an OpenID Provider, whose endpoints come from discovery or are entered one by one.
///
/// While a connection is set up the texts may be empty, see
/// [`Connection::missing`](super::Connection::missing).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcSettings {
    /// Compared with `iss` as text.
    pub issuer: String,
    /// The address of the metadata, if it is not below the issuer.
    pub discovery_endpoint: Option<String>,
    pub authorize_uri: Option<String>,
    pub token_uri: Option<String>,
    pub user_info_uri: Option<String>,
    pub jwks_uri: Option<String>,
    /// Our client id at the provider.
    pub client_id: String,
    pub scopes: Vec<String>,
    pub token_auth_type: TokenAuthType,
    pub pkce_enabled: bool,
    /// The claim with a person's groups. `None`: the provider gives no groups.
    pub groups_claim: Option<String>,
    /// The claim with a person's roles. `None`: the provider gives no roles.
    pub roles_claim: Option<String>,
    /// An upgrade set `groups_claim`, and nobody has changed it since.
    #[serde(default)]
    pub groups_claim_by_upgrade: bool,
    /// No roles claim is named. Roles that the provider gave are taken back, see [`Self::roles_from`].
    #[serde(default)]
    pub unnamed_roles_claim: bool,
    /// Push authorization requests to the provider (RFC 9126), even if its metadata do not require it. Some
    /// providers require it for single clients.
    #[serde(default)]
    pub push_requests: bool,
    /// The provider answers with a form instead of a query (OAuth 2.0 Form Post Response Mode 1.0). Then
    /// codes are in no browser history and no log.
    #[serde(default)]
    pub form_post: bool,
    /// Accept an e-mail address that the provider marks as unverified. This is safe only if people cannot
    /// enter their own address at the provider.
    #[serde(default)]
    pub trust_unverified_email: bool,
    /// For Google: accept only people whose claim `hd` is a domain of the organization, see
    /// [`super::hosted_domain`]. `None`: the connection is older than this check, which then only warns.
    #[serde(default)]
    pub check_hosted_domain: Option<bool>,
    /// Accept an e-mail address only if the provider marks it as verified. It is for providers where people
    /// enter their own address, and which may not say whether it is verified.
    #[serde(default)]
    pub only_verified_email: bool,
    /// Sign people out at the provider too. This is stored, but Genkan does not do it yet.
    #[serde(default)]
    pub idp_logout_required: bool,
    /// A sign-in may begin at the provider. Then any link may begin a sign-in here.
    #[serde(default)]
    pub allow_idp_initiated_login: bool,
}

impl Default for OidcSettings {
    /// The settings that are right for most providers.
    fn default() -> Self {
        Self {
            issuer: String::new(),
            discovery_endpoint: None,
            authorize_uri: None,
            token_uri: None,
            user_info_uri: None,
            jwks_uri: None,
            client_id: String::new(),
            scopes: ["openid", "profile", "email"].map(str::to_owned).into(),
            token_auth_type: TokenAuthType::BasicAuth,
            pkce_enabled: true,
            groups_claim: None,
            roles_claim: None,
            groups_claim_by_upgrade: false,
            unnamed_roles_claim: false,
            push_requests: false,
            form_post: false,
            trust_unverified_email: false,
            check_hosted_domain: Some(true),
            only_verified_email: false,
            idp_logout_required: false,
            allow_idp_initiated_login: false,
        }
    }
}

/// A change of the settings for an OpenID Provider. All other settings stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OidcChange {
    pub issuer: Edit<String>,
    pub discovery_endpoint: Edit<String>,
    pub authorize_uri: Edit<String>,
    pub token_uri: Edit<String>,
    pub user_info_uri: Edit<String>,
    pub jwks_uri: Edit<String>,
    pub client_id: Edit<String>,
    /// All scopes.
    pub scopes: Edit<Vec<String>>,
    pub token_auth_type: Option<TokenAuthType>,
    pub pkce_enabled: Option<bool>,
    pub groups_claim: Edit<String>,
    /// If empty, roles from a claim are taken back, see [`OidcSettings::name_roles`]. If cleared, they
    /// stay, see [`OidcSettings::keep_roles`].
    pub roles_claim: Edit<String>,
    pub push_requests: Option<bool>,
    pub form_post: Option<bool>,
    pub trust_unverified_email: Option<bool>,
    pub check_hosted_domain: Option<bool>,
    pub only_verified_email: Option<bool>,
    pub idp_logout_required: Option<bool>,
    pub allow_idp_initiated_login: Option<bool>,
}

impl OidcChange {
    /// Decides which of its e-mail addresses count.
    pub fn trust_emails(&mut self, trust: EmailTrust) {
        self.only_verified_email = Some(trust == EmailTrust::Verified);
        self.trust_unverified_email = Some(trust == EmailTrust::Any);
    }

    pub(super) fn enter(&self, settings: &mut OidcSettings, mistakes: &mut Mistakes) {
        match &self.issuer {
            Edit::Leave => {}
            Edit::Set(issuer) => settings.issuer.clone_from(issuer),
            Edit::Clear => settings.issuer.clear(),
        }
        self.discovery_endpoint.enter(&mut settings.discovery_endpoint);
        self.authorize_uri.enter(&mut settings.authorize_uri);
        self.token_uri.enter(&mut settings.token_uri);
        self.user_info_uri.enter(&mut settings.user_info_uri);
        self.jwks_uri.enter(&mut settings.jwks_uri);
        match &self.client_id {
            Edit::Leave => {}
            // A copied space beside it would make it unknown at the provider.
            Edit::Set(client_id) => client_id.trim().clone_into(&mut settings.client_id),
            Edit::Clear => settings.client_id.clear(),
        }
        match &self.scopes {
            Edit::Leave => {}
            Edit::Set(scopes) => settings.scopes.clone_from(scopes),
            Edit::Clear => settings.scopes = OidcSettings::default().scopes,
        }
        match &self.groups_claim {
            Edit::Leave => {}
            Edit::Set(claim) => settings.name_groups(Some(claim)),
            Edit::Clear => settings.name_groups(None),
        }
        match &self.roles_claim {
            Edit::Leave => {}
            Edit::Set(claim) => settings.name_roles(Some(claim)),
            Edit::Clear => settings.keep_roles(),
        }
        set(&mut settings.token_auth_type, self.token_auth_type);
        set(&mut settings.pkce_enabled, self.pkce_enabled);
        set(&mut settings.push_requests, self.push_requests);
        set(&mut settings.form_post, self.form_post);
        settings.check_hosted_domain = self.check_hosted_domain.or(settings.check_hosted_domain);
        set(&mut settings.idp_logout_required, self.idp_logout_required);
        set(
            &mut settings.allow_idp_initiated_login,
            self.allow_idp_initiated_login,
        );
        set(&mut settings.only_verified_email, self.only_verified_email);
        set(&mut settings.trust_unverified_email, self.trust_unverified_email);
        let is_decided = self.only_verified_email.is_some() || self.trust_unverified_email.is_some();
        if is_decided && settings.only_verified_email && settings.trust_unverified_email {
            mistakes.add(Mistake::new(
                "only_verified_emails",
                "contradicts trust_unverified_emails: at most one of them is true",
            ));
        }
    }
}

impl Rules for OidcSettings {
    fn implied_configuration(&self) -> ConfigurationType {
        let is_complete = self.authorize_uri.is_some() && self.token_uri.is_some() && self.jwks_uri.is_some();
        if is_complete {
            ConfigurationType::Manual
        } else {
            ConfigurationType::Discovery
        }
    }

    fn check(&self, http_allowed: bool, mistakes: &mut Mistakes) {
        if !self.issuer.is_empty() {
            match address("issuer", &self.issuer, http_allowed) {
                // OIDC Core §2: an issuer has no query and no fragment.
                Ok(url) if url.query().is_some() => {
                    mistakes.add(Mistake::new("issuer", "must not have a query"));
                }
                checked => mistakes.note(checked),
            }
        }
        let endpoints = [
            ("discovery_endpoint", &self.discovery_endpoint),
            ("authorize_uri", &self.authorize_uri),
            ("token_uri", &self.token_uri),
            ("user_info_uri", &self.user_info_uri),
            ("jwks_uri", &self.jwks_uri),
        ];
        for (field, url) in endpoints {
            if let Some(url) = url {
                mistakes.note(address(field, url, http_allowed));
            }
        }
        mistakes.note(short("client_id", &self.client_id, MAX_CLIENT_ID));
        for (field, claim) in [
            ("groups_claim", &self.groups_claim),
            ("roles_claim", &self.roles_claim),
        ] {
            mistakes.note(short(field, claim.as_deref().unwrap_or_default(), MAX_TEXT));
        }
        // RFC 6749 §3.3: printable ASCII without quotes and backslashes.
        let is_scope = |scope: &String| {
            (1..=MAX_TEXT).contains(&scope.len())
                && scope
                    .bytes()
                    .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        if self.scopes.len() > 50 || !self.scopes.iter().all(is_scope) {
            mistakes.add(Mistake::new("scopes", "has a word that is no scope, or too many"));
        }
    }

    /// Refuses those addresses of Entra that belong to no company. For most of them, tokens name the
    /// person's own tenant as issuer, so nobody could sign in. For the tenant of private accounts, tokens
    /// name the tenant itself, so everybody could.
    fn check_use(&self) -> Result<(), Mistake> {
        let addresses = [
            ("issuer", Some(&self.issuer)),
            ("discovery_endpoint", self.discovery_endpoint.as_ref()),
            ("authorize_uri", self.authorize_uri.as_ref()),
        ];
        for (field, text) in addresses {
            if text.is_some_and(|text| is_of_all_tenants(text)) {
                let reason = "is of all tenants of Microsoft Entra ID and not of one company: write \
                            https://login.microsoftonline.com/TENANT-ID/v2.0, with the tenant id that stands at \
                            entra.microsoft.com under Identity, Overview (\"Tenant ID\")";
                return Err(Mistake::new(field, reason));
            }
        }
        Ok(())
    }

    fn required(&self, has_secret: bool, from: ConfigurationType) -> Vec<(&'static str, bool)> {
        let by_hand = from == ConfigurationType::Manual;
        vec![
            ("issuer", !self.issuer.is_empty()),
            ("client_id", !self.client_id.is_empty()),
            ("client_secret", has_secret),
            ("authorize_uri", !by_hand || self.authorize_uri.is_some()),
            ("token_uri", !by_hand || self.token_uri.is_some()),
            ("jwks_uri", !by_hand || self.jwks_uri.is_some()),
        ]
    }

    fn is_touched(&self) -> bool {
        let blank = Self {
            // A draft from before this check has no value here either.
            check_hosted_domain: self.check_hosted_domain,
            groups_claim: self.groups_claim.clone(),
            roles_claim: self.roles_claim.clone(),
            groups_claim_by_upgrade: self.groups_claim_by_upgrade,
            unnamed_roles_claim: self.unnamed_roles_claim,
            ..Self::default()
        };
        *self != blank
    }

    fn authority(&self) -> &str {
        issuer_of(&self.issuer)
    }

    fn meet_another_authority(&mut self) {
        // Only connections that were used with Google before this check existed are exempt. A draft that
        // gets its issuer now was never used.
        self.check_hosted_domain.get_or_insert(true);
    }

    fn way_of_secret(&self) -> Vec<Option<&str>> {
        vec![
            Some(issuer_of(&self.issuer)),
            self.discovery_endpoint.as_deref(),
            self.token_uri.as_deref(),
        ]
    }

    fn email_trust(&self) -> EmailTrust {
        // The settings decide it.
        Self::email_trust(self)
    }

    fn own_attributes(&self) -> Vec<(&'static str, Option<&str>)> {
        vec![
            (GROUPS, self.groups_from()),
            (
                ROLES,
                self.roles_claim.as_deref().filter(|claim| !claim.is_empty()),
            ),
        ]
    }

    fn name_attribute(&mut self, attribute: &str, source: Option<&str>) -> bool {
        match attribute {
            GROUPS => self.name_groups(source),
            ROLES => self.name_roles(source),
            _ => return false,
        }
        true
    }
}

/// The hosts of Microsoft Entra ID in its clouds.
const ENTRA: &[&str] = &[
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
];

/// The tenants of Entra that are no company: everybody, all companies, and all private accounts, which has
/// two names.
const ENTRA_SHARED: &[&str] = &[
    "common",
    "organizations",
    "consumers",
    "9188040d-6c67-4c5b-b112-36a304b66dad",
];

fn is_of_all_tenants(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let tenant = url.path_segments().and_then(|mut segments| segments.next());
    let tenant = tenant.unwrap_or_default().to_ascii_lowercase();
    ENTRA.contains(&host) && ENTRA_SHARED.contains(&tenant.as_str())
}
