//! `GET /keys`: the public keys that verify tokens.
//!
//! Source: RFC 7517 §5.

use axum::extract::State;
use axum::response::IntoResponse;
use http::header;

use crate::app::App;
use crate::web::oauth_error::OAuthError;

/// The key set. It changes only at a rotation, well before a new key signs.
pub async fn jwks(State(app): State<App>) -> Result<impl IntoResponse, OAuthError> {
    let keyring = app.keyring().await?;
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, keyring.jwks()))
}
