//! `GET /sso/v1/saml/{connection}/failure`: why the answer that the provider's page posted signs nobody in.
//!
//! The failure was recorded at the POST, which has no cookie. Only the browser that began the sign-in learns
//! here which application it was for, and only for it the application is told. Every other browser sees the
//! reference of the trace.
//!
//! Source: RFC 6749 §4.1.2.1, §10.12.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use genkan_protocol::oauth::Parameters;
use genkan_store::interaction::Request;
use http::HeaderMap;

use super::{refusal, test_connection};
use crate::app::App;
use crate::connections::saml::{self, FailedSignIn};
use crate::web::error::PageError;

/// Tells the application, or the person.
pub async fn show(
    State(app): State<App>,
    Path(connection_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes()).ok();
    let sealed = parameters
        .as_ref()
        .and_then(|parameters| parameters.one(saml::PARAMETER).ok().flatten());
    let asked = (connection_id.as_str(), sealed.unwrap_or_default());
    let FailedSignIn {
        failure,
        trace_id,
        interaction,
    } = FailedSignIn::open(&app, &headers, asked).await?;
    let Some(interaction) = interaction else {
        return Err(failure.page(trace_id.as_ref()));
    };
    match &interaction.request {
        Request::Authorize(_) => refusal::tell(&app, &interaction, failure, trace_id).await,
        Request::TestConnection { test_id, .. } => {
            test_connection::tell(&app, (&interaction, test_id), failure, trace_id).await
        }
    }
}
