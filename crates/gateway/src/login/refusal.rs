//! How a login ends without a sign-in. The outcome of the request itself goes to the application
//! ([`Refusal`]). A failure at the identity provider leaves a trace, and goes to those who can correct it
//! ([`failed`]).
//!
//! Source: RFC 6749 §4.1.2.1.

use axum::response::Response;
use genkan_protocol::oauth::{AuthorizationRequest, ErrorCode};
use genkan_store::TraceId;
use genkan_store::interaction::{Interaction, Request};

use super::route::NoTarget;
use crate::answer::{self, Answer};
use crate::app::App;
use crate::connections::{self, SignInFailure, oidc};
use crate::web::error::PageError;
use crate::web::refused::{self, RefusedRequest};

/// Why an application gets an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request leads to no connection, or no longer.
    NoTarget(NoTarget),
    /// The hint is forged, so no sign-in could satisfy the request.
    ForgedHint,
    /// The hint cannot be verified, so it names nobody.
    UnknownHint,
    /// The person would have to be asked, and the application forbids it.
    NoSession,
    /// Another person signed in than the hint names.
    SomebodyElse,
    /// The person was asked and declined.
    Declined,
}

impl Refusal {
    /// An error of RFC 6749 §4.1.2.1 or OIDC Core §3.1.2.6, or the contract's.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoTarget(no_target) => no_target.code(),
            Self::ForgedHint => ErrorCode::InvalidRequest.as_str(),
            Self::UnknownHint | Self::NoSession | Self::SomebodyElse => ErrorCode::LoginRequired.as_str(),
            Self::Declined => ErrorCode::AccessDenied.as_str(),
        }
    }

    pub const fn description(self) -> &'static str {
        match self {
            Self::NoTarget(no_target) => no_target.description(),
            Self::ForgedHint => "id_token_hint was not issued here",
            Self::UnknownHint => "the key of the id_token_hint is known no more: sign the person in again",
            Self::NoSession => "no session in this browser satisfies the request",
            Self::SomebodyElse => "somebody else signed in than the id_token_hint names",
            Self::Declined => "the person did not go on with this sign-in",
        }
    }

    /// Tells the application. If the request led nowhere, its developer can look up why.
    pub(super) async fn answer(self, app: &App, request: &AuthorizationRequest) -> Response {
        if let Self::NoTarget(_) = self {
            let refused = RefusedRequest {
                endpoint: "authorize",
                client_id: &request.client_id,
                is_known: true,
                reason: self.code(),
                description: self.description(),
                redirect_uri: None,
            };
            refused::record(app, refused).await;
        }
        let answer = Answer::to(app, request);
        answer.error_named(self.code(), self.description(), request.state.as_deref())
    }
}

/// Stores the trace of a failure, and tells those who can correct it.
///
/// # Errors
///
/// The page for the person. Or the store has failed.
pub(super) async fn failed(
    app: &App,
    interaction: &Interaction,
    failure: SignInFailure,
) -> Result<Response, PageError> {
    let id = connections::trace::record(app, interaction, &failure).await?;
    tell(app, interaction, failure, id).await
}

/// Tells those who can correct a failure. Call it only for the browser that began the sign-in, because the
/// application's `state` is told (RFC 6749 §10.12).
///
/// # Errors
///
/// The page for the person. Or the store has failed.
pub(super) async fn tell(
    app: &App,
    interaction: &Interaction,
    failure: SignInFailure,
    id: Option<TraceId>,
) -> Result<Response, PageError> {
    let Request::Authorize(request) = &interaction.request else {
        return Err(failure.page(id.as_ref()).try_again(&super::path(&interaction.id)));
    };
    // The provider's own error goes to the application (RFC 6749 §4.1.2.1), and so does an impossible
    // request. If an answer failed our checks, a page of ours says so, because the company's administrator
    // must correct it.
    if let Some((code, description)) = failure.for_application {
        answer::application_of(app, request).await?;
        let description = with_reference(description, id.as_ref());
        return Ok(Answer::to(app, request).error_named(code, &description, request.state.as_deref()));
    }
    match &failure.provider_error {
        Some(error) => {
            answer::application_of(app, request).await?;
            let code = error.error.parse().unwrap_or(ErrorCode::AccessDenied);
            let answered = format!("the identity provider answered {}", oidc::shown(error));
            let description = with_reference(&answered, id.as_ref());
            Ok(Answer::to(app, request).error(code, &description, request.state.as_deref()))
        }
        None => {
            let code = failure.code;
            let why = "the sign-in at the identity provider was not completed";
            let description = with_reference(why, id.as_ref());
            let back = Answer::to(app, request).error_url(code, &description, request.state.as_deref());
            let page = failure.page(id.as_ref()).try_again(&super::path(&interaction.id));
            Err(match answer::application_of(app, request).await {
                Ok(cached) => {
                    let name = &cached.client.name;
                    page.application(name).back(format!("Back to {name}"), &back)
                }
                Err(_) => page,
            })
        }
    }
}

/// After too many failures in a minute no trace is stored, so there is no reference.
fn with_reference(description: &str, id: Option<&TraceId>) -> String {
    match id {
        Some(id) => format!("{description} (reference {id})"),
        None => description.to_owned(),
    }
}
