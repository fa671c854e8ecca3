//! `GET /api/auth/session`: who is signed in.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::web::app::App;
use crate::web::reply;

pub(super) async fn session(State(app): State<App>, headers: HeaderMap) -> Response {
    let user = match app.signed_in(&headers).await {
        Ok(Some(signed_in)) => {
            let user = signed_in.session.user;
            json!({ "id": user.id, "email": user.email, "name": user.name })
        }
        Ok(None) => Value::Null,
        Err(error) => return reply::unavailable(&headers, &error),
    };
    reply::json(StatusCode::OK, &json!({ "user": user }))
}
