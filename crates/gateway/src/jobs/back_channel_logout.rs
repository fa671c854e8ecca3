//! Tells applications that a session has ended.
//!
//! Source: OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use genkan_protocol::oidc::LogoutToken;
use genkan_protocol::oidc::claims::LogoutEvents;
use genkan_store::back_channel_logout::{self, BackChannelLogout};
use genkan_store::{ClientId, TokenId, client};

use crate::app::App;
use crate::web::oauth_error::OAuthError;
use crate::web::outbound::Request;

/// How many deliveries to one client run at once.
const BATCH: u32 = 16;
/// How many clients are told at once.
const CLIENTS: usize = 32;
/// Who takes longer than this for a batch is slow.
const SLOW: Duration = Duration::from_secs(2);
/// How long a claimed delivery is ours; another node takes it over after that.
const LEASE: Duration = Duration::from_secs(60);
/// Back-Channel Logout §2.4 recommends two minutes at most.
const LOGOUT_TOKEN_LIFETIME: Duration = Duration::from_mins(2);

/// Delivers what is due. Each client is told on its own, so that one that hangs
/// keeps nobody waiting but itself.
///
/// # Errors
///
/// If the store or the signing key fails; a refused delivery is no error.
pub async fn deliver_due(app: &App) -> Result<(), OAuthError> {
    let now = app.now();
    let clients = app
        .db()
        .read(async |tx| back_channel_logout::due_clients(tx, now).await)
        .await?;
    let outcomes: Vec<_> = stream::iter(clients)
        .map(|client_id| deliver_to(app, client_id))
        .buffer_unordered(CLIENTS)
        .collect()
        .await;
    outcomes.into_iter().collect()
}

/// Delivers to one client until nothing is due, or until it turns out to be
/// slow or down: the rest then waits for the next round.
async fn deliver_to(app: &App, client_id: ClientId) -> Result<(), OAuthError> {
    loop {
        let (now, started) = (app.now(), Instant::now());
        let due = app
            .db()
            .tx(async |tx| back_channel_logout::claim_due(tx, &client_id, BATCH, LEASE, now).await)
            .await?;
        let mut is_well = !due.is_empty();
        for outcome in join_all(due.iter().map(|delivery| deliver(app, delivery))).await {
            is_well &= outcome?;
        }
        if !is_well || started.elapsed() > SLOW {
            return Ok(());
        }
    }
}

/// Says whether there is nothing more to deliver of it.
async fn deliver(app: &App, delivery: &BackChannelLogout) -> Result<bool, OAuthError> {
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
    Ok(delivered)
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
