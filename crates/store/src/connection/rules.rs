//! What a connection must be like: to be stored, and to be used.
//!
//! The API and the command line hold to the same rules.

use url::Url;

use super::settings::{ConfigurationType, OidcSettings, SamlSettings, Settings};
use super::{Connection, Status};

/// The most attributes that can be mapped, as in the contract.
pub const MAX_ATTRIBUTES: usize = 30;
const MAX_ATTRIBUTE_NAME: usize = 100;
const MAX_ATTRIBUTE_VALUE: usize = 256;
/// Longer addresses meet limits of browsers and servers.
const MAX_URL: usize = 2048;
const MAX_TEXT: usize = 256;
const MAX_CLIENT_ID: usize = 512;
const MAX_CERTIFICATES: usize = 10;

/// A value that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The field as the contract calls it.
    pub field: &'static str,
    /// It is one of the protocol's settings, not of the connection itself.
    pub in_settings: bool,
    /// What is wrong with it, to stand after its name: "is not an address …".
    pub what: String,
}

impl Mistake {
    fn new(field: &'static str, what: impl Into<String>) -> Self {
        Self {
            field,
            in_settings: true,
            what: what.into(),
        }
    }

    fn of_connection(field: &'static str, what: impl Into<String>) -> Self {
        Self {
            in_settings: false,
            ..Self::new(field, what)
        }
    }
}

impl Connection {
    /// Checks the form of everything that is entered; whether it suffices is
    /// [`Self::missing`]. Without `http_allowed` a provider needs TLS, unless the
    /// connection itself does without.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`].
    pub fn check(&self, http_allowed: bool) -> Result<(), Mistake> {
        short("name", &self.name, MAX_TEXT).map_err(of_connection)?;
        for (field, text) in [
            ("ui_button_title", &self.ui_button_title),
            ("key_id", &self.key_id),
        ] {
            short(field, text.as_deref().unwrap_or_default(), 300).map_err(of_connection)?;
        }
        check_mapping(&self.settings)?;
        let http_allowed = http_allowed || self.settings.insecure_http();
        match &self.settings {
            Settings::Oidc(settings) => {
                check_oidc(settings, http_allowed)?;
                check_shared_issuer(&self.settings)
            }
            Settings::Saml(settings) => check_saml(settings, http_allowed),
        }
    }

    /// What must be entered before people can sign in through it, as the
    /// contract calls the fields; empty if nothing is missing.
    pub fn missing(&self) -> Vec<&'static str> {
        let required: Vec<(&'static str, bool)> = match &self.settings {
            Settings::Oidc(settings) => {
                let by_hand = settings.configuration_type() == ConfigurationType::Manual;
                vec![
                    ("issuer", !settings.issuer.is_empty()),
                    ("client_id", !settings.client_id.is_empty()),
                    ("client_secret", self.client_secret_sealed.is_some()),
                    ("authorize_uri", !by_hand || settings.authorize_uri.is_some()),
                    ("token_uri", !by_hand || settings.token_uri.is_some()),
                    ("jwks_uri", !by_hand || settings.jwks_uri.is_some()),
                ]
            }
            Settings::Saml(settings) => match settings.configuration_type() {
                ConfigurationType::Discovery => {
                    vec![("idp_metadata_url", settings.idp_metadata_url.is_some())]
                }
                ConfigurationType::Manual => vec![
                    ("idp_entity_id", settings.idp_entity_id.is_some()),
                    ("idp_sso_url", settings.idp_sso_url.is_some()),
                    ("idp_certificate", !settings.certificates.is_empty()),
                ],
            },
        };
        let missing = required.into_iter().filter(|(_, is_there)| !is_there);
        missing.map(|(field, _)| field).collect()
    }

    /// How far the set-up has come.
    pub fn status(&self) -> Status {
        let is_touched = match &self.settings {
            Settings::Oidc(settings) => {
                let blank = OidcSettings {
                    attribute_mapping: settings.attribute_mapping.clone(),
                    // A draft from before this check has nothing entered either.
                    check_hosted_domain: settings.check_hosted_domain,
                    groups_claim: settings.groups_claim.clone(),
                    roles_claim: settings.roles_claim.clone(),
                    groups_claim_by_upgrade: settings.groups_claim_by_upgrade,
                    unnamed_roles_claim: settings.unnamed_roles_claim,
                    ..OidcSettings::default()
                };
                *settings != blank || self.client_secret_sealed.is_some()
            }
            Settings::Saml(settings) => {
                let blank = SamlSettings {
                    attribute_mapping: settings.attribute_mapping.clone(),
                    ..SamlSettings::default()
                };
                *settings != blank
            }
        };
        match (self.missing().is_empty(), is_touched) {
            (true, _) => Status::Completed,
            (false, true) => Status::InProgress,
            (false, false) => Status::Draft,
        }
    }
}

fn of_connection(mistake: Mistake) -> Mistake {
    Mistake {
        in_settings: false,
        ..mistake
    }
}

fn check_mapping(settings: &Settings) -> Result<(), Mistake> {
    const FIELD: &str = "attribute_mapping";
    let mapping = settings.attribute_mapping();
    if mapping.len() > MAX_ATTRIBUTES {
        let what = format!("maps more than {MAX_ATTRIBUTES} attributes");
        return Err(Mistake::of_connection(FIELD, what));
    }
    for (ours, theirs) in mapping {
        let fits = |text: &str, max: usize| (1..=max).contains(&text.len()) && is_printable(text);
        if !fits(ours, MAX_ATTRIBUTE_NAME) || !fits(theirs, MAX_ATTRIBUTE_VALUE) {
            let what = format!(
                "has a name that is empty, longer than {MAX_ATTRIBUTE_NAME} (ours) or {MAX_ATTRIBUTE_VALUE} \
                 (theirs) bytes, or not printable"
            );
            return Err(Mistake::of_connection(FIELD, what));
        }
    }
    Ok(())
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

/// What of Entra's addresses is no company: everybody, all companies, all private
/// accounts, by their two names.
const ENTRA_SHARED: &[&str] = &[
    "common",
    "organizations",
    "consumers",
    "9188040d-6c67-4c5b-b112-36a304b66dad",
];

/// Refuses the addresses of Entra that belong to no company. The tokens of most of
/// them name the person's own tenant as issuer, so nobody could sign in; those of the
/// tenant of private accounts name itself, so everybody could.
pub(super) fn check_shared_issuer(settings: &Settings) -> Result<(), Mistake> {
    let Some(settings) = settings.as_oidc() else {
        return Ok(());
    };
    let addresses = [
        ("issuer", Some(&settings.issuer)),
        ("discovery_endpoint", settings.discovery_endpoint.as_ref()),
        ("authorize_uri", settings.authorize_uri.as_ref()),
    ];
    for (field, text) in addresses {
        let url = text.and_then(|text| Url::parse(text).ok());
        let is_shared = url.is_some_and(|url| {
            let host = url.host_str().unwrap_or_default().trim_end_matches('.');
            let tenant = url.path_segments().and_then(|mut segments| segments.next());
            let tenant = tenant.unwrap_or_default().to_ascii_lowercase();
            ENTRA.contains(&host) && ENTRA_SHARED.contains(&tenant.as_str())
        });
        if is_shared {
            let what = "is of all tenants of Microsoft Entra ID and not of one company: write \
                        https://login.microsoftonline.com/TENANT-ID/v2.0, with the tenant id that stands at \
                        entra.microsoft.com under Identity, Overview (\"Tenant ID\")";
            return Err(Mistake::new(field, what));
        }
    }
    Ok(())
}

fn check_oidc(settings: &OidcSettings, http_allowed: bool) -> Result<(), Mistake> {
    if !settings.issuer.is_empty() {
        let url = address("issuer", &settings.issuer, http_allowed)?;
        // OIDC Core §2: an issuer has no query and no fragment.
        if url.query().is_some() {
            return Err(Mistake::new("issuer", "must not have a query"));
        }
    }
    let endpoints = [
        ("discovery_endpoint", &settings.discovery_endpoint),
        ("authorize_uri", &settings.authorize_uri),
        ("token_uri", &settings.token_uri),
        ("user_info_uri", &settings.user_info_uri),
        ("jwks_uri", &settings.jwks_uri),
    ];
    for (field, url) in endpoints {
        if let Some(url) = url {
            address(field, url, http_allowed)?;
        }
    }
    short("client_id", &settings.client_id, MAX_CLIENT_ID)?;
    for (field, claim) in [
        ("groups_claim", &settings.groups_claim),
        ("roles_claim", &settings.roles_claim),
    ] {
        short(field, claim.as_deref().unwrap_or_default(), MAX_TEXT)?;
    }
    // RFC 6749 §3.3: printable ASCII without quotes and backslashes.
    let is_scope = |scope: &String| {
        (1..=MAX_TEXT).contains(&scope.len())
            && scope
                .bytes()
                .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    if settings.scopes.len() > 50 || !settings.scopes.iter().all(is_scope) {
        return Err(Mistake::new("scopes", "has a word that is no scope, or too many"));
    }
    Ok(())
}

fn check_saml(settings: &SamlSettings, http_allowed: bool) -> Result<(), Mistake> {
    if let Some(url) = &settings.idp_metadata_url {
        address("idp_metadata_url", url, http_allowed)?;
    }
    // The browser goes there, not we: what it carries is signed or public.
    for (field, url) in [
        ("idp_sso_url", &settings.idp_sso_url),
        ("idp_slo_url", &settings.idp_slo_url),
        ("default_redirect_uri", &settings.default_redirect_uri),
        ("sp_assertion_url", &settings.sp_assertion_url),
        ("sp_slo_url", &settings.sp_slo_url),
    ] {
        if let Some(url) = url {
            address(field, url, http_allowed)?;
        }
    }
    // SAML Core §8.3.6: an entity is named by a URI of at most 1024 characters.
    for (field, id) in [
        ("idp_entity_id", &settings.idp_entity_id),
        ("sp_entity_id", &settings.sp_entity_id),
    ] {
        short(field, id.as_deref().unwrap_or_default(), 1024)?;
    }
    short(
        "certificate_id",
        settings.certificate_id.as_deref().unwrap_or_default(),
        MAX_TEXT,
    )?;
    if settings.certificates.len() > MAX_CERTIFICATES {
        let what = format!("holds more than {MAX_CERTIFICATES} certificates");
        return Err(Mistake::new("idp_certificate", what));
    }
    Ok(())
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn short(field: &'static str, text: &str, max_bytes: usize) -> Result<(), Mistake> {
    if text.len() > max_bytes {
        return Err(Mistake::new(field, format!("is longer than {max_bytes} bytes")));
    }
    if !is_printable(text) {
        return Err(Mistake::new(field, "has characters that cannot be printed"));
    }
    Ok(())
}

/// An address that we or a browser may call.
fn address(field: &'static str, text: &str, http_allowed: bool) -> Result<Url, Mistake> {
    let refuse = |what: &str| Err(Mistake::new(field, what));
    if text.len() > MAX_URL {
        return Err(Mistake::new(field, format!("is longer than {MAX_URL} bytes")));
    }
    // The parser would quietly drop what stands around and between.
    if text
        .chars()
        .any(|letter| letter.is_control() || letter.is_whitespace())
    {
        return refuse("has a space or a character that cannot be printed");
    }
    let Ok(url) = Url::parse(text) else {
        return refuse("is not an address such as https://login.example.com");
    };
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return refuse("must be https, a host and perhaps a path, without a user");
    }
    if url.fragment().is_some() {
        return refuse("must not have a fragment");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if http_allowed => Ok(url),
        "http" => refuse("is not https: anybody on the way could sign in as anybody"),
        _ => refuse("must begin with https://"),
    }
}
