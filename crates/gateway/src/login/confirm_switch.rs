//! The page that asks whether a sign-in is meant, before it counts.
//!
//! A link can begin a sign-in in a person's browser that ends as the author of the link, because the link
//! names the connection and its provider answers at once. Later the person enters data into the
//! other account. See `docs/decisions/forced-sign-in.md`.
//!
//! Source: RFC 9700 §4.7.1.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use genkan_db::Tx;
use genkan_protocol::oauth::Parameters;
use genkan_store::admission::{self, Recognition};
use genkan_store::client::Client;
use genkan_store::interaction::{self, Interaction, PendingProof, Stage};
use genkan_store::session::Session;
use genkan_store::{Error, OrganizationId, SessionId, Timestamp, UserId, organization};
use genkan_web::listener::ClientIp;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Hidden;
use http::HeaderMap;

use super::facts::{Facts, Login};
use super::form::StepForm;
use super::next_step::{Step, next_step};
use super::refusal::Refusal;
use super::sign_in::{Browser, Confirmation, go_on, refuse_pending};
use super::{advance, path, redirect_to};
use crate::answer;
use crate::app::App;
use crate::web::error::PageError;
use crate::web::own_form::foreign_form;
use crate::web::person::Person;

/// `confirm_switch.html`. Posts `csrf`, hidden fields, and `choice`: `switch` or `stay`. Its answer may
/// return to the application.
#[derive(Debug, Template)]
#[template(path = "confirm_switch.html")]
struct ConfirmSwitch<'a> {
    application: &'a str,
    action: &'a str,
    csrf: &'a str,
    hidden: &'a [Hidden<'a>],
    /// The person who would be signed in.
    arriving: Person<'a>,
    /// The person who is signed in, if it is another person or another place.
    present: Option<Person<'a>>,
    /// It is the same person, in another organization.
    is_same_person: bool,
}

impl PageTemplate for ConfirmSwitch<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

impl ConfirmSwitch<'_> {
    /// The text of a button for a person. It must distinguish the two.
    fn label<'a>(&self, person: &'a Person<'_>) -> &'a str {
        match person.organization {
            Some(organization) if self.is_same_person => organization,
            _ => person.email,
        }
    }
}

/// The value for no session, and for a user who would be created.
const NOBODY: &str = "none";

fn action(interaction: &Interaction) -> String {
    format!("{}/switch", path(&interaction.id))
}

/// The data of the page.
struct PageData {
    recognition: Recognition,
    /// The place of the arriving person.
    organization: Option<String>,
    /// The place of the present person.
    present_organization: Option<String>,
}

/// Decides about the stored proof anew. The inner error says why it signs nobody in any more.
async fn look(
    tx: &mut Tx<'_>,
    interaction: &Interaction,
    present: Option<&Session>,
    now: Timestamp,
) -> Result<(PendingProof, Result<PageData, admission::Refusal>), Error> {
    let pending = interaction::pending_proof(tx, &interaction.id).await?;
    let recognition = match admission::recognize(tx, &pending.claim, now).await? {
        Ok(recognition) => recognition,
        Err(refused) => return Ok((pending, Err(refused))),
    };
    let present = present.and_then(|session| session.organization_id.as_ref());
    let data = PageData {
        organization: name_of(tx, recognition.organization_id.as_ref()).await?,
        present_organization: name_of(tx, present).await?,
        recognition,
    };
    Ok((pending, Ok(data)))
}

async fn name_of(tx: &mut Tx<'_>, id: Option<&OrganizationId>) -> Result<Option<String>, Error> {
    let Some(id) = id else { return Ok(None) };
    Ok(organization::find(tx, id)
        .await?
        .map(|organization| organization.display_name))
}

/// Renders the page. Ends the login if the stored proof signs nobody in any more.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn render(app: &App, client: &Client, login: &Login, facts: &Facts) -> Result<Response, PageError> {
    let interaction = &login.interaction;
    let current = login.present(facts);
    let session = current.map(|current| &current.session);
    let (pending, data) = app
        .db()
        .read(async |tx| look(tx, interaction, session, facts.now).await)
        .await?;
    let data = match data {
        Ok(data) => data,
        Err(refused) => return refuse_pending(app, interaction, &pending.claim, &refused).await,
    };
    let user_id = data.recognition.user.as_ref().map(|user| &user.id);
    // If they may not be the answer, they are not offered either.
    if !facts.may_be(user_id) {
        return Ok(Refusal::SomebodyElse.answer(app, &facts.request).await);
    }
    let profile = &pending.claim.profile;
    let (name, email) = match &data.recognition.user {
        Some(user) => (user.display_name(), user.email.as_str()),
        None => (
            profile.name.clone(),
            profile.email.as_ref().map_or("", |email| email.as_str()),
        ),
    };
    let arriving = Person {
        name: name.as_deref(),
        email,
        organization: data.organization.as_deref(),
    };
    let present_name = current.and_then(|current| current.user.display_name());
    let present = current.map(|current| Person {
        name: present_name.as_deref(),
        email: current.user.email.as_str(),
        organization: data.present_organization.as_deref(),
    });
    // The same person has signed in in another tab, so nobody is signed out.
    let is_same = current.is_some_and(|current| Some(&current.user.id) == user_id);
    let is_there = session.is_some_and(|session| session.organization_id == data.recognition.organization_id);
    let action = action(interaction);
    let page = ConfirmSwitch {
        application: &client.name,
        action: &action,
        csrf: &app.form_token(&login.browser, &action),
        hidden: &[
            ("session", session.map_or(NOBODY, |session| session.id.as_str())),
            ("person", user_id.map_or(NOBODY, UserId::as_str)),
        ],
        arriving,
        present: present.filter(|_| !(is_same && is_there)),
        is_same_person: is_same,
    };
    Ok(Page::new(&page).into_response())
}

/// `POST /login/{interaction}/switch`: `choice=switch` continues as the arriving person. Any other value
/// changes nothing.
pub async fn submit(
    State(app): State<App>,
    Path(id): Path<String>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
    StepForm { fields: form, .. }: StepForm,
) -> Result<Response, PageError> {
    let mut login = Login::read(&app, &headers, &id).await?;
    let facts = login.facts.take().ok_or_else(PageError::interaction_gone)?;
    let session = login.present(&facts).map(|current| current.session.id.clone());
    let interaction = login.interaction;
    // It was answered before.
    if !matches!(interaction.stage, Stage::Arrived { .. }) {
        return Ok(redirect_to(&interaction.id));
    }
    // Another person signed in or out in another tab, so the page named the wrong one.
    if form.one("session") != Ok(Some(session.as_ref().map_or(NOBODY, SessionId::as_str))) {
        return Ok(redirect_to(&interaction.id));
    }
    if form.one("choice") != Ok(Some("switch")) {
        return stay(&app, &interaction, facts).await;
    }
    let pending = app
        .db()
        .read(async |tx| -> Result<_, Error> {
            let pending = interaction::pending_proof(tx, &interaction.id).await?;
            let stands = admission::still_stands(tx, &pending.claim, pending.arrived_at).await?;
            Ok((pending, stands))
        })
        .await;
    let (pending, stands) = match pending {
        Ok(found) => found,
        // The first click of a double click was faster.
        Err(Error::Stale) => return Ok(redirect_to(&interaction.id)),
        Err(error) => return Err(error.into()),
    };
    // The person must go to the provider again if the question was open for long, or if the connection or
    // the provider's data about the person has changed since.
    if !stands || facts.now.since(pending.arrived_at) >= interaction::CONFIRMATION_TIMEOUT {
        advance(&app, &interaction, &Stage::Started).await?;
        return Ok(redirect_to(&interaction.id));
    }
    let confirmation = Confirmation {
        session,
        user: person(&form)?,
    };
    let browser = Browser::of(&app, &headers, client_ip);
    go_on(&app, &browser, &interaction, pending, &confirmation).await
}

/// The person whom the page named.
fn person(form: &Parameters) -> Result<Option<UserId>, PageError> {
    match form.one("person") {
        Ok(Some(NOBODY)) => Ok(None),
        Ok(Some(id)) => UserId::parse(id).map(Some).map_err(|_| foreign_form()),
        _ => Err(foreign_form()),
    }
}

/// Changes nothing: continues with the present session if the request allows it, else returns to the
/// application.
async fn stay(app: &App, interaction: &Interaction, facts: Facts) -> Result<Response, PageError> {
    // The facts without the arriving person.
    let facts = Facts {
        stage: Stage::Started,
        ..facts
    };
    let session = facts.signed_in.as_ref().map(|current| &current.session);
    if let (Some(Step::Complete(_) | Step::SelectAccount(_)), Some(session)) = (next_step(&facts), session) {
        let stayed = app
            .db()
            .tx(async |tx| interaction::stay(tx, &interaction.id, &interaction.stage, &session.id).await)
            .await;
        return match stayed {
            // The first click of a double click was faster.
            Ok(()) | Err(Error::Stale) => Ok(redirect_to(&interaction.id)),
            Err(error) => Err(error.into()),
        };
    }
    answer::application_of(app, &facts.request).await?;
    let ended = app
        .db()
        .tx(async |tx| interaction::advance(tx, &interaction.id, &interaction.stage, &Stage::Completed).await)
        .await;
    match ended {
        Ok(()) => {}
        // The first click of a double click was faster.
        Err(Error::Stale) => return Ok(redirect_to(&interaction.id)),
        Err(error) => return Err(error.into()),
    }
    tracing::info!(
        interaction = %interaction.id, application = facts.request.client_id,
        session = session.map(|session| session.id.as_str()), "a sign-in was declined by the person"
    );
    Ok(Refusal::Declined.answer(app, &facts.request).await)
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::sample;

    use crate::web::person::samples::{ADA, ADA_ELSEWHERE, MALLORY, NAMELESS};

    let confirm = |arriving, present, is_same_person| {
        Page::new(&ConfirmSwitch {
            application: "Acme Notes",
            action: "/login/lri_000000000000000000001/switch",
            csrf: "c",
            hidden: &[("session", "ses_000000000000000000001"), ("person", "none")],
            arriving,
            present,
            is_same_person,
        })
    };
    vec![
        sample("confirm-switch", confirm(MALLORY, Some(ADA), false)),
        sample(
            "confirm-switch-organization",
            confirm(ADA_ELSEWHERE, Some(ADA), true),
        ),
        sample(
            "confirm-switch-nameless",
            confirm(NAMELESS, Some(ADA_ELSEWHERE), false),
        ),
        sample("confirm-sign-in", confirm(MALLORY, None, false)),
    ]
}
