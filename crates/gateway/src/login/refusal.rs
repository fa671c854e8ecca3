//! How a login ends without a sign-in. The outcome of the request itself is told
//! to the application ([`Refusal`]); what failed at the identity provider leaves a
//! trace, and goes to whom it concerns ([`failed`]).
//!
//! Source: RFC 6749 §4.1.2.1.

use axum::response::Response;
use genkan_protocol::oauth::{AuthorizationRequest, ErrorCode};
use genkan_store::TraceId;
use genkan_store::interaction::{Interaction, Request};

use super::route::Nowhere;
use crate::answer::{self, Answer};
use crate::app::App;
use crate::connections::{self, Failure, oidc};
use crate::web::error::PageError;
use crate::web::refused::{self, Refused};

/// Why an application hears an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request leads nowhere, or does so no more.
    Nowhere(Nowhere),
    /// Nobody could satisfy it, however they signed in.
    ForgedHint,
    /// Nobody knows whom the hint names.
    UnknownHint,
    /// Somebody would have to be asked, and the application forbids it.
    NoSession,
    /// Another person than the hint names.
    SomebodyElse,
    /// The person was asked and said no.
    Declined,
}

impl Refusal {
    /// An error of RFC 6749 §4.1.2.1 or OIDC Core §3.1.2.6, or the contract's.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nowhere(nowhere) => nowhere.code(),
            Self::ForgedHint => ErrorCode::InvalidRequest.as_str(),
            Self::UnknownHint | Self::NoSession | Self::SomebodyElse => ErrorCode::LoginRequired.as_str(),
            Self::Declined => ErrorCode::AccessDenied.as_str(),
        }
    }

    pub const fn description(self) -> &'static str {
        match self {
            Self::Nowhere(nowhere) => nowhere.description(),
            Self::ForgedHint => "id_token_hint was not issued here",
            Self::UnknownHint => "the key of the id_token_hint is known no more: sign the person in again",
            Self::NoSession => "no session in this browser satisfies the request",
            Self::SomebodyElse => "somebody else signed in than the id_token_hint names",
            Self::Declined => "the person did not go on with this sign-in",
        }
    }

    /// Tells the application; its developer can look up where a request led nowhere.
    pub(super) async fn answer(self, app: &App, request: &AuthorizationRequest) -> Response {
        if let Self::Nowhere(_) = self {
            let refused = Refused {
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

/// Keeps the trace of a failure and tells those who can do something about it.
///
/// # Errors
///
/// The page that the person sees; or the store fails.
pub(super) async fn failed(
    app: &App,
    interaction: &Interaction,
    failure: Failure,
) -> Result<Response, PageError> {
    let id = connections::trace::record(app, Some(interaction), &failure).await?;
    let Request::Authorize(request) = &interaction.request else {
        return Err(failure.page(id.as_ref(), &super::path(&interaction.id)));
    };
    // The provider's own answer goes to the application, which asked (RFC 6749 §4.1.2.1), and
    // so does what it asked for and cannot have. An answer that failed our checks stays here,
    // because it is the company's administrator who must mend it.
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
            let code = "authentication_not_completed";
            let why = "the sign-in at the identity provider was not completed";
            let description = with_reference(why, id.as_ref());
            let back = Answer::to(app, request).error_url(code, &description, request.state.as_deref());
            let page = failure.page(id.as_ref(), &super::path(&interaction.id));
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

/// Beyond so many failures in a minute no trace is kept, and so there is no reference.
fn with_reference(description: &str, id: Option<&TraceId>) -> String {
    match id {
        Some(id) => format!("{description} (reference {id})"),
        None => description.to_owned(),
    }
}
