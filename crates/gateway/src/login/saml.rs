//! `POST /sso/v1/saml/{connection}/callback` and `GET …/callback/{handle}`: the assertion consumer service.
//!
//! The provider's page posts its answer, so none of our cookies comes along. The POST checks the answer and
//! shows what is wrong with it. A good one waits until the browser fetches it by a GET, which has the
//! cookie. There it counts.
//!
//! Any site may post here, so nothing asks where the form comes from.
//!
//! Source: SAML Bindings §3.5, SAML Profiles §4.1.4, RFC 6265bis §5.6.7.1.

use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use genkan_store::parked_answer::Content;
use genkan_store::{ConnectionId, client};
use genkan_web::form::is_form;
use genkan_web::listener::{BodyLimit, ClientIp};
use http::{HeaderMap, header};

use super::answer_body::AnswerBody;
use super::init::{self, ProviderHints};
use super::{callback, way_on};
use crate::app::App;
use crate::connections::saml::{self, InitiatedSignIn, MAX_BODY_BYTES, PostOutcome};
use crate::connections::{self, AnswerError, AnswerOutcome, SignInFailure};
use crate::web::error::PageError;

/// The address of answers.
pub(super) fn answer() -> MethodRouter<App> {
    // A redirect brings no answer here (SAML Profiles §4.1.2), but people come back to this address.
    get(callback::callback).post(receive).layer(from_fn(longer))
}

/// Lets an answer be longer than other forms.
async fn longer(request: Request, next: Next) -> Response {
    if let Some(limit) = request.extensions().get::<BodyLimit>() {
        limit.set(MAX_BODY_BYTES);
    }
    next.run(request).await
}

/// Checks an answer, and keeps it for the browser.
async fn receive(
    State(app): State<App>,
    Path(connection_id): Path<String>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
    AnswerBody(body): AnswerBody,
) -> Result<Response, PageError> {
    if !is_form(&headers) {
        return Err(PageError::invalid_request(
            "The identity provider's answer is no form.",
        ));
    }
    match saml::receive(&app, &connection_id, &body).await {
        // 303, so that the browser follows with a GET (RFC 9110 §15.4.4).
        Ok(PostOutcome::Parked(address)) => {
            Ok(([(header::CACHE_CONTROL, "no-store")], Redirect::to(&address)).into_response())
        }
        Ok(PostOutcome::Failed {
            interaction: Some(interaction),
            failure,
        }) => {
            let outcome = AnswerOutcome {
                interaction: *interaction,
                result: Err(failure),
            };
            callback::conclude(&app, &headers, client_ip, (&connection_id, Ok(outcome))).await
        }
        Ok(PostOutcome::Failed {
            interaction: None,
            failure,
        }) => Err(unexpected(&app, &failure).await?),
        Ok(PostOutcome::Initiated(began)) => hand_over(&app, *began).await,
        Err(AnswerError::Unsolicited) => Err(way_on::unsolicited(&app, &headers, &connection_id).await),
        Err(AnswerError::Page(page)) => Err(page),
    }
}

/// The page for an answer that no sign-in here waits for.
async fn unexpected(app: &App, failure: &SignInFailure) -> Result<PageError, PageError> {
    let id = connections::trace::record_stranger(app, failure).await?;
    Ok(failure.page(id.as_ref()))
}

/// Sends the browser to the application, where an ordinary sign-in begins.
async fn hand_over(app: &App, sign_in: InitiatedSignIn) -> Result<Response, PageError> {
    let settings = sign_in.connection.settings.as_saml();
    let chosen = settings.and_then(|settings| settings.default_redirect_uri.clone());
    let start = app
        .db()
        .read(async |tx| client::login_start(tx, chosen.as_deref()).await)
        .await?
        .ok_or_else(init::no_initiate_login_uri)?;
    let hints = ProviderHints {
        login_hint: sign_in.login_hint,
        relay_state: sign_in.relay_state,
    };
    init::hand_over(app, &sign_in.connection, &start, hints).await
}

/// Uses up the answer that waits for this browser.
pub(super) async fn fetch(
    State(app): State<App>,
    Path((connection_id, handle)): Path<(String, String)>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let parked = (Content::Assertion, handle.as_str());
    let finished = connections::finish_parked(&app, &headers, &connection_id, parked).await;
    if let Err(AnswerError::Unsolicited) = finished {
        let page = way_on::unsolicited(&app, &headers, &connection_id).await;
        return Err(referring(&app, page, (&connection_id, &handle)).await?);
    }
    callback::conclude(&app, &headers, client_ip, (&connection_id, finished)).await
}

/// The page for a browser that did not begin the sign-in, with a reference. Otherwise nobody could find out
/// that a browser did not send its cookie.
async fn referring(
    app: &App,
    page: PageError,
    (connection_id, handle): (&str, &str),
) -> Result<PageError, PageError> {
    let Ok(connection_id) = ConnectionId::parse(connection_id) else {
        return Ok(page);
    };
    let Some(failure) = saml::mismatch(app, &connection_id, handle).await? else {
        return Ok(page);
    };
    Ok(match connections::trace::record_stranger(app, &failure).await? {
        Some(id) => page.reference(id.to_string()),
        None => page,
    })
}
