//! `GET /sso/v1/oidc/{connection}/init`: a login that begins at the identity provider.
//!
//! Nobody is signed in by it: the browser is sent to the application's own login
//! address with a short-lived token, and an ordinary login follows.
//!
//! Source: OIDC Core §4.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use genkan_protocol::oauth::{Parameters, append_query};
use genkan_protocol::oidc::{IdpInitiatedLogin, issuer_of};
use genkan_store::{ConnectionId, Error, client, connection};

use crate::anonymous::{self, Work};
use crate::app::App;
use crate::keys::KeyringError;
use crate::web::error::PageError;

/// How long the application may take to begin the login.
const LIFETIME_SECS: i64 = 300;

/// An e-mail address is no longer.
const MAX_LOGIN_HINT: usize = 320;
const MAX_TARGET: usize = 2048;

/// What anybody may write here we sign, so it stays small.
fn bounded(text: Option<&str>, max_bytes: usize) -> Result<Option<String>, PageError> {
    match text {
        Some(text) if text.len() > max_bytes => {
            Err(PageError::invalid_request("The address is garbled or too long."))
        }
        text => Ok(text.map(ToOwned::to_owned)),
    }
}

/// Takes the provider's hint and hands it to the application.
pub async fn oidc(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())
        .map_err(|_| PageError::invalid_request("The address is garbled or too long."))?;
    let one = |name: &'static str| parameters.one(name).ok().flatten();
    let id = ConnectionId::parse(&id).map_err(|_| PageError::unknown_connection())?;
    let (found, login_uri) = app
        .db()
        .read(async |tx| -> Result<_, Error> {
            Ok((
                connection::find(tx, &id).await?,
                client::initiate_login_uri(tx).await?,
            ))
        })
        .await?;
    let connection = found
        .filter(|connection| connection.enabled)
        .ok_or_else(PageError::unknown_connection)?;
    let settings = connection
        .settings
        .as_oidc()
        .ok_or_else(PageError::unknown_connection)?;
    // OIDC Core §4: the issuer is required, and must be one we know.
    if one("iss").is_none_or(|issuer| issuer != issuer_of(&settings.issuer)) {
        return Err(PageError::invalid_request(
            "The identity provider is not the one of this connection.",
        ));
    }
    let Some(login_uri) = login_uri else {
        return Err(PageError::no_initiate_login_uri());
    };
    anonymous::charge(&app, Work::Sign)?;
    let now = app.now().as_secs();
    let claims = IdpInitiatedLogin {
        iss: app.issuer().to_owned(),
        connection_id: connection.id.to_string(),
        organization_id: connection
            .organization_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        login_hint: bounded(one("login_hint"), MAX_LOGIN_HINT)?,
        relay_state: bounded(one("target_link_uri"), MAX_TARGET)?,
        iat: now,
        nbf: now,
        exp: now + LIFETIME_SECS,
    };
    let keyring = app.keyring().await?;
    let key = keyring.signing_key(genkan_protocol::jose::Algorithm::Rs256, app.now())?;
    let token = key
        .sign(IdpInitiatedLogin::TYP, &claims)
        .map_err(KeyringError::from)?;
    let target = append_query(&login_uri, &[("idp_initiated_login", &token)]);
    Ok(([(http::header::CACHE_CONTROL, "no-store")], Redirect::to(&target)).into_response())
}
