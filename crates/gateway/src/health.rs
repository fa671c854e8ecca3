//! `GET /healthz`: whether this node runs. `GET /readyz`: whether it can sign people in now.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use genkan_protocol::jose::Algorithm;
use genkan_store::Error;
use http::StatusCode;

use crate::app::App;
use crate::keys::KeyringError;
use crate::web::oauth_error::no_store;

/// The routes for monitors and load balancers.
pub fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}

async fn ready(State(app): State<App>) -> impl IntoResponse {
    let (status, words) = readiness(&app).await;
    (status, no_store(), words)
}

/// 200 once the database answers and takes writes, there is a key to sign with and the clock is
/// right; else 503, also as soon as this node is told to stop.
async fn readiness(app: &App) -> (StatusCode, &'static str) {
    if app.node().is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "this node is stopping\n");
    }
    if app.node().clock_is_off() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the clock of this machine is off\n",
        );
    }
    if let Err(error) = app.db().ping().await {
        return database_away(&error);
    }
    let key = match app.keyring().await {
        Ok(keyring) => keyring.signing_key(Algorithm::Rs256, app.now()).map(drop),
        Err(error) => Err(error),
    };
    match key {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(KeyringError::NoKey(_)) => (StatusCode::SERVICE_UNAVAILABLE, "there is no signing key\n"),
        // It went away since it answered.
        Err(KeyringError::Store(Error::Database(error))) => database_away(&error),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "not ready: the signing keys cannot be read"
            );
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the signing keys cannot be read: see the log\n",
            )
        }
    }
}

fn database_away(error: &genkan_db::Error) -> (StatusCode, &'static str) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "not ready: the database does not answer, or takes no writes"
    );
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the database does not answer, or takes no writes\n",
    )
}
