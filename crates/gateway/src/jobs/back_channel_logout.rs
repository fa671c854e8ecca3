//! Tells applications that a session has ended.
//!
//! Source: OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5.

use std::time::Duration;

use genkan_protocol::oidc::LogoutToken;
use genkan_protocol::oidc::claims::LogoutEvents;
use genkan_store::back_channel_logout::{self, BackChannelLogout};
use genkan_store::outbox::{self, Claim, Delivery, Kind};
use genkan_store::{TokenId, client};

use super::outbox::Round;
use crate::app::App;
use crate::outbound::Request;
use crate::web::oauth_error::OAuthError;

const ROUND: Round = Round {
    kind: Kind::BackChannelLogout,
    claim: Claim {
        limit: 16,
        lease: Duration::from_mins(1),
    },
    receivers: 32,
    patience: Duration::from_secs(2),
};

/// Back-Channel Logout §2.4 recommends two minutes at most.
const LOGOUT_TOKEN_LIFETIME: Duration = Duration::from_mins(2);

/// Delivers the due logout tokens. A slow client does not delay others.
///
/// # Errors
///
/// If the store or the signing key fails. A refused delivery is no error.
pub async fn deliver_due(app: &App) -> Result<(), OAuthError> {
    ROUND.deliver_due(app, |delivery| deliver(app, delivery)).await
}

/// Returns whether the client has accepted it, or nothing more can be done.
async fn deliver(app: &App, delivery: Delivery) -> Result<bool, OAuthError> {
    let logout = BackChannelLogout::read(delivery)?;
    let delivered = match logout_token(app, &logout).await? {
        Some(token) => post(app, &logout, &token).await,
        // The client was deleted, so there is nobody to tell.
        None => true,
    };
    let now = app.now();
    app.db()
        .tx(async |tx| {
            if delivered {
                outbox::delivered(tx, &logout.delivery).await
            } else {
                back_channel_logout::failed(tx, app.at(now), &logout)
                    .await
                    .map(drop)
            }
        })
        .await?;
    Ok(delivered)
}

async fn logout_token(app: &App, logout: &BackChannelLogout) -> Result<Option<String>, OAuthError> {
    let now = app.now();
    let Some(client) = app
        .db()
        .read(async |tx| client::find(tx, &logout.client_id).await)
        .await?
    else {
        return Ok(None);
    };
    let claims = LogoutToken {
        iss: app.issuer().to_owned(),
        aud: vec![logout.client_id.to_string()],
        sub: logout.user_id.to_string(),
        sid: logout.session_id.to_string(),
        jti: app.ids().next::<TokenId>(now).to_string(),
        iat: now.as_secs(),
        exp: (now + LOGOUT_TOKEN_LIFETIME).as_secs(),
        events: LogoutEvents::default(),
    };
    let keyring = app.keyring().await?;
    let key = keyring.signing_key(client.token_algorithm, now)?;
    Ok(Some(
        key.sign(LogoutToken::TYP, &claims)
            .map_err(crate::keys::KeyringError::from)?,
    ))
}

async fn post(app: &App, logout: &BackChannelLogout, token: &str) -> bool {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("logout_token", token)
        .finish();
    let request = Request::post_form(&logout.uri, app.scheme(false), form);
    match app.outbound().send(request).await {
        Ok(answer) if answer.status.is_success() => true,
        Ok(answer) => {
            tracing::warn!(client = %logout.client_id, status = answer.status.as_u16(), "back-channel logout refused");
            false
        }
        Err(error) => {
            tracing::warn!(client = %logout.client_id, %error, "back-channel logout failed");
            false
        }
    }
}
