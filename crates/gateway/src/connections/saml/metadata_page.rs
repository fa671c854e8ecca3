//! `GET /sso/v1/saml/{connection}` and `…/metadata`: our metadata for the provider of a connection.
//!
//! They hold what its administrator enters, and are public: no secret, and nothing about the provider or
//! the organization. They are there before the connection is enabled, because they are needed to set it up.
//!
//! Source: SAML 2.0 Metadata §2.4.4, §4.1 (publication).

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use genkan_protocol::saml::SpMetadata;
use genkan_store::connection::key::{ConnectionKeys, Purpose};
use genkan_store::connection::{self, Connection, SamlSettings, ServiceProvider, SigningOption};
use genkan_store::{ConnectionId, Provider, Timestamp};
use http::{HeaderMap, header};

use super::keys::{Keeper, KeyFailure};
use crate::anonymous::{self, Work};
use crate::app::App;
use crate::web::error::PageError;
use crate::web::fallback;

/// Nobody needs a key from here sooner: it is published before it signs.
const CACHE: &str = "public, max-age=300";

/// Shibboleth can be set up to refuse metadata without an end, or with one that is farther away (its filter
/// RequiredValidUntil), and reads them again from their address. Any provider that imports them as a file would
/// drop us at their end, so those for others have none.
const VALIDITY: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The document, or the answer of a path that does not exist.
pub async fn show(
    State(app): State<App>,
    Path(connection): Path<String>,
    request: HeaderMap,
) -> Result<Response, PageError> {
    anonymous::charge(&app, Work::Page)?;
    let Some(connection) = find(&app, &connection).await? else {
        return Ok(fallback::not_found(request).await);
    };
    let Some(settings) = connection.settings.as_saml() else {
        return Ok(fallback::not_found(request).await);
    };
    let keys = Keeper::of(&app).keys(&connection).await?;
    let document = render((&connection, settings), &keys, app.issuer(), app.now());
    let file = format!("attachment; filename=\"{}-metadata.xml\"", connection.id);
    let headers = [
        // Metadata §4.1.1.
        (header::CONTENT_TYPE, "application/samlmetadata+xml".to_owned()),
        (header::CACHE_CONTROL, CACHE.to_owned()),
        // People store it and upload it at their provider. No browser shows it as a page of ours.
        (header::CONTENT_DISPOSITION, file),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, document).into_response())
}

async fn find(app: &App, text: &str) -> Result<Option<Connection>, PageError> {
    let Ok(id) = ConnectionId::parse(text) else {
        return Ok(None);
    };
    Ok(app.db().read(async |tx| connection::find(tx, &id).await).await?)
}

/// Metadata for the provider of `connection`.
fn render(
    (connection, settings): (&Connection, &SamlSettings),
    keys: &ConnectionKeys,
    public_url: &str,
    now: Timestamp,
) -> String {
    let own = ServiceProvider::of(connection, settings, public_url);
    let certificates = |purpose| -> Vec<Vec<u8>> {
        let keys = keys.in_metadata(purpose);
        keys.into_iter().map(|key| key.certificate.clone()).collect()
    };
    let encryption = match wants_encryption(connection, settings) {
        true => certificates(Purpose::Decryption),
        false => Vec::new(),
    };
    SpMetadata {
        entity_id: &own.entity_id,
        acs_url: &own.acs_url,
        valid_until: (connection.provider == Provider::Shibboleth).then(|| now + VALIDITY),
        requests_signed: settings.want_request_signed,
        wants_assertions_signed: settings.signing != SigningOption::Response,
        name_id_format: super::name_id_format(settings),
        signing_certificates: &certificates(Purpose::Signing),
        encryption_certificates: &encryption,
    }
    .render()
}

/// Whether we offer a key to encrypt to. AD FS and Entra ID encrypt by AES-CBC as soon as they see one, and
/// the first sign-in would fail. So they see it only if the connection asks for encryption.
fn wants_encryption(connection: &Connection, settings: &SamlSettings) -> bool {
    let encrypts_by_cbc = matches!(connection.provider, Provider::Adfs | Provider::MicrosoftAd);
    settings.assertion_encrypted || !encrypts_by_cbc
}

impl From<KeyFailure> for PageError {
    fn from(failure: KeyFailure) -> Self {
        match failure {
            KeyFailure::Store(error) => error.into(),
            failure => Self::internal(failure),
        }
    }
}
