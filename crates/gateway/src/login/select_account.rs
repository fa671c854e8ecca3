//! The page that asks with which account to continue (`prompt=select_account`).
//!
//! Source: OIDC Core §3.1.2.1.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use genkan_store::Secret;
use genkan_store::client::Client;
use genkan_store::interaction::{Interaction, Stage};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Hidden;
use http::HeaderMap;

use super::facts::{BrowserSession, Login};
use super::form::StepForm;
use super::next_step::{Step, next_step};
use super::{advance, path, redirect_to};
use crate::app::App;
use crate::web::error::PageError;
use crate::web::person::Person;

/// `select_account.html`. Posts `csrf`, hidden fields, and `choice`: `continue` or `other`.
#[derive(Debug, Template)]
#[template(path = "select_account.html")]
struct SelectAccount<'a> {
    application: &'a str,
    action: Option<&'a str>,
    csrf: &'a str,
    hidden: &'a [Hidden<'a>],
    person: Person<'a>,
}

impl PageTemplate for SelectAccount<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

fn action(interaction: &Interaction) -> String {
    format!("{}/account", path(&interaction.id))
}

/// Renders the page.
pub fn render(
    app: &App,
    client: &Client,
    interaction: &Interaction,
    browser: &Secret,
    BrowserSession { session, user }: &BrowserSession,
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
        csrf: &app.form_token(browser, &action),
        hidden: &[("session", session.id.as_str())],
        person,
    };
    Page::new(&page).into_response()
}

/// `POST /login/{interaction}/account`: `choice=continue` continues with the session. Any other value sets
/// the session aside and asks for an address.
pub async fn submit(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    StepForm { fields: form, .. }: StepForm,
) -> Result<Response, PageError> {
    let login = Login::read(&app, &headers, &id).await?;
    let interaction = &login.interaction;
    let facts = login.facts.as_ref().ok_or_else(PageError::interaction_gone)?;
    // It was answered before, or the session has ended or become too old meanwhile.
    let Some(Step::SelectAccount(BrowserSession { session, .. })) = next_step(facts) else {
        return Ok(redirect_to(&interaction.id));
    };
    let next = if form.one("choice") == Ok(Some("continue")) {
        // Another person signed in in another tab, so the page named the wrong person.
        if form.one("session") != Ok(Some(session.id.as_str())) {
            return Ok(redirect_to(&interaction.id));
        }
        Stage::Authenticated {
            session_id: session.id.clone(),
        }
    } else {
        Stage::Identifying
    };
    advance(&app, interaction, &next).await?;
    Ok(redirect_to(&interaction.id))
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::sample;

    use crate::web::person::samples::{ADA, NAMELESS};

    let select = |person| {
        Page::new(&SelectAccount {
            application: "Acme Notes",
            action: None,
            csrf: "c",
            hidden: &[],
            person,
        })
    };
    vec![
        sample("select-account", select(ADA)),
        sample("select-account-nameless", select(NAMELESS)),
    ]
}
