//! `POST /users/{id}/disable` and `/enable`: an admin disables or enables a user.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use genkan_web::form::OwnForm;
use genkan_web::listener::ClientIp;

use super::notice::Notice;
use crate::web::app::{App, SignedIn};
use crate::web::rules::Role;
use crate::web::store::manage::{self, Change, ChangeOrigin, ChangeOutcome};
use crate::web::store::user::User;
use crate::web::{error, random, reply, store};

pub(super) async fn disable(
    State(app): State<App>,
    client: ClientIp,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: OwnForm<SignedIn>,
) -> Response {
    change(&app, Change::Disable, &id, (client, &headers), &form.bound).await
}

pub(super) async fn enable(
    State(app): State<App>,
    client: ClientIp,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: OwnForm<SignedIn>,
) -> Response {
    change(&app, Change::Enable, &id, (client, &headers), &form.bound).await
}

/// The token of the form that switches `user` from their present state.
pub(super) fn token(app: &App, signed_in: &SignedIn, user: &User) -> String {
    let change = if user.disabled_at.is_some() {
        Change::Enable
    } else {
        Change::Disable
    };
    app.keys()
        .forms()
        .token(&signed_in.cookie_hash, &form_path(&user.id, change))
}

fn form_path(id: &str, change: Change) -> String {
    let verb = match change {
        Change::Disable => "disable",
        Change::Enable => "enable",
        Change::SetRole(_) => "role",
        Change::Unlink => "unlink",
    };
    format!("/users/{id}/{verb}")
}

async fn change(
    app: &App,
    change: Change,
    id: &str,
    (client, headers): (ClientIp, &HeaderMap),
    signed_in: &SignedIn,
) -> Response {
    let actor = &signed_in.session.user;
    if actor.role != Role::Admin {
        return forbidden("Only admins can do this.", "ask an admin of this deployment.");
    }
    // Admins must not disable themselves: they could not undo the mistake.
    if id == actor.id {
        return forbidden("You cannot disable yourself.", "ask another admin.");
    }
    let reference = random::reference();
    let ip = client.to_string();
    let by = ChangeOrigin {
        actor: &actor.id,
        reference: &reference,
        ip: Some(&ip),
        at: app.now(),
    };
    let changed = store::write(app.db(), async |tx| manage::change(tx, id, change, by).await).await;
    let notice = match changed {
        Ok(ChangeOutcome::Yes) if change == Change::Disable => Notice::Disabled,
        Ok(ChangeOutcome::Yes) => Notice::Enabled,
        Ok(ChangeOutcome::Already) => Notice::Unchanged,
        Ok(ChangeOutcome::LastAdmin) => Notice::LastAdmin,
        Ok(ChangeOutcome::NoSuchUser) => return reply::not_found(headers.clone()).await,
        Err(error) => return reply::unavailable(headers, &error),
    };
    reply::redirect(
        StatusCode::SEE_OTHER,
        &format!("/?notice={}#users", notice.code()),
    )
}

fn forbidden(why: &str, what_to_do: &str) -> Response {
    error::page(StatusCode::FORBIDDEN, "This was not done", why, what_to_do)
}
