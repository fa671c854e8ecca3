//! `GET|POST /sso/v1/{oidc,saml}/{connection}/test`: tests a connection without signing anybody in.
//!
//! A test sends the connection's secret to its provider and shows the answer. So its link contains a token
//! that counts once, which `genkan connection test` and `CreateConnectionTest` make. Opening the link
//! changes nothing, because previews and scanners follow links.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use genkan_protocol::oauth::Parameters;
use genkan_protocol::trace::{Check, CheckOutcome};
use genkan_store::admission::{self, Refusal};
use genkan_store::connection::{Connection, Endpoint};
use genkan_store::interaction::{Interaction, Request};
use genkan_store::login_message::LoginMessage;
use genkan_store::user_attribute::UserAttribute;
use genkan_store::{
    ConnectionId, ConnectionTestId, Error, Secret, SecretHash, TraceId, connection, connection_test,
};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Link;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value};

use crate::app::App;
use crate::connections::{self, Hints, SignInFailure, UpstreamIdentity};
use crate::web::error::PageError;
use crate::web::facts::Fact;
use crate::web::indent::indented;
use crate::web::moment::moment;
use crate::web::own_form::OwnForm;

/// `connection_test.html`: the result of a connection's test.
#[derive(Debug, Clone, Template)]
#[template(path = "connection_test.html")]
struct ResultPage<'a> {
    crumbs: &'a [Link],
    /// The connection's name, with which the heading begins.
    connection: &'a str,
    succeeded: bool,
    /// Why it failed, as a sentence.
    why: &'a str,
    remedy: Option<Remedy<'a>>,
    facts: &'a [Fact<'a>],
    checks: &'a [Check],
    claims: &'a [ClaimRow<'a>],
    /// Request and answer, as far as they are known.
    messages: &'a LoginMessage,
    /// Starts the test again.
    again: Option<Link>,
}

impl PageTemplate for ResultPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

/// `connection_test_start.html`: asks before a test begins. Posts `csrf` to its own address. Its answer
/// leads to an identity provider.
#[derive(Debug, Template)]
#[template(path = "connection_test_start.html")]
struct StartPage<'a> {
    /// The connection's name.
    connection: &'a str,
    csrf: &'a str,
    /// When the link expires.
    until: &'a str,
}

impl PageTemplate for StartPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Leave;
}

/// `connection_test_link.html`: explains how to get the link that begins a test.
#[derive(Debug, Template)]
#[template(path = "connection_test_link.html")]
struct LinkPage<'a> {
    /// The connection's identifier. Nothing else about it is shown.
    connection_id: &'a str,
    /// The address had a token that was used, expired or never existed.
    had_word: bool,
}

impl PageTemplate for LinkPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

/// How to correct a failure.
#[derive(Debug, Clone, Copy)]
struct Remedy<'a> {
    /// The place: the identity provider's name, such as “Okta”.
    place: Option<&'a str>,
    text: &'a str,
}

/// A claim of the identity provider and our attribute for it.
#[derive(Debug, Clone)]
struct ClaimRow<'a> {
    name: &'a str,
    /// A text as it is, any other value as JSON.
    value: String,
    /// The attribute, with its article: “the e-mail”.
    becomes: Option<&'a str>,
}

/// Asks before the test begins, or explains how to get a link.
pub async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let id = ConnectionId::parse(&id).map_err(|_| connections::unknown())?;
    let (word, now) = (word(uri.query()), app.now());
    let (connection, until) = app
        .db()
        .read(async |tx| -> Result<_, PageError> {
            let found = connection::find(tx, &id).await?;
            let connection = found.ok_or_else(connections::unknown)?;
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
    let page = StartPage {
        connection: &connection.name,
        csrf: &app.form_token(&browser, uri.path()),
        until: &moment(until),
    };
    Ok((new_cookie, Page::new(&page)).into_response())
}

/// Begins a test. It also works for disabled connections, because a connection is tested before it is
/// enabled.
pub async fn begin(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    _: OwnForm,
) -> Result<Response, PageError> {
    let id = ConnectionId::parse(&id).map_err(|_| connections::unknown())?;
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
    super::start(&app, &headers, request, super::LoginOrigin::Here).await
}

/// The token in the link, as its stored hash.
fn word(query: Option<&str>) -> Option<SecretHash> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes()).ok()?;
    let word = parameters.one("word").ok().flatten()?;
    Some(Secret::from_presented(word).sha256())
}

fn refuse(id: &ConnectionId, had_word: bool) -> Response {
    let page = LinkPage {
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

/// Stores the result for the API, and shows it.
pub async fn finish(
    app: &App,
    interaction: &Interaction,
    test_id: &ConnectionTestId,
    result: Result<UpstreamIdentity, SignInFailure>,
) -> Result<Response, PageError> {
    // A sign-in would decide the same. Nothing of it is written.
    let outcome = match result {
        Ok(identity) => rehearse(app, identity).await?,
        Err(failure) => (None, Some(failure)),
    };
    let trace_id = match &outcome.1 {
        Some(failure) => connections::trace::record(app, interaction, failure).await?,
        None => None,
    };
    conclude(app, (interaction, test_id), outcome, trace_id).await
}

/// Stores a failure whose trace is stored already, and shows it.
pub async fn tell(
    app: &App,
    test: (&Interaction, &ConnectionTestId),
    failure: SignInFailure,
    trace_id: Option<TraceId>,
) -> Result<Response, PageError> {
    conclude(app, test, (None, Some(failure)), trace_id).await
}

async fn conclude(
    app: &App,
    (interaction, test_id): (&Interaction, &ConnectionTestId),
    (identity, failure): (Option<UpstreamIdentity>, Option<SignInFailure>),
    trace_id: Option<TraceId>,
) -> Result<Response, PageError> {
    let Request::TestConnection { connection_id, .. } = &interaction.request else {
        return Err(PageError::interaction_gone());
    };
    let found = app
        .db()
        .read(async |tx| connection::find(tx, connection_id).await)
        .await?;
    let connection = found.ok_or_else(connections::unknown)?;
    let again = Link::parse("Test again", &connection.path(Endpoint::Test));
    let provider = connection.provider.as_str();
    let registered = app.user_attributes().await?;
    let claims = identity.as_ref().map_or_else(Vec::new, |identity| {
        claims(&connection, &registered, &identity.attributes)
    });
    let page = match (&failure, &identity) {
        (Some(failure), _) => {
            let kept = connection_test::TestFailure {
                error: failure.cause.code().to_owned(),
                description: failure.remedy.clone(),
                details: serde_json::to_value(&failure.trace).unwrap_or_default(),
            };
            let stored = app
                .db()
                .tx(async |tx| connection_test::fail(tx, test_id, &kept).await)
                .await;
            match stored {
                // The page was loaded again. The first result stays.
                Ok(()) | Err(Error::Stale) => {}
                Err(error) => return Err(error.into()),
            }
            Page::new(&ResultPage {
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
                messages: &shown_messages(failure, &claims),
                again,
            })
        }
        (None, Some(identity)) => {
            app.db()
                .tx(async |tx| {
                    connection_test::succeed(tx, test_id, &identity.attributes, &identity.trace).await
                })
                .await?;
            Page::new(&ResultPage {
                crumbs: &[],
                connection: &connection.name,
                succeeded: true,
                why: "",
                remedy: None,
                facts: &facts(provider, test_id.as_str()),
                checks: identity.trace.checks(),
                claims: &claims,
                messages: &LoginMessage::default(),
                again,
            })
        }
        (None, None) => return Err(connections::unknown()),
    };
    Ok(page.into_response())
}

/// The admission of a sign-in, without its effects. Returns the identity with the result as the last line
/// of its trace, or why nobody would be signed in.
async fn rehearse(
    app: &App,
    mut identity: UpstreamIdentity,
) -> Result<(Option<UpstreamIdentity>, Option<SignInFailure>), PageError> {
    let (claim, now) = (identity.claim(), app.now());
    let decided = app
        .db()
        .read(async |tx| admission::rehearse(tx, &claim, now).await)
        .await?;
    let refusal = match decided {
        Ok(recognition) => {
            let note = match &recognition.user {
                Some(user) => format!("{} would be signed in", user.email.as_str()),
                None => format!("{} would be signed in, and be new here", identity.email.as_str()),
            };
            identity.trace.pass("Account", note);
            return Ok((Some(identity), None));
        }
        // The connection was deleted at this moment.
        Err(Refusal::ConnectionNotActive) => return Err(connections::unknown()),
        Err(refusal) => refusal,
    };
    let failure = identity.refused(&refusal);
    Ok((Some(identity), Some(failure)))
}

/// Request and answer, laid out for people, unless the claims are shown already.
fn shown_messages(failure: &SignInFailure, claims: &[ClaimRow<'_>]) -> LoginMessage {
    let messages = failure.messages.as_ref().filter(|_| claims.is_empty());
    messages.map_or_else(LoginMessage::default, |messages| LoginMessage {
        request: messages.texts.request.as_deref().map(indented),
        answer: messages.texts.answer.as_deref().map(indented),
    })
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

/// The claims of the provider, each with our attribute for it.
fn claims<'a>(
    connection: &Connection,
    registered: &[UserAttribute],
    attributes: &'a Map<String, Value>,
) -> Vec<ClaimRow<'a>> {
    attributes
        .iter()
        .map(|(name, value)| ClaimRow {
            name,
            value: value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned),
            becomes: connections::becomes(connection, registered, name),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod samples {
    use genkan_protocol::Trace;
    use genkan_web::samples::{LONG, Samples, sample};

    use super::*;
    use crate::web::facts;

    pub(crate) fn all() -> Samples {
        let crumbs: Vec<Link> = [
            Link::parse("Acme", "/acme"),
            Link::parse("Okta OIDC", "/acme/okta"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut passed = Trace::default();
        passed.pass("Authorization response", "a code");
        passed.pass("Token response", "1.9 KB");
        passed.pass("Signature", "RS256, key 2026-11");
        passed.pass("Issuer", "https://acme.okta.com");
        let mut failed = passed.clone();
        failed.fail("Audience", "0oa1fqzh2kVwXy3Zb5d7", LONG);
        failed.not_reached("Nonce");
        failed.not_reached("Expiry");
        let (facts, claims) = (facts::samples(), claims());
        let (nothing, messages) = (LoginMessage::default(), messages());

        let works = ResultPage {
            crumbs: &crumbs,
            connection: "Okta OIDC",
            succeeded: true,
            why: "",
            remedy: None,
            facts: &facts[..2],
            checks: passed.checks(),
            claims: &claims,
            messages: &nothing,
            again: Link::parse("Test again", "/sso/v1/oidc/conn_1/test"),
        };
        let fails = ResultPage {
            crumbs: &[],
            succeeded: false,
            why: "The answer was made for another application.",
            remedy: Some(REMEDY),
            checks: failed.checks(),
            claims: &[],
            messages: &messages,
            ..works.clone()
        };
        let start = StartPage {
            connection: LONG,
            csrf: "c",
            until: "7 December 2026, 14:03:11 UTC",
        };
        let link = |had_word| {
            Page::new(&LinkPage {
                connection_id: "conn_241053847510274048012",
                had_word,
            })
        };
        vec![
            sample("desk-connection-works", Page::new(&works)),
            sample("desk-connection-fails", Page::new(&fails)),
            sample("desk-connection-start", Page::new(&start)),
            sample("desk-connection-link", link(false)),
            sample("desk-connection-link-used", link(true)),
        ]
    }

    const REMEDY: Remedy<'_> = Remedy {
        place: Some("Okta"),
        text: "open Applications › your app › General, copy the client ID from there, and enter it in this connection.",
    };

    fn messages() -> LoginMessage {
        LoginMessage {
            request: Some("<samlp:AuthnRequest ID=\"…\" Version=\"2.0\"/>".to_owned()),
            answer: Some(format!(
                "<samlp:Response InResponseTo=\"…\">{LONG}</samlp:Response>"
            )),
        }
    }

    fn claims() -> [ClaimRow<'static>; 5] {
        [
            ("sub", "00u1fqzjG5xTgVb2K5d7", Some("the identity")),
            ("email", "ada@acme.com", Some("the e-mail")),
            ("given_name", "Ada", Some("the first name")),
            ("groups", r#"["Engineering","Everyone"]"#, Some("the groups")),
            ("https://acme.com/claims/cost_center", LONG, None),
        ]
        .map(|(name, value, becomes)| ClaimRow {
            name,
            value: value.to_owned(),
            becomes,
        })
    }
}
