//! `GET|POST /sso/v1/{oidc,saml}/{connection}/test`: tries a connection without signing anybody in.
//!
//! A test sends the connection's secret to its provider and shows what comes
//! back, so it takes a word that counts once: `genkan connection test` and
//! `CreateConnectionTest` make one. Looking at the link changes nothing, because
//! previews and scanners follow links.

use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use genkan_protocol::oauth::Parameters;
use genkan_store::admission::{self, Refusal};
use genkan_store::connection::{Connection, Settings};
use genkan_store::interaction::{Interaction, Request};
use genkan_store::{
    ConnectionId, ConnectionTestId, Secret, SecretHash, TraceId, connection, connection_test,
};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::app::App;
use crate::connections::{self, Failure, Hints, UpstreamIdentity};
use crate::web::cookie::Cookie;
use crate::web::csrf::form_of_ours;
use crate::web::desks::{
    ClaimRow, ConnectionTestLink, ConnectionTestPage, ConnectionTestStart, Fact, Remedy,
};
use crate::web::error::PageError;
use crate::web::page::Page;
use crate::web::templates::{self, Link};

/// Asks before the test begins, or says how to get the link that may.
pub async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let id = ConnectionId::parse(&id).map_err(|_| PageError::unknown_connection())?;
    let (word, now) = (word(query.as_deref()), app.now());
    let (connection, until) = app
        .db()
        .read(async |tx| -> Result<_, PageError> {
            let found = connection::find(tx, &id).await?;
            let connection = found.ok_or_else(PageError::unknown_connection)?;
            let until = match &word {
                Some(word) => connection_test::find_open(tx, &id, word, now).await?,
                None => None,
            };
            Ok((connection, until))
        })
        .await?;
    let Some(until) = until else {
        return Ok(refuse(&id, word.is_some()));
    };
    let (browser, new_cookie) = app.cookies().browser(&headers);
    let page = ConnectionTestStart {
        connection: &connection.name,
        csrf: &app.csrf().token(&browser, &purpose(&id)),
        until: &templates::moment(until),
    };
    Ok((new_cookie, Page::new(&page)).into_response())
}

/// Begins a test. It works for disabled connections too: testing comes before enabling.
pub async fn begin(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let id = ConnectionId::parse(&id).map_err(|_| PageError::unknown_connection())?;
    let browser = app
        .cookies()
        .read(&headers, Cookie::Browser)
        .ok_or_else(PageError::foreign_form)?;
    form_of_ours(&app, &headers, &browser, &purpose(&id), &body)?;
    let (word, now) = (word(query.as_deref()), app.now());
    let begun = match &word {
        Some(word) => {
            app.db()
                .tx(async |tx| connection_test::begin(tx, &id, word, now).await)
                .await?
        }
        None => None,
    };
    let Some(test_id) = begun else {
        return Ok(refuse(&id, word.is_some()));
    };
    let request = Request::TestConnection {
        connection_id: id,
        test_id,
    };
    super::start(&app, &headers, request, super::Begun::Here).await
}

/// The word in the link, as it is kept.
fn word(query: Option<&str>) -> Option<SecretHash> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes()).ok()?;
    let word = parameters.one("word").ok().flatten()?;
    Some(Secret::from_presented(word).sha256())
}

fn purpose(id: &ConnectionId) -> String {
    format!("test of {id}")
}

fn refuse(id: &ConnectionId, had_word: bool) -> Response {
    let page = ConnectionTestLink {
        connection_id: id.as_str(),
        had_word,
    };
    Page::new(&page)
        .with_status(StatusCode::FORBIDDEN)
        .into_response()
}

/// The only step of a test: to the provider.
pub async fn resume(app: &App, interaction: &Interaction) -> Result<Response, PageError> {
    let Request::TestConnection {
        connection_id,
        test_id,
    } = &interaction.request
    else {
        return Err(PageError::interaction_gone());
    };
    let hints = Hints {
        force: true,
        ..Hints::default()
    };
    match connections::start(app, interaction, connection_id, &hints).await? {
        Ok(response) => Ok(response),
        Err(failure) => finish(app, interaction, test_id, Err(failure)).await,
    }
}

/// Keeps the result for the caller who asked by API, and shows it.
pub async fn finish(
    app: &App,
    interaction: &Interaction,
    test_id: &ConnectionTestId,
    result: Result<UpstreamIdentity, Failure>,
) -> Result<Response, PageError> {
    let Request::TestConnection { connection_id, .. } = &interaction.request else {
        return Err(PageError::interaction_gone());
    };
    let found = app
        .db()
        .read(async |tx| connection::find(tx, connection_id).await)
        .await?;
    let connection = found.ok_or_else(PageError::unknown_connection)?;
    let again = Link::parse("Test again", &test_path(&connection));
    let provider = connection.provider.as_str();
    // A sign-in would be decided so; nothing of it is written.
    let (identity, failure) = match result {
        Ok(identity) => rehearse(app, identity).await?,
        Err(failure) => (None, Some(failure)),
    };
    let claims = identity
        .as_ref()
        .map_or_else(Vec::new, |identity| claims(&connection, &identity.attributes));
    let page = match (&failure, &identity) {
        (Some(failure), _) => {
            let trace_id = connections::trace::record(app, Some(interaction), failure).await?;
            let kept = connection_test::Failure {
                error: failure.cause.clone(),
                description: failure.remedy.clone(),
                details: serde_json::to_value(&failure.trace).unwrap_or_default(),
            };
            app.db()
                .tx(async |tx| connection_test::fail(tx, test_id, &kept).await)
                .await?;
            Page::new(&ConnectionTestPage {
                crumbs: &[],
                connection: &connection.name,
                succeeded: false,
                why: &failure.why,
                remedy: Some(Remedy {
                    place: None,
                    text: &failure.remedy,
                }),
                facts: &facts(
                    provider,
                    trace_id.as_ref().map_or(test_id.as_str(), TraceId::as_str),
                ),
                checks: failure.trace.checks(),
                claims: &claims,
                again,
            })
        }
        (None, Some(identity)) => {
            app.db()
                .tx(async |tx| {
                    connection_test::succeed(tx, test_id, &identity.attributes, &identity.trace).await
                })
                .await?;
            Page::new(&ConnectionTestPage {
                crumbs: &[],
                connection: &connection.name,
                succeeded: true,
                why: "",
                remedy: None,
                facts: &facts(provider, test_id.as_str()),
                checks: identity.trace.checks(),
                claims: &claims,
                again,
            })
        }
        (None, None) => return Err(PageError::unknown_connection()),
    };
    Ok(page.into_response())
}

/// The admission of a sign-in, without its consequences: the identity with what it
/// would come to as the last line of its trace, or why nobody would be signed in.
async fn rehearse(
    app: &App,
    mut identity: UpstreamIdentity,
) -> Result<(Option<UpstreamIdentity>, Option<Failure>), PageError> {
    let (claim, now) = (identity.claim(), app.now());
    let decided = app
        .db()
        .read(async |tx| admission::rehearse(tx, &claim, now).await)
        .await?;
    let refusal = match decided {
        Ok(recognized) => {
            let note = match &recognized.user {
                Some(user) => format!("{} would be signed in", user.email.as_str()),
                None => format!("{} would be signed in, and be new here", identity.email.as_str()),
            };
            identity.trace.pass("Account", note);
            return Ok((Some(identity), None));
        }
        // Deleted in this very moment.
        Err(Refusal::ConnectionNotActive) => return Err(PageError::unknown_connection()),
        Err(refusal) => refusal,
    };
    let failure = identity.refused(&refusal);
    Ok((Some(identity), Some(failure)))
}

fn facts(provider: &str, reference: &str) -> Vec<Fact<'static>> {
    vec![
        Fact {
            name: "Provider",
            value: provider.to_owned(),
            is_code: false,
        },
        Fact {
            name: "Reference",
            value: reference.to_owned(),
            is_code: true,
        },
    ]
}

/// The claims as they came, each with what the connection makes of it.
fn claims<'a>(connection: &Connection, attributes: &'a Map<String, Value>) -> Vec<ClaimRow<'a>> {
    let (groups, roles) = match &connection.settings {
        Settings::Oidc(settings) => (settings.groups_from(), settings.roles_claim.as_deref()),
        Settings::Saml(_) => (None, None),
    };
    let mapping = connection.settings.attribute_mapping();
    let mapped =
        |attribute: &str, claim: &str| mapping.get(attribute).map_or(attribute, String::as_str) == claim;
    attributes
        .iter()
        .map(|(name, value)| ClaimRow {
            name,
            value: value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned),
            becomes: match name.as_str() {
                "sub" => Some("the subject"),
                claim if mapped("email", claim) => Some("the e-mail"),
                claim if mapped("name", claim) => Some("the name"),
                claim if mapped("given_name", claim) => Some("the given name"),
                claim if mapped("family_name", claim) => Some("the family name"),
                claim if mapped("preferred_username", claim) => Some("the user name"),
                claim if Some(claim) == groups => Some("the groups"),
                claim if Some(claim) == roles => Some("the roles"),
                _ => None,
            },
        })
        .collect()
}

/// Where a test of this connection begins.
pub fn test_path(connection: &Connection) -> String {
    let protocol = match connection.settings {
        Settings::Oidc(_) => "oidc",
        Settings::Saml(_) => "saml",
    };
    format!("/sso/v1/{protocol}/{}/test", connection.id)
}
