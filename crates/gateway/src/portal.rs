//! `GET /magicLink/{token}`: the target of a link to the admin portal.
//!
//! The portal itself comes in a later version. The link already counts once and for
//! a minute, and its page says what to do until there is a portal.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use genkan_store::{SecretHash, organization, portal_link};
use http::{Method, StatusCode};

use crate::anonymous::{self, Work};
use crate::app::App;
use crate::web::error::PageError;
use crate::web::pages;

/// The one page of a link.
pub fn router(app: &App) -> Router<App> {
    pages::around(app, Router::new().route("/magicLink/{token}", get(open)))
}

async fn open(State(app): State<App>, method: Method, Path(token): Path<String>) -> PageError {
    // A HEAD request must not use up the link.
    if method == Method::HEAD {
        return not_here(None);
    }
    let at = app.at(app.now());
    let hash = SecretHash::of(token.as_bytes());
    let name = app
        .db()
        .tx(async |tx| -> Result<Option<String>, genkan_store::Error> {
            let Some(link) = portal_link::redeem(tx, at, &hash).await? else {
                return Ok(None);
            };
            let organization = organization::find(tx, &link.organization_id).await?;
            Ok(organization.map(|organization| organization.display_name))
        })
        .await;
    match name {
        Ok(Some(name)) => not_here(Some(&name)),
        Ok(None) => match anonymous::charge(&app, Work::Miss) {
            Ok(()) => gone(),
            Err(too_many) => too_many.into(),
        },
        Err(error) => error.into(),
    }
}

fn gone() -> PageError {
    PageError::new(
        StatusCode::GONE,
        "This link is no longer open",
        "A link to the admin portal works once, and for a minute after it was made.",
    )
    .what_to_do("go back to the application and open the settings from there.")
}

fn not_here(organization: Option<&str>) -> PageError {
    let of = organization.map_or(String::new(), |name| format!(" of {name}"));
    PageError::new(
        StatusCode::NOT_IMPLEMENTED,
        "The admin portal is not here yet",
        format!("This link is genuine and opens the settings{of}, but this version of Genkan has no page for them."),
    )
    .what_to_do("ask the people who run the application to make the change: they can do so by its management API and at its command line.")
}
