//! `GET|POST /invitations/{token}`: the link of an invitation.
//!
//! Opening it changes nothing, because mail scanners follow links. The form on its page accepts the
//! invitation. It signs nobody in: an ordinary login at the application follows.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use genkan_db::Tx;
use genkan_protocol::oauth::append_query;
use genkan_protocol::{EmailAddress, name};
use genkan_store::invitation::{self, InvitationDetails};
use genkan_store::{Error, Secret, SecretHash, Timestamp, client, conflict, familiar};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Link;
use http::{HeaderMap, StatusCode};

use super::route::{self, DomainRoute};
use crate::anonymous::{self, Work};
use crate::app::App;
use crate::letters::INVITATIONS;
use crate::web::error::PageError;
use crate::web::moment::moment;
use crate::web::own_form::OwnForm;
use crate::web::person::Person;
use crate::web::see_other::see_other;

/// The path, with the name of its parameter.
pub const PATH: &str = "/invitations/{token}";

/// `invitation.html`. Posts `csrf`. Its answer may go on to an application.
#[derive(Debug, Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    organization: &'a str,
    /// The e-mail address of the inviter.
    inviter: Option<&'a str>,
    csrf: &'a str,
    person: Person<'a>,
    /// When the invitation expires.
    until: &'a str,
}

impl PageTemplate for InvitationPage<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::Leave;
}

/// `invitation_accepted.html`.
#[derive(Debug, Template)]
#[template(path = "invitation_accepted.html")]
struct AcceptancePage<'a> {
    organization: &'a str,
    person: Person<'a>,
    /// The address where the application's login begins.
    go_on: Option<Link>,
}

impl PageTemplate for AcceptancePage<'_> {
    const KIND: PageKind = PageKind::SignInStep;
    const FORMS: Forms = Forms::None;
}

fn action(token: &str) -> String {
    format!("{INVITATIONS}{token}")
}

pub async fn show(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (shown, login_uri) = find(&app, &token).await?;
    if shown.invitation.accepted_at.is_some() {
        return Ok(accepted(&app, &shown, login_uri.as_deref()));
    }
    if shown.has_moved {
        return Err(moved(&shown));
    }
    if !shown.invitation.is_open(app.now()) {
        return Err(expired(&shown));
    }
    let (browser, new_cookie) = app.cookies().browser(&headers);
    let organization = name::shown(&shown.organization_name);
    let page = InvitationPage {
        organization: &organization,
        inviter: shown.inviter_email.as_ref().map(EmailAddress::as_str),
        csrf: &app.form_token(&browser, &action(&token)),
        person: person(&shown, &organization),
        until: &moment(shown.invitation.expires_at),
    };
    Ok((new_cookie, Page::new(&page)).into_response())
}

/// Accepts the invitation. Then goes on to the application, if it has registered an address where its
/// logins begin.
pub async fn accept(
    State(app): State<App>,
    Path(token): Path<String>,
    form: OwnForm,
) -> Result<Response, PageError> {
    let (now, hash) = (app.now(), Secret::from_presented(token.as_str()).sha256());
    let browser = form.bound.0.sha256();
    let accepted = app
        .db()
        .tx(async |tx| {
            let accepted = invitation::accept(tx, app.at(now), &hash).await?;
            if accepted.is_some() {
                agree(tx, &browser, &hash, now).await?;
            }
            Ok(accepted)
        })
        .await;
    let (accepted, (shown, login_uri)) = match accepted {
        Ok(accepted) => (accepted, find(&app, &token).await?),
        Err(Error::Conflict(conflict::ORGANIZATION_FULL)) => return Err(full()),
        Err(error) => return Err(error.into()),
    };
    let target = match (accepted, login_uri) {
        (Some(_), Some(uri)) => login_at(&app, &shown, &uri),
        // It expired, or was answered twice. The page says which.
        _ => action(&token),
    };
    Ok(see_other(&target))
}

/// Notes that the person has agreed to the sign-in that follows. At the application, the sign-in begins
/// with the invited address.
async fn agree(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    token: &SecretHash,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(shown) = invitation::find_by_token(tx, token).await? else {
        return Ok(());
    };
    if let DomainRoute::Target(target) = route::by_domain(tx, shown.invitation.email.domain()).await? {
        familiar::agree(tx, browser, &target.connection().id, now).await?;
    }
    Ok(())
}

/// The invitation of a link, and the address where logins begin.
async fn find(app: &App, token: &str) -> Result<(InvitationDetails, Option<String>), PageError> {
    let hash = Secret::from_presented(token).sha256();
    let (found, login_uri) = app
        .db()
        .read(async |tx| -> Result<_, Error> {
            Ok((
                invitation::find_by_token(tx, &hash).await?,
                client::login_start(tx, None).await?.map(|start| start.uri),
            ))
        })
        .await?;
    let Some(found) = found else {
        anonymous::charge(app, Work::Miss)?;
        return Err(unknown());
    };
    Ok((found, login_uri))
}

fn person<'a>(shown: &'a InvitationDetails, organization: &'a str) -> Person<'a> {
    Person {
        name: None,
        email: shown.invitation.email.as_str(),
        organization: Some(organization),
    }
}

fn accepted(app: &App, shown: &InvitationDetails, login_uri: Option<&str>) -> Response {
    let organization = name::shown(&shown.organization_name);
    let page = AcceptancePage {
        organization: &organization,
        person: person(shown, &organization),
        go_on: login_uri.and_then(|uri| Link::parse("Sign in", &login_at(app, shown, uri))),
    };
    Page::new(&page).into_response()
}

/// The application's login address, with the issuer that asks it to begin (OIDC Core §4).
fn login_at(app: &App, shown: &InvitationDetails, uri: &str) -> String {
    let email = shown.invitation.email.as_str();
    append_query(uri, &[("iss", app.issuer()), ("login_hint", email)])
}

fn unknown() -> PageError {
    PageError::new(
        StatusCode::NOT_FOUND,
        "This invitation cannot be found",
        "The link is cut off or was withdrawn, or a newer mail has taken its place.",
    )
    .what_to_do("open the link in the newest mail, or ask whoever invited you to send it again.")
}

/// Anybody may have read this mail, so the page does not show the new address.
fn moved(shown: &InvitationDetails) -> PageError {
    PageError::new(
        StatusCode::GONE,
        "This invitation does not count any more",
        format!(
            "The person who was invited to {} has another e-mail address since.",
            name::shown(&shown.organization_name)
        ),
    )
    .what_to_do("ask whoever invited you for a new invitation.")
}

fn expired(shown: &InvitationDetails) -> PageError {
    PageError::new(
        StatusCode::GONE,
        "This invitation has expired",
        format!(
            "The invitation to {} was not accepted in time.",
            name::shown(&shown.organization_name)
        ),
    )
    .what_to_do("ask whoever invited you to send it again.")
}

fn full() -> PageError {
    PageError::new(
        StatusCode::CONFLICT,
        "There is no free place",
        "The organization has as many people as it may have. Your invitation is kept.",
    )
    .what_to_do("ask whoever invited you to make room, then open the link again.")
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::{LONG, sample};

    let person = |organization| Person {
        name: None,
        email: "ada@example.com",
        organization: Some(organization),
    };
    let ask = |organization, inviter| {
        Page::new(&InvitationPage {
            organization,
            inviter,
            csrf: "c",
            person: person(organization),
            until: "7 December 2026, 14:03:11 UTC",
        })
    };
    let accepted = |go_on| {
        Page::new(&AcceptancePage {
            organization: "Acme",
            person: person("Acme"),
            go_on,
        })
    };
    let go_on = Link::parse("Sign in", "https://notes.example.com/login");
    vec![
        sample("invitation", ask("Acme", Some("grace@example.com"))),
        sample("invitation-long", ask(LONG, None)),
        sample("invitation-accepted", accepted(go_on)),
        sample("invitation-accepted-bare", accepted(None)),
    ]
}
