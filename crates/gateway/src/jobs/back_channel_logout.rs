//! Tells applications that a session has ended.
//!
//! Source: OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5.

use std::time::Duration;

use futures_util::future::join_all;
use genkan_protocol::oidc::LogoutToken;
use genkan_protocol::oidc::claims::LogoutEvents;
use genkan_store::back_channel_logout::{self, BackChannelLogout};
use genkan_store::{TokenId, client};

use crate::app::App;
use crate::web::oauth_error::OAuthError;
use crate::web::outbound::Request;

/// How many deliveries run at once.
const BATCH: u32 = 16;
/// How long a claimed delivery is ours; another node takes it over after that.
const LEASE: Duration = Duration::from_secs(60);
/// Back-Channel Logout §2.4 recommends two minutes at most.
const LOGOUT_TOKEN_LIFETIME: Duration = Duration::from_mins(2);

/// Delivers what is due, until nothing is.
///
/// # Errors
///
/// If the store or the signing key fails; a refused delivery is no error.
pub async fn deliver_due(app: &App) -> Result<(), OAuthError> {
    loop {
        let now = app.now();
        let due = app
            .db()
            .tx(async |tx| back_channel_logout::claim_due(tx, BATCH, LEASE, now).await)
            .await?;
        if due.is_empty() {
            return Ok(());
        }
        for outcome in join_all(due.iter().map(|delivery| deliver(app, delivery))).await {
            outcome?;
        }
    }
}

async fn deliver(app: &App, delivery: &BackChannelLogout) -> Result<(), OAuthError> {
    let delivered = match logout_token(app, delivery).await? {
        Some(token) => post(app, delivery, &token).await,
        // The client is gone: there is nobody to tell.
        None => true,
    };
    let now = app.now();
    app.db()
        .tx(async |tx| {
            if delivered {
                back_channel_logout::delivered(tx, &delivery.id).await
            } else {
                back_channel_logout::failed(tx, app.at(now), delivery)
                    .await
                    .map(drop)
            }
        })
        .await?;
    Ok(())
}

async fn logout_token(app: &App, delivery: &BackChannelLogout) -> Result<Option<String>, OAuthError> {
    let now = app.now();
    let Some(client) = app
        .db()
        .read(async |tx| client::find(tx, &delivery.client_id).await)
        .await?
    else {
        return Ok(None);
    };
    let claims = LogoutToken {
        iss: app.issuer().to_owned(),
        aud: vec![delivery.client_id.to_string()],
        sub: delivery.user_id.to_string(),
        sid: delivery.session_id.to_string(),
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

async fn post(app: &App, delivery: &BackChannelLogout, token: &str) -> bool {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("logout_token", token)
        .finish();
    let request = Request::post_form(&delivery.uri, app.scheme(false), form);
    match app.outbound().send(request).await {
        Ok(answer) if answer.status.is_success() => true,
        Ok(answer) => {
            tracing::warn!(client = %delivery.client_id, status = answer.status.as_u16(), "back-channel logout refused");
            false
        }
        Err(error) => {
            tracing::warn!(client = %delivery.client_id, %error, "back-channel logout failed");
            false
        }
    }
}
