//! `GET` and `POST /simulator/userinfo`: the claims again, for the access token.
//!
//! Source: OIDC Core §5.3, RFC 6750 §3.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use genkan_protocol::oauth::bearer;

use super::{Fault, Simulator, token};

/// `GET` and `POST /simulator/userinfo`.
pub(super) async fn claims(State(simulator): State<Simulator>, headers: HeaderMap) -> Response {
    let lines: Vec<&[u8]> = headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let token = bearer::parse(&lines).ok().flatten();
    let Some(authorization) = token.and_then(|token| simulator.find_access_token(token)) else {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    };
    let mut claims = authorization.profile.claims();
    match authorization.fault {
        Some(Fault::UserInfoOtherSubject) => {
            claims.insert("sub".to_owned(), "sim_somebody_else".into());
        }
        Some(Fault::NoEmail) => {
            claims.remove("email");
        }
        Some(Fault::UserInfoServerError) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::UserInfoNotJson) => return Html("<h1>Sign in</h1>").into_response(),
        Some(Fault::UserInfoHuge) => return token::huge(),
        _ => {}
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(claims)).into_response()
}
