//! `GET /healthz`: whether this node runs. `GET /readyz`: whether it can sign people in now.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;

use crate::app::App;
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
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "not ready: the database does not answer, or takes no writes"
        );
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer, or takes no writes\n",
        );
    }
    let key = match app.keyring().await {
        Ok(keyring) => keyring
            .signing_key(genkan_protocol::jose::Algorithm::Rs256, app.now())
            .is_ok(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "not ready: the signing keys cannot be read"
            );
            false
        }
    };
    if key {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "there is no signing key\n")
    }
}
