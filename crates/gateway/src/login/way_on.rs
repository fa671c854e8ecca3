//! The way from a login that cannot continue to the application that began it.
//!
//! A person may go back, reload a page, or find an old tab. The login was this browser's, so its
//! application is known. The link leads to an address that the application has registered, or to its
//! origin, and never to an address that only the request named.

use genkan_protocol::oauth::{AuthorizationRequest, redirect_uri};
use genkan_store::client::{Client, Kind};
use genkan_store::interaction::{self, Interaction, Request, Stage};
use genkan_store::{ConnectionId, Error};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::path;
use crate::app::App;
use crate::connections::AnswerError;
use crate::cookies::Cookie;
use crate::web::error::PageError;

/// The page for a login of this browser that cannot continue.
pub(super) async fn gone(app: &App, interaction: &Interaction) -> PageError {
    let page = match interaction.stage {
        Stage::Completed => interaction_finished(),
        Stage::Started
        | Stage::Identifying
        | Stage::At(_)
        | Stage::Arrived { .. }
        | Stage::Authenticated { .. } => PageError::interaction_gone(),
    };
    to_application(app, interaction, page).await
}

/// The page for an answer that is not processed.
pub(super) async fn page(
    app: &App,
    headers: &HeaderMap,
    (connection_id, error): (&str, AnswerError),
) -> PageError {
    match error {
        AnswerError::Unsolicited => unsolicited(app, headers, connection_id).await,
        AnswerError::Page(page) => page,
    }
}

/// The page for an answer that nobody waits for, because this browser has sent it before, or it is another
/// browser's. The application is that of the last login that led this browser there.
pub(super) async fn unsolicited(app: &App, headers: &HeaderMap, connection_id: &str) -> PageError {
    let page = unsolicited_answer();
    let (Ok(connection_id), Some(browser)) = (
        ConnectionId::parse(connection_id),
        app.cookies().read(headers, Cookie::Browser),
    ) else {
        return page;
    };
    let hash = browser.sha256();
    let found = app
        .db()
        .read(async |tx| -> Result<_, Error> { interaction::newest_at(tx, &hash, &connection_id).await })
        .await;
    // Without a link, the page is the same.
    let Ok(Some(interaction)) = found else { return page };
    let is_open = app.now() < interaction.expires_at && interaction.stage != Stage::Completed;
    if is_open {
        return page.go_on("Go on with the sign-in", &path(&interaction.id));
    }
    to_application(app, &interaction, page).await
}

async fn to_application(app: &App, interaction: &Interaction, page: PageError) -> PageError {
    let Request::Authorize(request) = &interaction.request else {
        return page;
    };
    let Ok(Some(cached)) = app.client(&request.client_id).await else {
        return page;
    };
    let name = &cached.client.name;
    let page = page.application(name);
    match entrance(app, &cached.client, request) {
        Some(uri) => page.go_on(format!("Go to {name}"), &uri),
        None => page,
    }
}

/// The address of an application: where its sign-ins begin, else the origin of the redirect URI, if that is
/// still registered.
fn entrance(app: &App, client: &Client, request: &AuthorizationRequest) -> Option<String> {
    if let Some(uri) = &client.initiate_login_uri {
        return Some(uri.clone());
    }
    // On a person's device nothing listens there any more.
    if client.kind == Kind::Native {
        return None;
    }
    let policy = app.redirect_policy(client);
    if !redirect_uri::permits(&client.redirect_uris, &request.redirect_uri, policy) {
        return None;
    }
    let origin = Url::parse(&request.redirect_uri).ok()?.origin();
    origin
        .is_tuple()
        .then(|| format!("{}/", origin.ascii_serialization()))
}

/// The person went back, or reloaded a page of the login.
fn interaction_finished() -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "This sign-in is finished",
        "It was finished in this browser before. Perhaps you went back, or loaded the page again.",
    )
    .what_to_do("go on to the application. It knows whether you are signed in.")
}

/// An answer that this browser did not request: it is replayed or forged, or another browser's.
fn unsolicited_answer() -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "We did not expect this sign-in",
        "The answer of your company’s sign-in was used before, came too late, or belongs to another browser.",
    )
    .what_to_do("go back to the application and sign in again.")
}
