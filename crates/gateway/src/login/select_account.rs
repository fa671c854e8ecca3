//! The page that asks which account to go on with (`prompt=select_account`).
//!
//! Source: OIDC Core §3.1.2.1.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use genkan_store::Secret;
use genkan_store::client::Client;
use genkan_store::interaction::{Interaction, Request, Stage};
use genkan_store::user::User;
use http::HeaderMap;

use super::identify::{advance, form_of_ours};
use super::{interaction_of_browser, path, redirect_to, signed_in};
use crate::app::App;
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
    user: &User,
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
        hidden: &[],
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
    let form = form_of_ours(&app, &headers, &browser, &action(&interaction), &body)?;
    let pending = interaction.stage == Stage::Started && matches!(interaction.request, Request::Authorize(_));
    if !pending {
        return Ok(redirect_to(&interaction.id));
    }
    let current = signed_in(&app, &headers).await?;
    let next = match (form.one("choice"), current) {
        (Ok(Some("continue")), Some((session, _))) => Stage::Authenticated {
            session_id: session.id,
        },
        _ => Stage::Identifying,
    };
    advance(&app, &interaction, &next).await?;
    Ok(redirect_to(&interaction.id))
}
