//! The gate: only signed-in people pass.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use url::form_urlencoded;

use crate::web::app::App;
use crate::web::reply;

/// Lets a request through with its [`SignedIn`](crate::web::app::SignedIn), or
/// sends it to the sign-in page; programs get 401.
///
/// It does not ask the plugin: people stay signed in while the plugin is down.
pub(crate) async fn require_sign_in(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match app.signed_in(request.headers()).await {
        Ok(Some(signed_in)) => {
            request.extensions_mut().insert(signed_in);
            next.run(request).await
        }
        Ok(None) => turn_away(&request),
        // Fails closed: without the database nobody can be recognised.
        Err(error) => reply::unavailable(request.headers(), &error),
    }
}

fn turn_away(request: &Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return reply::json(
            StatusCode::UNAUTHORIZED,
            &serde_json::json!({ "error": "not signed in" }),
        );
    }
    let location = match *request.method() {
        Method::GET | Method::HEAD if path != "/" || request.uri().query().is_some() => {
            let wanted = request
                .uri()
                .path_and_query()
                .map_or("/", |wanted| wanted.as_str());
            let wanted: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
            format!("/signin?returnTo={wanted}")
        }
        _ => "/signin".to_owned(),
    };
    let status = if request.method() == Method::GET || request.method() == Method::HEAD {
        StatusCode::FOUND
    } else {
        StatusCode::SEE_OTHER
    };
    reply::redirect(status, &location)
}
