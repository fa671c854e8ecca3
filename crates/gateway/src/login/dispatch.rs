//! `GET /login/{interaction}`: the dispatcher. Every step ends here.

use axum::extract::{Path, State};
use axum::response::Response;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_store::interaction::Interaction;
use genkan_store::{ConnectionId, Error};
use http::HeaderMap;

use super::facts::Login;
use super::next_step::{Step, next_step};
use super::{confirm_switch, identify, refusal, select_account, test_connection, way_on};
use crate::answer;
use crate::app::App;
use crate::connections::{self, Hints};
use crate::web::error::PageError;

/// Reads the stage of the login, and does the next step.
pub async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let login = Login::read(&app, &headers, &id).await?;
    let (interaction, browser) = (&login.interaction, &login.browser);
    let Some(facts) = &login.facts else {
        return test_connection::resume(&app, interaction).await;
    };
    let Some(step) = next_step(facts) else {
        return Err(way_on::gone(&app, interaction).await);
    };
    let request = &facts.request;
    let cached = answer::application_of(&app, request).await?;
    let client = &cached.client;
    match step {
        Step::Identify => {
            let email = request.login_hint.as_deref().unwrap_or_default();
            let asked = identify::TypedAddress { email, error: None };
            Ok(identify::render(&app, client, interaction, browser, asked))
        }
        Step::SelectAccount(signed_in) => Ok(select_account::render(
            &app,
            client,
            interaction,
            browser,
            signed_in,
        )),
        Step::Authenticate {
            connection_id,
            login_hint,
        } => authenticate(&app, interaction, request, connection_id, login_hint).await,
        Step::ConfirmSwitch => confirm_switch::render(&app, client, &login, facts).await,
        Step::Complete(place) => {
            let from = Some((&interaction.id, &interaction.stage));
            match answer::respond(&app, &cached, request, place, from).await {
                // The first click of a double click, or another tab, was faster.
                Err(Error::Stale) => Err(way_on::gone(&app, interaction).await),
                answer => Ok(answer?),
            }
        }
        Step::Refuse(refusal) => Ok(refusal.answer(&app, request).await),
    }
}

/// What the provider is told about a request.
pub(super) fn hints(request: &AuthorizationRequest, login_hint: Option<&str>) -> Hints {
    Hints {
        login_hint: login_hint.map(ToOwned::to_owned),
        // If they must sign in again here, they must do so there too. Otherwise the provider's own session
        // would answer without a question.
        force: request.prompt.login,
        select_account: request.prompt.select_account,
        max_age: request.max_age,
    }
}

/// Sends the browser to the identity provider.
async fn authenticate(
    app: &App,
    interaction: &Interaction,
    request: &AuthorizationRequest,
    connection_id: &ConnectionId,
    login_hint: Option<&str>,
) -> Result<Response, PageError> {
    let hints = hints(request, login_hint);
    match connections::start(app, interaction, connection_id, &hints).await? {
        Ok(response) => Ok(response),
        Err(failure) => refusal::failed(app, interaction, failure).await,
    }
}
