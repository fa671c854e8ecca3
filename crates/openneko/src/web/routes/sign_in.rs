//! `GET /signin`: the sign-in page.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use genkan_web::listener::ClientIp;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};

use super::{begin, is_operator};
use crate::web::app::App;
use crate::web::door::Door;
use crate::web::problem::{self, Problem};
use crate::web::query::Query;
use crate::web::{reply, return_path};

/// The word in the address after a sign-out.
pub(super) const SIGNED_OUT: &str = "signed_out";

/// `signin.html`
#[derive(Debug, Template)]
#[template(path = "signin.html")]
struct SignInPage<'a> {
    door: &'a Door,
    problem: Option<Problem>,
    reference: Option<&'a str>,
    signed_out: bool,
    return_to: &'a str,
    /// The token of the form that begins a sign-in.
    token: &'a str,
    /// Whether the browser is on this machine, so that the page may show commands.
    is_operator: bool,
}

impl PageTemplate for SignInPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Leave;
}

pub(super) async fn sign_in(
    State(app): State<App>,
    client: ClientIp,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let door = match app.door().await {
        Ok(door) => door,
        Err(error) => return reply::unavailable(&headers, &error),
    };
    let query = Query::parse(query.as_deref()).unwrap_or_default();
    let return_to = return_path::parse(query.get("returnTo").unwrap_or_default());
    let (token, line) = begin::form_token(&app, &headers);
    let page = SignInPage {
        door: &door,
        problem: query.get("error").map(Problem::of_code),
        reference: query.get("reference").and_then(problem::reference),
        signed_out: query.get("notice") == Some(SIGNED_OUT),
        return_to: &return_to,
        token: &token,
        is_operator: is_operator(&app, client),
    };
    let mut response = Page::new(&page).into_response();
    response
        .headers_mut()
        .extend(line.map(|line| (header::SET_COOKIE, line)));
    response
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::sample;

    use crate::web::samples::provider;

    let whole = SignInPage {
        door: &Door::Open(provider(&[])),
        problem: None,
        reference: None,
        signed_out: false,
        return_to: "/",
        token: "AAAA",
        is_operator: true,
    };
    let failed = SignInPage {
        problem: Some(Problem::PluginFailed),
        reference: Some("ref_0Lk3mNp9QrSt"),
        ..whole
    };
    let signed_out = SignInPage {
        signed_out: true,
        ..whole
    };
    let stranger = SignInPage {
        door: &Door::Setup,
        is_operator: false,
        ..whole
    };
    let shut = [
        (
            "signin-pending",
            Door::Pending(provider(&["SCALEKIT_CLIENT_ID", "SCALEKIT_CLIENT_SECRET"])),
        ),
        ("signin-setup", Door::Setup),
        (
            "signin-lost",
            Door::Lost(Some("@open-neko/plugin-scalekit".to_owned())),
        ),
        ("signin-no-public-url", Door::NoPublicUrl),
    ];
    let mut samples = vec![
        sample("signin", Page::new(&whole)),
        sample("signin-failed", Page::new(&failed)),
        sample("signin-signed-out", Page::new(&signed_out)),
        sample("signin-setup-stranger", Page::new(&stranger)),
    ];
    samples.extend(
        shut.iter()
            .map(|(name, door)| sample(name, Page::new(&SignInPage { door, ..whole }))),
    );
    samples
}
