//! `GET /sso/v1/oidc/{connection}/callback`: the identity provider's answer.
//!
//! Source: OIDC Core §3.1.2.5, §3.1.2.6.

use std::net::IpAddr;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use genkan_store::interaction::Request;
use genkan_web::listener::ClientIp;
use http::HeaderMap;

use super::sign_in::{Authentication, Browser, sign_in};
use super::{refusal, test_connection, way_on};
use crate::app::App;
use crate::connections::{self, AnswerError, AnswerOutcome};
use crate::web::error::PageError;

/// Finishes what [`connections::start`] began.
pub async fn callback(
    State(app): State<App>,
    Path(connection_id): Path<String>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let raw = query.unwrap_or_default();
    let outcome = connections::finish(&app, &headers, &connection_id, raw.as_bytes()).await;
    conclude(&app, &headers, client_ip, (&connection_id, outcome)).await
}

/// Continues the login with the result of an answer, however the answer arrived.
pub(super) async fn conclude(
    app: &App,
    headers: &HeaderMap,
    client_ip: IpAddr,
    (connection_id, outcome): (&str, Result<AnswerOutcome, AnswerError>),
) -> Result<Response, PageError> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Err(way_on::page(app, headers, (connection_id, error)).await),
    };
    let interaction = &outcome.interaction;
    match (&interaction.request, outcome.result) {
        (Request::Authorize(_), Ok(identity)) => {
            let browser = Browser::of(app, headers, client_ip);
            let authentication = Authentication {
                claim: identity.claim(),
                auth_time: identity.auth_time,
                ends_at: identity.ends_at,
                trace: identity.trace,
                request: identity.request,
            };
            sign_in(app, &browser, interaction, authentication).await
        }
        (Request::Authorize(_), Err(failure)) => refusal::failed(app, interaction, failure).await,
        (Request::TestConnection { test_id, .. }, result) => {
            test_connection::finish(app, interaction, test_id, result).await
        }
    }
}
