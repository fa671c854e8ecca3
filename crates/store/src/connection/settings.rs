//! How to speak to a connection's provider: by OpenID Connect or by SAML. Holds no secret.

use std::collections::BTreeMap;

use genkan_protocol::oidc::issuer_of;
use genkan_protocol::saml::{IdpCertificate, IdpMetadata};
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::row::words;
use crate::{CertificateId, Stamp, Timestamp};

words! {
    /// How we authenticate at the provider's token endpoint.
    pub enum TokenAuthType {
        /// `client_secret_basic`
        BasicAuth = "BASIC_AUTH",
        /// `client_secret_post`
        UrlParams = "URL_PARAMS",
    }
}

words! {
    /// Where the provider's endpoints are known from.
    pub enum ConfigurationType {
        /// From its discovery document or metadata.
        Discovery = "DISCOVERY",
        /// Entered one by one.
        Manual = "MANUAL",
    }
}

words! {
    /// What a provider shall send as the name of a person (SAML Core §8.3).
    pub enum NameIdFormat {
        Unspecified = "UNSPECIFIED",
        Email = "EMAIL",
        Transient = "TRANSIENT",
        Persistent = "PERSISTENT",
    }
}

words! {
    /// How a message travels through the browser (SAML Bindings §3.4, §3.5).
    pub enum RequestBinding {
        HttpPost = "HTTP_POST",
        HttpRedirect = "HTTP_REDIRECT",
    }
}

words! {
    /// What of an answer must be signed. Nothing is no choice: an unsigned answer
    /// can be anybody's.
    pub enum SigningOption {
        Response = "SAML_ONLY_RESPONSE_SIGNING",
        Assertion = "SAML_ONLY_ASSERTION_SIGNING",
        Both = "SAML_RESPONSE_ASSERTION_SIGNING",
        Either = "SAML_RESPONSE_OR_ASSERTION_SIGNING",
    }
}

/// How to speak to the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Settings {
    #[serde(rename = "OIDC")]
    Oidc(OidcSettings),
    #[serde(rename = "SAML")]
    Saml(SamlSettings),
}

/// An OpenID Provider: by discovery, or each endpoint by hand.
///
/// While a connection is set up the texts may be empty; see
/// [`Connection::missing`](super::Connection::missing).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcSettings {
    /// Compared as text with `iss`.
    pub issuer: String,
    /// Where the metadata are, if not below the issuer.
    pub discovery_endpoint: Option<String>,
    pub authorize_uri: Option<String>,
    pub token_uri: Option<String>,
    pub user_info_uri: Option<String>,
    pub jwks_uri: Option<String>,
    /// What we are called there.
    pub client_id: String,
    pub scopes: Vec<String>,
    pub token_auth_type: TokenAuthType,
    pub pkce_enabled: bool,
    /// From our attribute (`email`, `given_name`, …) to their claim.
    #[serde(default)]
    pub attribute_mapping: BTreeMap<String, String>,
    /// The claim that lists a person's groups; `None`: the provider knows of none.
    pub groups_claim: Option<String>,
    /// The claim that lists a person's roles; `None`: it has no say in them.
    pub roles_claim: Option<String>,
    /// `groups_claim` was written by an upgrade, and nobody has chosen it since.
    #[serde(default)]
    pub groups_claim_by_upgrade: bool,
    /// No claim is named any more, or none ever was while `roles` gave roles all the
    /// same: it gives nothing and takes back what it gave, see [`Self::roles_from`].
    #[serde(default)]
    pub unnamed_roles_claim: bool,
    /// Push authorization requests to the provider (RFC 9126), also if its metadata do
    /// not say that it takes no others: some ask it of single clients.
    #[serde(default)]
    pub push_requests: bool,
    /// Development: the provider may be reached without TLS.
    #[serde(default)]
    pub insecure_http: bool,
    /// Accept an e-mail address that the provider itself marks as unverified.
    /// Safe only where people cannot enter their own address at the provider.
    #[serde(default)]
    pub trust_unverified_email: bool,
    /// Take only people whose claim `hd` is a domain of the organization, if the
    /// provider is Google; see [`super::hosted_domain`]. `None`: the connection is
    /// older than this check, which then only warns.
    #[serde(default)]
    pub check_hosted_domain: Option<bool>,
    /// Accept only an e-mail address that the provider itself marks as verified:
    /// for those where people enter their own, and which may say nothing of it.
    #[serde(default)]
    pub only_verified_email: bool,
    /// Sign people out at the provider too. Kept; Genkan does not do it yet.
    #[serde(default)]
    pub idp_logout_required: bool,
    /// People may begin at the provider, so any link may begin a sign-in here.
    #[serde(default)]
    pub allow_idp_initiated_login: bool,
    /// What the administrator chose; `None`: whichever the endpoints tell.
    #[serde(default)]
    pub configuration_type: Option<ConfigurationType>,
}

impl Default for OidcSettings {
    /// Nothing but what is right for most providers.
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
            attribute_mapping: BTreeMap::new(),
            groups_claim: None,
            roles_claim: None,
            groups_claim_by_upgrade: false,
            unnamed_roles_claim: false,
            insecure_http: false,
            push_requests: false,
            trust_unverified_email: false,
            check_hosted_domain: Some(true),
            only_verified_email: false,
            idp_logout_required: false,
            allow_idp_initiated_login: false,
            configuration_type: None,
        }
    }
}

impl OidcSettings {
    /// Whether the endpoints are entered by hand.
    pub fn configuration_type(&self) -> ConfigurationType {
        let is_complete = self.authorize_uri.is_some() && self.token_uri.is_some() && self.jwks_uri.is_some();
        self.configuration_type.unwrap_or(if is_complete {
            ConfigurationType::Manual
        } else {
            ConfigurationType::Discovery
        })
    }
}

/// A SAML identity provider: by the address of its metadata, or each part by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlSettings {
    pub idp_metadata_url: Option<String>,
    pub idp_entity_id: Option<String>,
    pub idp_sso_url: Option<String>,
    pub idp_sso_request_binding: RequestBinding,
    pub idp_slo_url: Option<String>,
    pub idp_slo_request_binding: RequestBinding,
    /// Sign people out at the provider too.
    pub idp_slo_required: bool,
    /// The keys that the provider may sign with.
    pub certificates: Vec<SamlCertificate>,
    pub name_id_format: NameIdFormat,
    pub signing: SigningOption,
    /// The provider shall ask for credentials at every sign-in.
    pub force_authn: bool,
    /// Assertions must be encrypted to us.
    pub assertion_encrypted: bool,
    /// We sign our requests.
    pub want_request_signed: bool,
    /// Which of our certificates signs them; `None`: the current one.
    pub certificate_id: Option<String>,
    pub allow_idp_initiated_login: bool,
    /// Where a sign-in that the provider began leads to, instead of the application's address.
    pub default_redirect_uri: Option<String>,
    /// Names of ours under which the provider knows us from before; `None`: our own.
    pub sp_entity_id: Option<String>,
    pub sp_assertion_url: Option<String>,
    pub sp_slo_url: Option<String>,
    /// From our attribute (`email`, `given_name`, …) to the name of theirs.
    pub attribute_mapping: BTreeMap<String, String>,
    /// Development: the metadata may be read without TLS.
    pub insecure_http: bool,
    /// What the administrator chose; `None`: whichever the settings tell.
    pub configuration_type: Option<ConfigurationType>,
}

impl Default for SamlSettings {
    fn default() -> Self {
        Self {
            idp_metadata_url: None,
            idp_entity_id: None,
            idp_sso_url: None,
            idp_sso_request_binding: RequestBinding::HttpRedirect,
            idp_slo_url: None,
            idp_slo_request_binding: RequestBinding::HttpRedirect,
            idp_slo_required: false,
            certificates: Vec::new(),
            name_id_format: NameIdFormat::Unspecified,
            signing: SigningOption::Either,
            force_authn: false,
            assertion_encrypted: false,
            want_request_signed: false,
            certificate_id: None,
            allow_idp_initiated_login: false,
            default_redirect_uri: None,
            sp_entity_id: None,
            sp_assertion_url: None,
            sp_slo_url: None,
            attribute_mapping: BTreeMap::new(),
            insecure_http: false,
            configuration_type: None,
        }
    }
}

/// A certificate of a SAML provider, read when it was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlCertificate {
    pub id: CertificateId,
    pub pem: String,
    /// Who issued it, for people to see.
    pub issuer: String,
    pub created_at: Timestamp,
    /// Its key is accepted beyond.
    pub expires_at: Timestamp,
}

impl SamlSettings {
    /// Whether the provider is described by hand.
    pub fn configuration_type(&self) -> ConfigurationType {
        self.configuration_type
            .unwrap_or(match (&self.idp_metadata_url, &self.idp_sso_url) {
                (None, Some(_)) => ConfigurationType::Manual,
                _ => ConfigurationType::Discovery,
            })
    }

    /// Replaces the provider's certificates. One that was known keeps its identifier.
    pub fn set_certificates(&mut self, at: Stamp<'_>, certificates: &[IdpCertificate]) {
        let known = std::mem::take(&mut self.certificates);
        self.certificates = certificates
            .iter()
            .map(|certificate| {
                let pem = certificate.to_pem();
                let before = known.iter().find(|known| known.pem == pem);
                before.cloned().unwrap_or_else(|| SamlCertificate {
                    id: at.id(),
                    pem,
                    issuer: certificate.issuer().to_owned(),
                    created_at: at.now,
                    expires_at: certificate.expires_at(),
                })
            })
            .collect();
    }

    /// Takes over what a metadata document says. By redirect where the provider
    /// has both: a redirect needs no script and no form.
    pub fn set_metadata(&mut self, at: Stamp<'_>, metadata: &IdpMetadata) {
        let pick = |redirect: &Option<String>, post: &Option<String>| match redirect {
            Some(url) => (Some(url.clone()), RequestBinding::HttpRedirect),
            None => (post.clone(), RequestBinding::HttpPost),
        };
        self.idp_entity_id = Some(metadata.entity_id.clone());
        (self.idp_sso_url, self.idp_sso_request_binding) =
            pick(&metadata.sso_redirect_url, &metadata.sso_post_url);
        (self.idp_slo_url, self.idp_slo_request_binding) =
            pick(&metadata.slo_redirect_url, &metadata.slo_post_url);
        if metadata.wants_signed_requests {
            self.want_request_signed = true;
        }
        self.set_certificates(at, &metadata.certificates);
    }
}

impl Settings {
    /// The settings of a new connection.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Oidc => Self::Oidc(OidcSettings::default()),
            Kind::Saml => Self::Saml(SamlSettings::default()),
        }
    }

    /// The protocol that is spoken.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Oidc(_) => Kind::Oidc,
            Self::Saml(_) => Kind::Saml,
        }
    }

    /// Those of an OpenID Provider.
    pub const fn as_oidc(&self) -> Option<&OidcSettings> {
        match self {
            Self::Oidc(settings) => Some(settings),
            Self::Saml(_) => None,
        }
    }

    pub const fn as_oidc_mut(&mut self) -> Option<&mut OidcSettings> {
        match self {
            Self::Oidc(settings) => Some(settings),
            Self::Saml(_) => None,
        }
    }

    /// Where the provider's endpoints are known from.
    pub fn configuration_type(&self) -> ConfigurationType {
        match self {
            Self::Oidc(settings) => settings.configuration_type(),
            Self::Saml(settings) => settings.configuration_type(),
        }
    }

    /// From our attribute to theirs.
    pub const fn attribute_mapping(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Oidc(settings) => &settings.attribute_mapping,
            Self::Saml(settings) => &settings.attribute_mapping,
        }
    }

    /// Whether the provider may be reached without TLS.
    pub const fn insecure_http(&self) -> bool {
        match self {
            Self::Oidc(settings) => settings.insecure_http,
            Self::Saml(settings) => settings.insecure_http,
        }
    }

    pub const fn set_insecure_http(&mut self, insecure_http: bool) {
        match self {
            Self::Oidc(settings) => settings.insecure_http = insecure_http,
            Self::Saml(settings) => settings.insecure_http = insecure_http,
        }
    }

    /// Whether our secret may reach somebody else than with the settings `before`:
    /// its way leads over the issuer, the discovery document and the token
    /// endpoint, and without TLS past anybody.
    pub(super) fn sends_secret_elsewhere(&self, before: &Self) -> bool {
        let (Self::Oidc(now), Self::Oidc(before)) = (self, before) else {
            return self.kind() != before.kind();
        };
        issuer_of(&now.issuer) != issuer_of(&before.issuer)
            || now.discovery_endpoint != before.discovery_endpoint
            || now.token_uri != before.token_uri
            || (now.insecure_http && !before.insecure_http)
    }

    /// Whose names for people are believed. Two providers may call different
    /// people the same.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Oidc(settings) => issuer_of(&settings.issuer),
            Self::Saml(settings) => settings
                .idp_entity_id
                .as_deref()
                .or(settings.idp_metadata_url.as_deref())
                .unwrap_or_default(),
        }
    }
}
