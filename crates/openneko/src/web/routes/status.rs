//! `GET /api/auth/status`: which plugin signs people in here.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::web::app::App;
use crate::web::door::Door;
use crate::web::reply;

pub(super) async fn status(State(app): State<App>, headers: HeaderMap) -> Response {
    let body = match app.door().await {
        Ok(Door::Open(provider)) => json!({
            "provider": { "pluginName": provider.plugin_name, "providerLabel": provider.provider_label },
        }),
        Ok(Door::Pending(provider)) => json!({
            "provider": null,
            "pending": { "providerLabel": provider.provider_label },
        }),
        Ok(Door::Setup | Door::Lost(_) | Door::NoPublicUrl) => json!({ "provider": null }),
        Err(error) => return reply::unavailable(&headers, &error),
    };
    reply::json(StatusCode::OK, &body)
}
