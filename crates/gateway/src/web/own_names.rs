//! The host names under which a development instance answers.
//!
//! A web page can point a name of its own at this machine (DNS rebinding). For the browser
//! we are then a part of that page's site, so the page could read the inbox and use the
//! simulator. The name in the request reveals it.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use genkan_web::host_name;

use crate::config::PublicUrl;

/// `router`, for requests to a loopback name or to the host of `public_url`.
pub fn own_names_only(router: Router, public_url: &PublicUrl) -> Router {
    router.layer(middleware::from_fn_with_state(public_url.clone(), check))
}

async fn check(State(public_url): State<PublicUrl>, request: Request, next: Next) -> Response {
    if host_name::is_own(request.uri(), request.headers(), Some(public_url.as_str())) {
        return next.run(request).await;
    }
    let text = format!(
        "This is a development instance of Genkan. It answers at localhost and at {public_url}, and \
         not under the name that was asked for. Open {public_url}, or start it with --public-url.\n"
    );
    // RFC 9110 §15.5.20.
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}
