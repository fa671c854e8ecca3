//! The metadata and keys of providers, fetched and cached for a while.
//!
//! Source: OIDC Discovery 1.0 §4; OIDC Core §10.1.1 (key rotation).

use std::sync::Arc;
use std::time::Duration;

use genkan_protocol::jose::JwkSet;
use genkan_protocol::oidc::{DiscoveryError, ProviderMetadata, issuer_of, well_known_url};
use genkan_store::connection::OidcSettings;

use crate::app::App;
use crate::documents::FetchedDocument;
pub use crate::documents::MetadataError;
use crate::outbound::{Request, Scheme};

/// How long metadata is used before it is fetched again.
const METADATA_AGE: Duration = Duration::from_mins(10);
/// How long keys are used. An unknown `kid` fetches them at once, see [`MIN_REFETCH`].
const JWKS_AGE: Duration = Duration::from_mins(60);
/// The shortest time between two fetches of keys because of tokens. It ensures that made-up key ids do not
/// make us send many requests. The first unknown key id fetches the keys at once, even if they are new,
/// because a provider may rotate at any time.
const MIN_REFETCH: Duration = Duration::from_secs(5);

/// The endpoints of a provider, from its metadata or from the settings.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub issuer: String,
    pub authorization: String,
    pub token: String,
    pub userinfo: Option<String>,
    pub jwks: String,
    /// The provider sends its issuer in authorization responses (RFC 9207 §3).
    pub sends_iss: bool,
    /// The supported values of `prompt`. Empty if the provider does not list them.
    pub prompts: Vec<String>,
    /// The endpoint for pushed authorization requests (RFC 9126 §5).
    pub pushed: Option<String>,
    /// It accepts only pushed requests.
    pub requires_pushed: bool,
}

/// Finds the endpoints of a connection: those of its settings, else by discovery.
///
/// # Errors
///
/// [`MetadataError`] if the metadata cannot be fetched or are invalid.
pub async fn endpoints(
    app: &App,
    settings: &OidcSettings,
    scheme: Scheme,
) -> Result<Endpoints, Arc<MetadataError>> {
    if let (Some(authorization), Some(token), Some(jwks)) =
        (&settings.authorize_uri, &settings.token_uri, &settings.jwks_uri)
    {
        return Ok(Endpoints {
            issuer: issuer_of(&settings.issuer).to_owned(),
            authorization: authorization.clone(),
            token: token.clone(),
            userinfo: settings.user_info_uri.clone(),
            jwks: jwks.clone(),
            sends_iss: false,
            prompts: Vec::new(),
            pushed: None,
            requires_pushed: false,
        });
    }
    let found = discover(app, settings, scheme).await?;
    let pick = |own: &Option<String>, found: &Option<String>, name| {
        own.clone()
            .or_else(|| found.clone())
            .ok_or(MetadataError::Missing(name))
    };
    Ok(Endpoints {
        issuer: found.issuer.clone(),
        authorization: pick(
            &settings.authorize_uri,
            &found.authorization_endpoint,
            "authorization_endpoint",
        )?,
        token: pick(&settings.token_uri, &found.token_endpoint, "token_endpoint")?,
        userinfo: settings
            .user_info_uri
            .clone()
            .or_else(|| found.userinfo_endpoint.clone()),
        jwks: pick(&settings.jwks_uri, &found.jwks_uri, "jwks_uri")?,
        sends_iss: found.authorization_response_iss_parameter_supported,
        prompts: found.prompt_values_supported.clone(),
        pushed: found.pushed_authorization_request_endpoint.clone(),
        requires_pushed: found.require_pushed_authorization_requests,
    })
}

/// The address of the metadata document (OIDC Discovery §4). Administrators enter an issuer or, as often,
/// the document's own address.
pub fn discovery_url(settings: &OidcSettings) -> String {
    settings
        .discovery_endpoint
        .clone()
        .unwrap_or_else(|| well_known_url(issuer_of(&settings.issuer)))
}

async fn discover(
    app: &App,
    settings: &OidcSettings,
    scheme: Scheme,
) -> Result<Arc<ProviderMetadata>, Arc<MetadataError>> {
    let url = discovery_url(settings);
    let expected = issuer_of(&settings.issuer);
    // Two connections may expect different issuers at one address.
    let name = name(scheme, &[&url, expected]);
    let fetch = || {
        let (app, expected) = (app.clone(), expected.to_owned());
        async move {
            let body = fetch(&app, scheme, &url).await?;
            let invalid = |error: DiscoveryError| MetadataError::Invalid {
                url: url.clone(),
                reason: error.to_string(),
            };
            let metadata = ProviderMetadata::parse(&body).map_err(invalid)?;
            metadata.validate(&expected).map_err(|error| match error {
                DiscoveryError::Missing(name) => MetadataError::Missing(name),
                error => invalid(error),
            })?;
            Ok(metadata)
        }
    };
    let suffices = |kept: &FetchedDocument<ProviderMetadata>| kept.age() < METADATA_AGE;
    app.documents().metadata.get(&name, false, suffices, fetch).await
}

/// The cache key of a document. A connection that requires TLS must not use what a connection without TLS
/// has fetched, nor the other way round.
fn name(scheme: Scheme, parts: &[&str]) -> String {
    format!("{scheme:?} {}", parts.join(" "))
}

/// The provider's keys. If a token names a key that we do not know, `unknown_kid` fetches them again,
/// because the provider has rotated.
///
/// # Errors
///
/// [`MetadataError`] if they cannot be fetched or parsed.
pub async fn jwks(
    app: &App,
    scheme: Scheme,
    url: &str,
    unknown_kid: bool,
) -> Result<Arc<JwkSet>, Arc<MetadataError>> {
    let suffices = |kept: &FetchedDocument<JwkSet>| match unknown_kid {
        false => kept.age() < JWKS_AGE,
        true => kept.is_refetch && kept.age() < MIN_REFETCH,
    };
    let fetch = || {
        let (app, url) = (app.clone(), url.to_owned());
        async move {
            let body = fetch(&app, scheme, &url).await?;
            JwkSet::parse(&body).map_err(|error| MetadataError::Invalid {
                url,
                reason: error.to_string(),
            })
        }
    };
    let name = name(scheme, &[url]);
    app.documents()
        .jwks
        .get(&name, unknown_kid, suffices, fetch)
        .await
}

async fn fetch(app: &App, scheme: Scheme, url: &str) -> Result<Vec<u8>, MetadataError> {
    let request = Request::get(url, scheme).header(http::header::ACCEPT, "application/json".to_owned());
    let answer = app
        .outbound()
        .send(request)
        .await
        .map_err(|source| MetadataError::Fetch {
            url: url.to_owned(),
            source,
        })?;
    if answer.status.is_success() {
        Ok(answer.body)
    } else {
        Err(MetadataError::Status {
            url: url.to_owned(),
            status: answer.status.as_u16(),
        })
    }
}
