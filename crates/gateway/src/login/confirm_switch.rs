//! The page that asks whether a sign-in is meant, before it counts.
//!
//! A link can begin a sign-in in somebody's browser that ends as whoever made
//! the link, because the link names the connection and its provider answers at
//! once. Then what they enter next is entered into another's account. See
//! `docs/decisions/forced-sign-in.md`.
//!
//! Source: RFC 9700 §4.7.1.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use genkan_db::Tx;
use genkan_protocol::oauth::{AuthorizationRequest, ErrorCode, Parameters};
use genkan_store::admission::{self, Recognized, Refusal};
use genkan_store::client::Client;
use genkan_store::interaction::{self, Held, Interaction, Request, Stage};
use genkan_store::session::{self, Session};
use genkan_store::user::User;
use genkan_store::{Error, OrganizationId, Secret, Timestamp, UserId, connection, organization};
use http::HeaderMap;

use super::next_step::{Progress, Step, Wanted, next_step};
use super::sign_in::{Agreed, Arrived, Finishing};
use super::{advance, hinted_user, interaction_of_browser, path, redirect_to, refusal, route, signed_in};
use crate::answer::{self, Answer};
use crate::app::App;
use crate::connections::Failure;
use crate::listener::ClientIp;
use crate::web::csrf::form_of_ours;
use crate::web::error::PageError;
use crate::web::page::Page;
use crate::web::templates::{ConfirmSwitch, Person};

/// Stands for no session, and for a user who would be created.
const NOBODY: &str = "none";

fn action(interaction: &Interaction) -> String {
    format!("{}/switch", path(&interaction.id))
}

/// Everything that the page shows.
struct Shown {
    held: Held,
    recognized: Recognized,
    /// Where the arriving person would be.
    organization: Option<String>,
    /// Where the present one is.
    present_organization: Option<String>,
}

/// Looks at what was kept as it stands now. The inner error is why it signs nobody in any more.
async fn look(
    tx: &mut Tx<'_>,
    interaction: &Interaction,
    present: Option<&Session>,
    now: Timestamp,
) -> Result<Result<Shown, Refusal>, Error> {
    let held = interaction::held(tx, &interaction.id).await?;
    let recognized = match admission::recognize(tx, &held.claim, now).await? {
        Ok(recognized) => recognized,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let present = present.and_then(|session| session.organization_id.as_ref());
    Ok(Ok(Shown {
        organization: name_of(tx, recognized.organization_id.as_ref()).await?,
        present_organization: name_of(tx, present).await?,
        held,
        recognized,
    }))
}

async fn name_of(tx: &mut Tx<'_>, id: Option<&OrganizationId>) -> Result<Option<String>, Error> {
    let Some(id) = id else { return Ok(None) };
    Ok(organization::find(tx, id)
        .await?
        .map(|organization| organization.display_name))
}

/// Whether somebody else arrived than the request's `id_token_hint` names.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn is_another(
    app: &App,
    interaction: &Interaction,
    hinted: Option<&str>,
) -> Result<bool, PageError> {
    let Some(hinted) = hinted else { return Ok(false) };
    let now = app.now();
    let recognized = app
        .db()
        .read(async |tx| {
            let held = interaction::held(tx, &interaction.id).await?;
            admission::recognize(tx, &held.claim, now).await
        })
        .await?;
    // Why it is nobody is told by the page.
    Ok(recognized.is_ok_and(|recognized| recognized.user.is_none_or(|user| user.id.as_str() != hinted)))
}

/// Renders the page; or ends the login, if what was proved signs nobody in any more.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn render(
    app: &App,
    client: &Client,
    interaction: &Interaction,
    browser: &Secret,
    current: Option<&(Session, User)>,
) -> Result<Response, PageError> {
    let now = app.now();
    let session = current.map(|(session, _)| session);
    let found = app
        .db()
        .read(async |tx| look(tx, interaction, session, now).await)
        .await?;
    let shown = match found {
        Ok(shown) => shown,
        Err(refusal) => return refuse(app, interaction, &refusal).await,
    };
    let profile = &shown.held.claim.profile;
    let (name, email) = match &shown.recognized.user {
        Some(user) => (user.display_name(), user.email.as_str()),
        None => (
            profile.name.clone(),
            profile.email.as_ref().map_or("", |email| email.as_str()),
        ),
    };
    let arriving = Person {
        name: name.as_deref(),
        email,
        organization: shown.organization.as_deref(),
    };
    let user_id = shown.recognized.user.as_ref().map(|user| &user.id);
    let present_name = current.and_then(|(_, user)| user.display_name());
    let present = current.map(|(_, user)| Person {
        name: present_name.as_deref(),
        email: user.email.as_str(),
        organization: shown.present_organization.as_deref(),
    });
    // In another tab the same person has signed in: nobody is left behind.
    let is_same = current.is_some_and(|(_, user)| Some(&user.id) == user_id);
    let is_there = session.is_some_and(|session| session.organization_id == shown.recognized.organization_id);
    let action = action(interaction);
    let page = ConfirmSwitch {
        application: &client.name,
        action: &action,
        csrf: &app.csrf().token(browser, &action),
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

/// `POST /login/{interaction}/switch`: `choice=switch` goes on as whoever
/// arrived, anything else leaves everything as it was.
pub async fn submit(
    State(app): State<App>,
    Path(id): Path<String>,
    ClientIp(client_ip): ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let (interaction, browser) = interaction_of_browser(&app, &headers, &id).await?;
    let form = form_of_ours(&app, &headers, &browser, &action(&interaction), &body)
        .map_err(|page| page.try_again(&path(&interaction.id)))?;
    let Request::Authorize(request) = &interaction.request else {
        return Err(PageError::interaction_gone());
    };
    // Answered before.
    if !matches!(interaction.stage, Stage::Arrived { .. }) {
        return Ok(redirect_to(&interaction.id));
    }
    let current = signed_in(&app, &headers).await?;
    let session = current.as_ref().map(|(session, _)| session);
    // In another tab somebody else signed in or out: the page said another name.
    if form.one("session") != Ok(Some(session.map_or(NOBODY, |session| session.id.as_str()))) {
        return Ok(redirect_to(&interaction.id));
    }
    if form.one("choice") != Ok(Some("switch")) {
        return stay(&app, &interaction, request, current.as_ref()).await;
    }
    let now = app.now();
    let held = app
        .db()
        .read(async |tx| -> Result<_, Error> {
            let held = interaction::held(tx, &interaction.id).await?;
            let stands = admission::still_stands(tx, &held.claim, held.arrived_at).await?;
            Ok((held, stands))
        })
        .await;
    let (held, stands) = match held {
        Ok(found) => found,
        // The other click of a double one was first.
        Err(Error::Stale) => return Ok(redirect_to(&interaction.id)),
        Err(error) => return Err(error.into()),
    };
    // The provider is asked again if the question was open for long, or if the
    // connection or what it says of the person is another since.
    if !stands || now.since(held.arrived_at) >= interaction::HELD {
        advance(&app, &interaction, &Stage::Started).await?;
        return Ok(redirect_to(&interaction.id));
    }
    let mut finishing = Finishing::new(&app, &headers, client_ip, &interaction, held).await?;
    finishing.agreed = agreed(&form)?;
    switch(&app, &finishing, session).await
}

/// Whom the page named.
fn agreed(form: &Parameters) -> Result<Agreed, PageError> {
    match form.one("person") {
        Ok(Some(NOBODY)) => Ok(Agreed::NewUser),
        Ok(Some(id)) => UserId::parse(id)
            .map(Agreed::User)
            .map_err(|_| PageError::foreign_form()),
        _ => Err(PageError::foreign_form()),
    }
}

/// One transaction: the old session ends, the new one begins, and what was kept
/// is used up. Connection, user and admission are decided anew in it.
async fn switch(
    app: &App,
    finishing: &Finishing<'_>,
    shown: Option<&Session>,
) -> Result<Response, PageError> {
    let now = app.now();
    let at = app.at(now);
    let interaction = finishing.interaction;
    let arrived = app
        .db()
        .tx(async |tx| -> Result<Arrived, Error> {
            // Still the one in the browser: another tab may have ended it.
            if let Some(shown) = shown
                && session::find_live(tx, &shown.id, now).await?.is_none()
            {
                return Err(Error::Stale);
            }
            let held = &finishing.held;
            if !admission::still_stands(tx, &held.claim, held.arrived_at).await? {
                return Err(Error::Stale);
            }
            finishing.finish(tx, at, shown).await
        })
        .await;
    match arrived {
        Ok(Arrived::SignedIn(session)) => Ok(finishing.respond(app, &session)),
        // Answered twice, or no longer what was shown: the dispatcher looks again.
        Ok(Arrived::Held) | Err(Error::Stale) => Ok(redirect_to(&interaction.id)),
        Ok(Arrived::Refused(refusal)) => refuse(app, interaction, &refusal).await,
        Err(error) => Err(error.into()),
    }
}

/// Leaves everything as it was: on with the present session where the request
/// allows it, else back to the application.
async fn stay(
    app: &App,
    interaction: &Interaction,
    request: &AuthorizationRequest,
    current: Option<&(Session, User)>,
) -> Result<Response, PageError> {
    let target = route::find_target(app, request, current).await?.ok().flatten();
    let hinted_user = hinted_user(app, request).await?;
    let wanted = Wanted {
        target: target.as_ref(),
        user_id: hinted_user.as_deref(),
    };
    let progress = Progress::of(request, &Stage::Started, wanted, current, app.now());
    if let (Step::Complete | Step::SelectAccount, Some((session, _))) = (next_step(progress), current) {
        let stayed = app
            .db()
            .tx(async |tx| interaction::stay(tx, &interaction.id, &interaction.stage, &session.id).await)
            .await;
        return match stayed {
            // The other click of a double one was first.
            Ok(()) | Err(Error::Stale) => Ok(redirect_to(&interaction.id)),
            Err(error) => Err(error.into()),
        };
    }
    answer::application_of(app, request).await?;
    let ended = app
        .db()
        .tx(async |tx| interaction::advance(tx, &interaction.id, &interaction.stage, &Stage::Completed).await)
        .await;
    match ended {
        Ok(()) => {}
        // The other button was first: the application hears of that one only.
        Err(Error::Stale) => return Ok(redirect_to(&interaction.id)),
        Err(error) => return Err(error.into()),
    }
    tracing::info!(
        interaction = %interaction.id, application = request.client_id,
        session = current.map(|(session, _)| session.id.as_str()), "a sign-in was declined by the person"
    );
    // RFC 6749 §4.1.2.1.
    let description = "the person did not go on with this sign-in";
    let answer = Answer::to(app, request);
    Ok(answer.error(ErrorCode::AccessDenied, description, request.state.as_deref()))
}

/// What was proved signs nobody in any more.
async fn refuse(app: &App, interaction: &Interaction, refusal: &Refusal) -> Result<Response, PageError> {
    if *refusal == Refusal::ConnectionNotActive {
        return Err(PageError::connection_not_active());
    }
    let (held, connection) = app
        .db()
        .read(async |tx| -> Result<_, Error> {
            let held = interaction::held(tx, &interaction.id).await?;
            let connection = match held.claim.proof.connection_id() {
                Some(id) => connection::find(tx, id).await?,
                None => None,
            };
            Ok((held, connection))
        })
        .await?;
    let connection = connection.ok_or_else(PageError::connection_not_active)?;
    let failure = Failure::refused_later(&connection, &held.claim, refusal);
    // Whoever tries again goes to the provider again.
    advance(app, interaction, &Stage::Started).await?;
    refusal::refuse(app, interaction, failure).await
}
