//! What is known of providers: their metadata and their keys, fetched and kept for a while.
//!
//! Source: OIDC Discovery 1.0 §4; OIDC Core §10.1.1 (key rotation).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use genkan_protocol::jose::JwkSet;
use genkan_protocol::oidc::{DiscoveryError, ProviderMetadata, issuer_of, well_known_url};
use genkan_store::connection::OidcSettings;

use crate::app::App;
use crate::web::outbound::{OutboundError, Request};

/// How long metadata is believed without asking again.
const METADATA_AGE: Duration = Duration::from_mins(10);
/// How long keys are. An unknown `kid` asks at once, see [`MIN_REFETCH`].
const JWKS_AGE: Duration = Duration::from_mins(60);
/// Keys are not asked for again on account of a token more often than this,
/// whatever tokens name, so that made-up key ids cannot make us a load
/// generator. The first unknown key id is believed at once, however new the
/// keys are: a provider may rotate at any time.
const MIN_REFETCH: Duration = Duration::from_secs(5);
/// More documents than this are not kept.
const MAX_KEPT: usize = 5_000;

/// Why a provider's documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("{url}: {source}")]
    Fetch { url: String, source: OutboundError },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} is not a valid document: {reason}")]
    Invalid { url: String, reason: String },
    #[error("the provider names no {0}")]
    Missing(&'static str),
}

/// Documents by address.
#[derive(Debug, Default)]
pub(crate) struct MetadataCache {
    metadata: Mutex<HashMap<String, Kept<ProviderMetadata>>>,
    jwks: Mutex<HashMap<String, Kept<JwkSet>>>,
}

#[derive(Debug)]
struct Kept<T> {
    document: Arc<T>,
    at: Instant,
    /// It was fetched since its predecessor did not have what a token named.
    is_refetch: bool,
}

/// The endpoints of a provider, from its metadata or entered by hand.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub issuer: String,
    pub authorization: String,
    pub token: String,
    pub userinfo: Option<String>,
    pub jwks: String,
    /// The provider names itself in authorization responses (RFC 9207 §3).
    pub sends_iss: bool,
}

/// Finds the endpoints of a connection: by hand where entered, else by discovery.
///
/// # Errors
///
/// [`MetadataError`] if the metadata cannot be fetched or does not hold.
pub async fn endpoints(app: &App, settings: &OidcSettings) -> Result<Endpoints, MetadataError> {
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
        });
    }
    let found = discover(app, settings).await?;
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
    })
}

/// The address of the metadata document (OIDC Discovery §4): administrators
/// enter an issuer or, as often, the document's own address.
pub fn discovery_url(settings: &OidcSettings) -> String {
    settings
        .discovery_endpoint
        .clone()
        .unwrap_or_else(|| well_known_url(issuer_of(&settings.issuer)))
}

async fn discover(app: &App, settings: &OidcSettings) -> Result<Arc<ProviderMetadata>, MetadataError> {
    let url = discovery_url(settings);
    let expected = issuer_of(&settings.issuer);
    let fresh = known(&app.metadata().metadata, &url, |kept| {
        kept.at.elapsed() < METADATA_AGE
    });
    // Kept by address, but two connections may expect different issuers of it.
    if let Some(metadata) = fresh.filter(|metadata| metadata.validate(expected).is_ok()) {
        return Ok(metadata);
    }
    let body = fetch(app, settings, &url).await?;
    let invalid = |error: DiscoveryError| MetadataError::Invalid {
        url: url.clone(),
        reason: error.to_string(),
    };
    let metadata = ProviderMetadata::parse(&body).map_err(invalid)?;
    metadata.validate(expected).map_err(invalid)?;
    Ok(keep(&app.metadata().metadata, url, metadata, false))
}

/// The provider's keys. `unknown_kid` asks for them again if a token names a
/// key that is not among those we know, for the provider has rotated.
///
/// # Errors
///
/// [`MetadataError`] if they cannot be fetched or parsed.
pub async fn jwks(
    app: &App,
    settings: &OidcSettings,
    url: &str,
    unknown_kid: bool,
) -> Result<Arc<JwkSet>, MetadataError> {
    let suffices = |kept: &Kept<JwkSet>| match unknown_kid {
        false => kept.at.elapsed() < JWKS_AGE,
        true => kept.is_refetch && kept.at.elapsed() < MIN_REFETCH,
    };
    if let Some(known) = known(&app.metadata().jwks, url, suffices) {
        return Ok(known);
    }
    let body = fetch(app, settings, url).await?;
    let keys = JwkSet::parse(&body).map_err(|error| MetadataError::Invalid {
        url: url.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(keep(&app.metadata().jwks, url.to_owned(), keys, unknown_kid))
}

async fn fetch(app: &App, settings: &OidcSettings, url: &str) -> Result<Vec<u8>, MetadataError> {
    let request = Request::get(url, app.scheme(settings.insecure_http))
        .header(http::header::ACCEPT, "application/json".to_owned());
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

fn known<T>(
    kept: &Mutex<HashMap<String, Kept<T>>>,
    url: &str,
    suffices: impl FnOnce(&Kept<T>) -> bool,
) -> Option<Arc<T>> {
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = kept.get(url)?;
    suffices(entry).then(|| Arc::clone(&entry.document))
}

fn keep<T>(kept: &Mutex<HashMap<String, Kept<T>>>, url: String, document: T, is_refetch: bool) -> Arc<T> {
    let document = Arc::new(document);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MAX_KEPT {
        kept.clear();
    }
    kept.insert(
        url,
        Kept {
            document: Arc::clone(&document),
            at: Instant::now(),
            is_refetch,
        },
    );
    document
}
