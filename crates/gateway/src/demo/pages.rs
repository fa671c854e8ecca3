//! The pages of the demo application.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use genkan_protocol::Timestamp;
use serde_json::{Map, Value};

use super::Demo;
use super::session::{SESSION_COOKIE, Session, cookie};
use crate::web::error::PageError;
use crate::web::moment::moment;
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};

/// Its name.
pub(super) const NAME: &str = "Demo application";

/// `demo/home.html`: nobody is signed in.
#[derive(Debug, Template)]
#[template(path = "demo/home.html")]
struct HomePage<'a> {
    issuer: &'a str,
    organization_id: &'a str,
    /// The session has just ended elsewhere.
    has_ended: bool,
}

impl PageTemplate for HomePage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Leave;
}

/// `demo/greeting.html`: a person is signed in.
#[derive(Debug, Template)]
#[template(path = "demo/greeting.html")]
struct GreetingPage<'a> {
    name: &'a str,
    email: Option<&'a str>,
    organization_id: Option<&'a str>,
    roles: Vec<&'a str>,
    groups: Vec<&'a str>,
    expires_at: String,
    can_refresh: bool,
    tables: [ClaimTable<'a>; 3],
}

impl PageTemplate for GreetingPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Leave;
}

/// The claims of one token.
#[derive(Debug)]
struct ClaimTable<'a> {
    caption: &'a str,
    rows: Vec<ClaimRow<'a>>,
}

#[derive(Debug)]
struct ClaimRow<'a> {
    name: &'a str,
    value: String,
    /// A number of seconds, in words.
    moment: Option<String>,
}

/// `GET /`.
pub(super) async fn home(State(demo): State<Demo>, RawQuery(query): RawQuery, headers: HeaderMap) -> Page {
    let session =
        cookie(&headers, SESSION_COOKIE, demo.url()).and_then(|id| demo.sessions().find(id, demo.now()));
    match session {
        Some(session) => greeting(&session),
        None => {
            let config = demo.relying_party().config();
            Page::new(&HomePage {
                issuer: &config.issuer,
                organization_id: &config.organization_id,
                has_ended: query.as_deref() == Some("ended"),
            })
        }
    }
}

fn greeting(session: &Session) -> Page {
    let text = |name: &str| session.id_claims.get(name).and_then(Value::as_str);
    let email = text("email");
    let expires_at = session
        .access_claims
        .get("exp")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    Page::new(&GreetingPage {
        name: text("name").or(email).unwrap_or("you"),
        email,
        organization_id: text("oid"),
        roles: list(session, "roles"),
        groups: list(session, "groups"),
        expires_at: moment(Timestamp::from_secs(expires_at)),
        can_refresh: session.refresh_token.is_some(),
        tables: [
            ClaimTable {
                caption: "ID token: who signed in",
                rows: rows(&session.id_claims),
            },
            ClaimTable {
                caption: "Access token: what they may do",
                rows: rows(&session.access_claims),
            },
            ClaimTable {
                caption: "Userinfo: who they are now",
                rows: rows(&session.userinfo),
            },
        ],
    })
}

/// A claim that is a list of words, from any source that has it.
fn list<'a>(session: &'a Session, name: &str) -> Vec<&'a str> {
    [&session.access_claims, &session.id_claims, &session.userinfo]
        .into_iter()
        .find_map(|claims| claims.get(name).and_then(Value::as_array))
        .map(|values| values.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

fn rows(claims: &Map<String, Value>) -> Vec<ClaimRow<'_>> {
    claims
        .iter()
        .map(|(name, value)| {
            let is_moment = matches!(name.as_str(), "exp" | "iat" | "nbf" | "auth_time" | "updated_at");
            // `updated_at` is a number in a string, for the sake of one SDK.
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            let secs = number.filter(|_| is_moment);
            ClaimRow {
                name,
                value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                moment: secs.map(|secs| moment(Timestamp::from_secs(secs))),
            }
        })
        .collect()
}

/// The gateway did not sign the person in. Its description is for developers.
pub(super) fn refused(error: &str, description: Option<&str>) -> PageError {
    let description = description
        .map(|text| text.trim_end_matches('.'))
        .unwrap_or("it did not say more");
    PageError::new(
        StatusCode::FORBIDDEN,
        "The sign-in did not work",
        format!("Genkan answered “{error}”: {description}."),
    )
    .application(NAME)
    .what_to_do("try again, or with another account.")
    .try_again("/")
}
