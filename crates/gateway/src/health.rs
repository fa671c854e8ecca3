//! `GET /healthz`: whether this node runs. `GET /readyz`: whether it can sign people in now.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;

use crate::app::App;

/// For those who watch a node.
pub fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}

/// 200 once the database answers and there is a key to sign with, else 503.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if let Err(error) = app.db().ping().await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "not ready: the database does not answer"
        );
        return (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n");
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
