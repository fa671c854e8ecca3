//! The page that asks for the e-mail address, and finds the company by it.

use std::fmt;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use genkan_protocol::EmailAddress;
use genkan_store::Secret;
use genkan_store::client::Client;
use genkan_store::interaction::{Interaction, Request, Stage, Way};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::{Hidden, Prose};
use http::{HeaderMap, StatusCode};

use super::facts::interaction_of_browser;
use super::form::StepForm;
use super::{advance, path, redirect_to, route};
use crate::anonymous;
use crate::answer;
use crate::app::App;
use crate::context;
use crate::web::error::PageError;

/// `identify.html`. Posts `csrf`, `email` and hidden fields.
#[derive(Debug, Template)]
#[template(path = "identify.html")]
struct Identify<'a> {
    application: &'a str,
    /// The address of the form. By default the page's own.
    action: Option<&'a str>,
    csrf: &'a str,
    hidden: &'a [Hidden<'a>],
    /// The address typed before, or the application's `login_hint`.
    email: &'a str,
    error: Option<EmailError<'a>>,
}

impl PageTemplate for Identify<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

/// What is wrong with the e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailError<'a> {
    Missing,
    Malformed,
    /// No organization signs in with this domain now. The page does not say whether one has it.
    UnknownDomain(&'a str),
}

impl fmt::Display for EmailError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("Enter your work e-mail."),
            Self::Malformed => f.write_str("Enter a whole e-mail address, such as you@company.com."),
            Self::UnknownDomain(domain) => {
                write!(
                    f,
                    "We know no company sign-in for {domain}. Check the spelling, or ask your IT team."
                )
            }
        }
    }
}

/// The typed address, and what was wrong with it.
#[derive(Debug, Clone, Copy)]
pub struct TypedAddress<'a> {
    pub email: &'a str,
    pub error: Option<EmailError<'a>>,
}

/// Renders the page.
pub fn render(
    app: &App,
    client: &Client,
    interaction: &Interaction,
    browser: &Secret,
    asked: TypedAddress<'_>,
) -> Response {
    let status = if asked.error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let action = path(&interaction.id);
    let identify = Identify {
        application: &client.name,
        csrf: &app.form_token(browser, &action),
        action: Some(&action),
        hidden: &[],
        email: asked.email,
        error: asked.error,
    };
    Page::new(&identify).with_status(status).into_response()
}

/// `POST /login/{interaction}`: takes the address and chooses the connection.
pub async fn submit(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    StepForm { fields: form, .. }: StepForm,
) -> Result<Response, PageError> {
    let (interaction, browser) = interaction_of_browser(&app, &headers, &id).await?;
    let Request::Authorize(request) = &interaction.request else {
        return Err(PageError::interaction_gone());
    };
    // A second answer, from an old tab. The login has moved on.
    if matches!(
        interaction.stage,
        Stage::Arrived { .. } | Stage::Authenticated { .. } | Stage::Completed
    ) {
        return Ok(redirect_to(&interaction.id));
    }
    let cached = app
        .client(&request.client_id)
        .await?
        .ok_or_else(answer::unknown_application)?;
    let typed = form
        .one("email")
        .ok()
        .flatten()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let again = |error| {
        let asked = TypedAddress {
            email: &typed,
            error: Some(error),
        };
        Ok(render(&app, &cached.client, &interaction, &browser, asked))
    };
    if typed.is_empty() {
        return again(EmailError::Missing);
    }
    let Ok(email) = EmailAddress::parse(&typed) else {
        return again(EmailError::Malformed);
    };
    let domain = email.domain();
    let guess = anonymous::guess(&app)?;
    let target = match app
        .db()
        .read(async |tx| route::by_domain(tx, domain).await)
        .await?
    {
        route::DomainRoute::Target(target) => {
            guess.give_back();
            target
        }
        // The same answer for both, because nobody should learn who is a customer.
        found @ (route::DomainRoute::NotActive | route::DomainRoute::Unknown) => {
            let reason = match found {
                route::DomainRoute::NotActive => {
                    "the organization that has it has no enabled connection for it"
                }
                _ => "no organization has it",
            };
            let what = "an e-mail domain leads to no sign-in";
            if context::has_line(what) {
                tracing::info!(%domain, client = %request.client_id, reason, "{what}");
            } else {
                tracing::debug!(%domain, client = %request.client_id, reason, "{what}");
            }
            return again(EmailError::UnknownDomain(domain.as_str()));
        }
    };
    let chosen = Stage::At(Way::Connection {
        connection_id: target.connection().id.clone(),
        email: Some(email.to_string()),
    });
    advance(&app, &interaction, &chosen).await?;
    Ok(redirect_to(&interaction.id))
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::{LONG, sample};

    let identify = |application, email, error| {
        Page::new(&Identify {
            application,
            action: None,
            csrf: "dGhlIGZvcm0gdG9rZW4",
            hidden: &[("step", "identify")],
            email,
            error,
        })
    };
    let unknown = Some(EmailError::UnknownDomain("gmail.com"));
    vec![
        sample("identify", identify("Acme Notes", "", None)),
        sample(
            "identify-malformed",
            identify("Acme Notes", "ada@", Some(EmailError::Malformed)),
        ),
        sample("identify-unknown", identify(LONG, "ada@gmail.com", unknown)),
    ]
}
