//! A login that ends at the identity provider: it cannot be asked, it said no,
//! its answer did not hold, or our own rules refuse whom it names.
//!
//! Source: RFC 6749 §4.1.2.1.

use axum::response::Response;
use genkan_protocol::oauth::ErrorCode;
use genkan_store::TraceId;
use genkan_store::interaction::{Interaction, Request};

use crate::answer::{self, Answer};
use crate::app::App;
use crate::connections::{self, Failure, oidc};
use crate::web::error::PageError;

/// Keeps the trace of a failure and tells those who can do something about it.
///
/// # Errors
///
/// The page that the person sees; or the store fails.
pub(super) async fn refuse(
    app: &App,
    interaction: &Interaction,
    failure: Failure,
) -> Result<Response, PageError> {
    let id = connections::trace::record(app, Some(interaction), &failure).await?;
    let Request::Authorize(request) = &interaction.request else {
        return Err(failure.page(id.as_ref(), &super::path(&interaction.id)));
    };
    // What the provider itself answers goes to the application, which asked (contract §2.9), and
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
