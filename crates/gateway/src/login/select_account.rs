//! The page that asks which account to go on with (`prompt=select_account`).
//!
//! Source: OIDC Core §3.1.2.1.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_store::Secret;
use genkan_store::client::Client;
use genkan_store::interaction::{Interaction, Request, Stage};
use genkan_store::session::Session;
use genkan_store::user::User;
use http::HeaderMap;

use super::next_step::{Progress, Step, Wanted, next_step};
use super::{advance, hinted_user, interaction_of_browser, path, redirect_to, route, signed_in};
use crate::app::App;
use crate::web::csrf::form_of_ours;
use crate::web::error::PageError;
use crate::web::page::Page;
use crate::web::templates::{Person, SelectAccount};

fn action(interaction: &Interaction) -> String {
    format!("{}/account", path(&interaction.id))
}

/// Renders the page.
pub fn render(
    app: &App,
    client: &Client,
    interaction: &Interaction,
    browser: &Secret,
    (session, user): &(Session, User),
) -> Response {
    let action = action(interaction);
    let name = user.display_name();
    let person = Person {
        name: name.as_deref(),
        email: user.email.as_str(),
        organization: None,
    };
    let page = SelectAccount {
        application: &client.name,
        action: Some(&action),
        csrf: &app.csrf().token(browser, &action),
        hidden: &[("session", session.id.as_str())],
        person,
    };
    Page::new(&page).into_response()
}

/// `POST /login/{interaction}/account`: `choice=continue` goes on with the
/// session, anything else puts it aside and asks who is there.
pub async fn submit(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let (interaction, browser) = interaction_of_browser(&app, &headers, &id).await?;
    let form = form_of_ours(&app, &headers, &browser, &action(&interaction), &body)
        .map_err(|page| page.try_again(&path(&interaction.id)))?;
    let Request::Authorize(request) = &interaction.request else {
        return Err(PageError::interaction_gone());
    };
    let current = signed_in(&app, &headers).await?;
    // Answered before, or the session ended or grew too old meanwhile.
    if !is_due(&app, request, &interaction.stage, current.as_ref()).await? {
        return Ok(redirect_to(&interaction.id));
    }
    let next = match (form.one("choice"), current) {
        (Ok(Some("continue")), Some((session, _))) => {
            // In another tab somebody else signed in: the page said another name.
            if form.one("session") != Ok(Some(session.id.as_str())) {
                return Ok(redirect_to(&interaction.id));
            }
            Stage::Authenticated {
                session_id: session.id,
            }
        }
        _ => Stage::Identifying,
    };
    advance(&app, &interaction, &next).await?;
    Ok(redirect_to(&interaction.id))
}

/// Whether this page is still the login's next step.
async fn is_due(
    app: &App,
    request: &AuthorizationRequest,
    stage: &Stage,
    current: Option<&(Session, User)>,
) -> Result<bool, PageError> {
    let Ok(target) = route::find_target(app, request, current).await? else {
        return Ok(false);
    };
    let hinted_user = hinted_user(app, request).await?;
    let wanted = Wanted {
        target: target.as_ref(),
        user_id: hinted_user.as_deref(),
    };
    let progress = Progress::of(request, stage, wanted, current, app.now());
    Ok(next_step(progress) == Step::SelectAccount)
}
