//! `GET /signin`: the door.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::{begin, is_operator};
use crate::web::app::App;
use crate::web::client_ip::ClientIp;
use crate::web::page;
use crate::web::problem::{self, Problem};
use crate::web::query::Query;
use crate::web::templates::SignInPage;
use crate::web::{reply, return_path};

/// The word in the address after a sign-out.
pub(super) const SIGNED_OUT: &str = "signed_out";

pub(super) async fn sign_in(
    State(app): State<App>,
    Extension(client): Extension<ClientIp>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let door = match app.door().await {
        Ok(door) => door,
        Err(error) => return reply::unavailable(&headers, &error),
    };
    let query = Query::parse(query.as_deref()).unwrap_or_default();
    let return_to = return_path::parse(query.get("returnTo").unwrap_or_default());
    let (token, line) = begin::form_token(&app, &headers);
    let mut response = page::page(
        StatusCode::OK,
        &SignInPage {
            door: &door,
            problem: query.get("error").map(Problem::of_code),
            reference: query.get("reference").and_then(problem::reference),
            signed_out: query.get("notice") == Some(SIGNED_OUT),
            return_to: &return_to,
            token: &token,
            is_operator: is_operator(&app, client),
        },
    );
    response
        .headers_mut()
        .extend(line.map(|line| (header::SET_COOKIE, line)));
    response
}
