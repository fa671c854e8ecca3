//! `GET /`: who is signed in, and for admins the state of the deployment.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use genkan_db::Error;

use super::{first_admin, users};
use crate::web::app::{App, SignedIn};
use crate::web::page::{self, moment};
use crate::web::query::Query;
use crate::web::reply;
use crate::web::rules::Role;
use crate::web::store::{self, audit, user};
use crate::web::templates::{Dashboard, Desk, Notice, UserRow};

/// Events on the page.
const EVENTS: u32 = 25;
/// Users on the page; more are listed by `openneko users list`.
const USERS: u32 = 200;
/// Denials on the page.
const DENIALS: usize = 25;

pub(super) async fn dashboard(
    State(app): State<App>,
    Extension(signed_in): Extension<SignedIn>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Query::parse(query.as_deref()).unwrap_or_default();
    let user = &signed_in.session.user;
    let desk = match user.role {
        Role::Member => None,
        Role::Admin => match desk(&app, &signed_in).await {
            Ok(desk) => Some(desk),
            Err(error) => return reply::unavailable(&headers, &error),
        },
    };
    let first_admin_token = match first_admin_token(&app, &signed_in).await {
        Ok(token) => token,
        Err(error) => return reply::unavailable(&headers, &error),
    };
    page::page(
        StatusCode::OK,
        &Dashboard {
            user,
            first_admin_token,
            session_ends: moment(&signed_in.session.expires_at),
            notice: query.get("notice").and_then(Notice::of_code),
            desk,
        },
    )
}

/// While nobody is an admin, whoever is signed in may show that they are the operator.
async fn first_admin_token(app: &App, signed_in: &SignedIn) -> Result<Option<String>, Error> {
    if signed_in.session.user.role == Role::Admin {
        return Ok(None);
    }
    let is_missing = app
        .db()
        .read(async |tx| store::first_admin::is_missing(tx).await)
        .await?;
    Ok(is_missing.then(|| first_admin::token(app, signed_in)))
}

async fn desk<'a>(app: &'a App, signed_in: &SignedIn) -> Result<Desk<'a>, Error> {
    let mut overview = app.host().overview().await;
    overview.denials.truncate(DENIALS);
    let events = audit::recent(app.db(), EVENTS).await?;
    let users = app.db().read(async |tx| user::list(tx, USERS).await).await?;
    let rows = users.into_iter().map(|user| UserRow {
        is_self: user.id == signed_in.session.user.id,
        token: users::token(app, signed_in, &user),
        user,
    });
    Ok(Desk {
        overview,
        events,
        users: rows.collect(),
        rules: &app.config().rules,
    })
}
