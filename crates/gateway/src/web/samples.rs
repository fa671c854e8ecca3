//! One sample of every page, rendered by the test below, which leaves them in
//! `target/pages/` for `tests/browser/pages.mjs` to look at.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use genkan_api::openapi::{self, Operation};
use genkan_protocol::Trace;
use tower::ServiceExt as _;

use crate::dev::mail::{InboxPage, Letter, LetterPage};
use crate::web::api_reference;
use crate::web::desks::{
    ClaimRow, ConnectionTestLink, ConnectionTestPage, ConnectionTestStart, Fact, Remedy, TracePage,
};
use crate::web::page::Page;
use crate::web::templates::{
    BeginElsewhere, ConfirmSwitch, EmailError, ErrorPage, Identify, Invitation, InvitationAccepted, Link,
    LogoutConfirm, Person, SelectAccount, SignedOut,
};
use crate::{demo, dev, simulator};

/// Long enough to break a page that does not expect it.
const LONG: &str = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";

const ADA: Person<'_> = Person {
    name: Some("Ada Lovelace"),
    email: "ada@example.com",
    organization: Some("Test Organization"),
};

const MALLORY: Person<'_> = Person {
    name: Some("Mallory Malice"),
    email: "mallory@evil.example",
    organization: Some("Evil Works"),
};

/// Ada in another company.
const ADA_ELSEWHERE: Person<'_> = Person {
    organization: Some(LONG),
    ..ADA
};

type Samples = Vec<(&'static str, Response)>;

/// Every page, by the name of its file.
async fn all() -> Samples {
    let pages = [doors(), errors(), desks()].into_iter().flatten();
    let mut samples: Samples = pages.map(|(name, page)| (name, page.into_response())).collect();
    samples.extend(simulator().await);
    samples.extend(demo().await);
    samples.extend(
        reference()
            .into_iter()
            .map(|(name, page)| (name, page.into_response())),
    );
    samples.extend(
        mail()
            .into_iter()
            .map(|(name, page)| (name, page.into_response())),
    );
    samples
}

/// The pages of a router, as it answers them.
async fn answers<const N: usize>(router: Router, requests: [(&'static str, Request<Body>); N]) -> Samples {
    let mut samples = Vec::new();
    for (name, request) in requests {
        samples.push((
            name,
            router
                .clone()
                .oneshot(request)
                .await
                .expect("a router does not fail"),
        ));
    }
    samples
}

async fn simulator() -> Samples {
    let query = "client_id=genkan&response_type=code&state=s&login_hint=grace.hopper%40example.com\
         &redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fsso%2Fv1%2Foidc%2Fconn_000000000000000000001%2Fcallback";
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let wrong = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("request", query),
            ("email", LONG),
            ("given_name", "Grace"),
            ("fault", "wrong_nonce"),
        ])
        .finish();
    let requests = [
        ("desk-simulator", get("/simulator/")),
        (
            "simulator-authorize",
            get(&format!("/simulator/authorize?{query}")),
        ),
        (
            "simulator-authorize-wrong",
            Request::post("/simulator/authorize").body(wrong.into()).unwrap(),
        ),
        ("simulator-stranger", get("/simulator/authorize?client_id=other")),
    ];
    answers(simulator::tests::sample().router(), requests).await
}

async fn demo() -> Samples {
    let (router, cookie) = demo::tests::sample();
    let get = |path: &str| Request::get(path);
    let requests = [
        ("desk-demo", get("/?ended").body(Body::empty()).unwrap()),
        (
            "desk-demo-greeting",
            get("/").header("cookie", cookie).body(Body::empty()).unwrap(),
        ),
        (
            "demo-refused",
            get("/callback?error=x").body(Body::empty()).unwrap(),
        ),
    ];
    answers(router, requests).await
}

fn reference() -> Vec<(&'static str, Page)> {
    let url = "https://auth.acme.test";
    let largest = |operation: &&Operation| openapi::answer_rows(operation).len();
    let operations = openapi::operations();
    vec![
        ("desk-reference", api_reference::render_index(url, "")),
        (
            "desk-reference-found",
            api_reference::render_index(url, "organization create"),
        ),
        ("desk-reference-nothing", api_reference::render_index(url, LONG)),
        (
            "desk-reference-small",
            api_reference::render_operation(url, &operations[0]),
        ),
        (
            "desk-reference-large",
            api_reference::render_operation(url, operations.iter().max_by_key(largest).unwrap()),
        ),
    ]
}

fn mail() -> Vec<(&'static str, Page)> {
    let letter = |to: &str, subject: &str| Letter {
        id: "mail_000000000000000000001".to_owned(),
        to: to.to_owned(),
        subject: subject.to_owned(),
        at: "22 November 2026, 14:03:11 UTC".to_owned(),
    };
    let letters = [
        letter("ada@example.com", "271828 is your code for Acme Notes"),
        letter(&format!("ada@{}.example.com", &LONG[..60]), LONG),
    ];
    let inbox = |goes_out, letters| Page::new(&InboxPage { goes_out, letters });
    let crumbs: Vec<Link> = Link::parse("Mail", "/dev/mail").into_iter().collect();
    let text = format!(
        "Your code for Acme Notes is\n\n271828\n\nOr follow this link:\n\nhttps://notes.acme.test/enter?link_token={LONG}\n\n\
         It is valid for 5 minutes."
    );
    vec![
        ("desk-mail", inbox(false, &letters)),
        ("desk-mail-empty", inbox(true, &[])),
        (
            "desk-mail-letter",
            Page::new(&LetterPage {
                crumbs: &crumbs,
                letter: &letters[0],
                facts: &facts()[..2],
                lines: &dev::mail::lines(&text),
            }),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list of pages")]
fn doors() -> Vec<(&'static str, Page)> {
    let identify = |application, email, error| {
        Page::new(&Identify {
            application,
            action: None,
            csrf: "dGhlIGZvcm0gdG9rZW4",
            hidden: &[("step", "identify")],
            email,
            error,
        })
    };
    let select = |person| {
        Page::new(&SelectAccount {
            application: "Acme Notes",
            action: None,
            csrf: "c",
            hidden: &[],
            person,
        })
    };
    let confirm = |arriving, present, is_same_person| {
        Page::new(&ConfirmSwitch {
            application: "Acme Notes",
            action: "/login/lri_000000000000000000001/switch",
            csrf: "c",
            hidden: &[("session", "ses_000000000000000000001"), ("person", "none")],
            arriving,
            present,
            is_same_person,
        })
    };
    let begin = |company| {
        Page::new(&BeginElsewhere {
            application: "Acme Notes",
            action: "/sso/v1/oidc/conn_000000000000000000001/init",
            csrf: "c",
            hidden: &[("iss", "https://acme.okta.com")],
            company,
        })
    };
    let nameless = Person {
        name: None,
        email: "ada.of.the.analytical.engine@example.com",
        organization: None,
    };
    let invitation = |organization, inviter| {
        Page::new(&Invitation {
            organization,
            inviter,
            csrf: "c",
            person: Person {
                name: None,
                email: "ada@example.com",
                organization: Some(organization),
            },
            until: "7 December 2026, 14:03:11 UTC",
        })
    };
    let accepted = |go_on| {
        Page::new(&InvitationAccepted {
            organization: "Acme",
            person: Person {
                name: None,
                email: "ada@example.com",
                organization: Some("Acme"),
            },
            go_on,
        })
    };
    vec![
        ("invitation", invitation("Acme", Some("grace@example.com"))),
        ("invitation-long", invitation(LONG, None)),
        (
            "invitation-accepted",
            accepted(Link::parse("Sign in", "https://notes.example.com/login")),
        ),
        ("invitation-accepted-bare", accepted(None)),
        ("identify", identify("Acme Notes", "", None)),
        (
            "identify-malformed",
            identify("Acme Notes", "ada@", Some(EmailError::Malformed)),
        ),
        (
            "identify-unknown",
            identify(
                LONG,
                "ada@gmail.com",
                Some(EmailError::UnknownDomain("gmail.com")),
            ),
        ),
        ("select-account", select(ADA)),
        ("select-account-nameless", select(nameless)),
        ("confirm-switch", confirm(MALLORY, Some(ADA), false)),
        (
            "confirm-switch-organization",
            confirm(ADA_ELSEWHERE, Some(ADA), true),
        ),
        (
            "confirm-switch-nameless",
            confirm(nameless, Some(ADA_ELSEWHERE), false),
        ),
        ("confirm-sign-in", confirm(MALLORY, None, false)),
        ("begin-elsewhere", begin("Acme")),
        ("begin-elsewhere-long", begin(LONG)),
        (
            "logout-confirm",
            Page::new(&LogoutConfirm {
                application: "Acme Notes",
                action: Some("/oidc/logout"),
                csrf: "c",
                hidden: &[("state", "xyz")],
                person: ADA,
            }),
        ),
        (
            "signed-out",
            Page::new(&SignedOut {
                application: "Acme Notes",
                back: Link::parse("Back to Acme Notes", "/"),
            }),
        ),
    ]
}

fn errors() -> Vec<(&'static str, Page)> {
    let (try_again, back) = (
        Link::parse("Try again", "/login"),
        Link::parse("Back to Acme Notes", "/"),
    );
    let whole = ErrorPage {
        application: Some("Acme Notes"),
        heading: "We could not sign you in",
        why: "Your company’s sign-in answered, but its answer was made for another application. Nothing is wrong with your account.",
        what_to_do: Some("send the reference below to your IT team. It shows them what to change."),
        reference: Some("err_000729104662551804313"),
        try_again: try_again.as_ref(),
        back: back.as_ref(),
    };
    let bare = ErrorPage {
        application: None,
        heading: "There is no page here",
        why: "The link is old or mistyped, or it was cut off on its way.",
        what_to_do: None,
        reference: None,
        try_again: None,
        back: None,
    };
    let go_on = Link::parse("Go to Acme Notes", "/");
    let finished = ErrorPage {
        application: Some("Acme Notes"),
        heading: "This sign-in is finished",
        why: "It was finished in this browser before. Perhaps you went back, or loaded the page again.",
        what_to_do: Some("go on to the application. It knows whether you are signed in."),
        reference: Some("req_000729104662551804313"),
        try_again: go_on.as_ref(),
        back: None,
    };
    let too_many = ErrorPage {
        application: None,
        heading: "Too many requests",
        why: "More was asked from your network in the last minute than we answer at once.",
        what_to_do: Some("wait 12 seconds and try again."),
        reference: Some("req_000729104662551804313"),
        try_again: None,
        back: None,
    };
    vec![
        ("error", Page::new(&whole)),
        ("error-bare", Page::new(&bare)),
        ("sign-in-finished", Page::new(&finished)),
        ("too-many-requests", Page::new(&too_many)),
    ]
}

fn desks() -> Vec<(&'static str, Page)> {
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
    let (facts, claims) = (facts(), claims());

    let trace = TracePage {
        crumbs: &crumbs,
        heading: "The answer was made for another application",
        remedy: Some(REMEDY),
        facts: &facts,
        checks: failed.checks(),
    };
    let works = ConnectionTestPage {
        crumbs: &crumbs,
        connection: "Okta OIDC",
        succeeded: true,
        why: "",
        remedy: None,
        facts: &facts[..2],
        checks: passed.checks(),
        claims: &claims,
        again: Link::parse("Test again", "/sso/v1/oidc/conn_1/test"),
    };
    let fails = ConnectionTestPage {
        crumbs: &[],
        succeeded: false,
        why: "The answer was made for another application.",
        remedy: Some(REMEDY),
        checks: failed.checks(),
        claims: &[],
        ..works.clone()
    };
    let start = ConnectionTestStart {
        connection: LONG,
        csrf: "c",
        until: "7 December 2026, 14:03:11 UTC",
    };
    let link = |had_word| {
        Page::new(&ConnectionTestLink {
            connection_id: "conn_241053847510274048012",
            had_word,
        })
    };
    vec![
        ("desk-trace", Page::new(&trace)),
        ("desk-connection-works", Page::new(&works)),
        ("desk-connection-fails", Page::new(&fails)),
        ("desk-connection-start", Page::new(&start)),
        ("desk-connection-link", link(false)),
        ("desk-connection-link-used", link(true)),
    ]
}

const REMEDY: Remedy<'_> = Remedy {
    place: Some("Okta"),
    text: "open Applications › your app › General, copy the client ID from there, and enter it in this connection.",
};

fn facts() -> [Fact<'static>; 4] {
    [
        ("Who", "ada@acme.com", false),
        ("When", "22 November 2026, 14:03:11 UTC", false),
        ("Reference", "err_000729104662551804313", true),
        ("Cause", "id_token_audience", true),
    ]
    .map(|(name, value, is_code)| Fact {
        name,
        value: value.to_owned(),
        is_code,
    })
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

mod tests {
    use std::fs;
    use std::path::Path;

    use axum::body::to_bytes;
    use axum::http::header;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::web::static_files::{self, STYLESHEET};

    /// A page and its sheet: everything a browser loads at a door.
    const LIMIT_BYTES: usize = 30 * 1024;

    #[tokio::test]
    async fn every_page_renders_from_its_sample() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pages");
        for (name, response) in all().await {
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            let html = std::str::from_utf8(&body).unwrap();
            assert!(
                html.starts_with("<!doctype html>\n<html lang=\"en\">"),
                "{name}: {html}"
            );
            assert_eq!(html.matches("<h1>").count(), 1, "{name} has one heading");
            assert_eq!(html.matches("<main").count(), 1, "{name} has one main landmark");
            let title = html
                .split_once("<title>")
                .and_then(|(_, rest)| rest.split_once("</title>"));
            assert!(
                title.is_some_and(|(title, _)| !title.trim().is_empty()),
                "{name} has a title"
            );
            // The reference is for people at work, and long by its nature.
            let limit_bytes = if name.starts_with("desk-reference") {
                5 * LIMIT_BYTES
            } else {
                LIMIT_BYTES
            };
            assert!(
                html.len() + STYLESHEET.size_bytes() < limit_bytes,
                "{name} weighs too much"
            );
            // The policy forbids all of these: a page that has one is broken.
            for forbidden in [
                "<script",
                "<style",
                " style=",
                " onclick=",
                " onload=",
                "src=\"http",
            ] {
                assert!(!html.contains(forbidden), "{name} contains {forbidden}");
            }
            assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{name}");
            write(&directory.join(name), (status, headers, body).into_response()).await;
        }
        for file in [&static_files::STYLESHEET, &static_files::FAVICON] {
            let href = file.href().to_string();
            let path = href.split_once('?').map_or(&*href, |(path, _)| path);
            write(&directory.join(path.trim_start_matches('/')), file.response()).await;
        }
    }

    /// Writes an answer as the browser would get it: `{status, headers, body}`.
    async fn write(path: &Path, response: Response) {
        let headers: Map<String, Value> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let answer = json!({ "status": status, "headers": headers, "body": String::from_utf8_lossy(&body) });
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(
            path.with_extension(path.extension().map_or_else(
                || "json".to_owned(),
                |extension| format!("{}.json", extension.to_string_lossy()),
            )),
            answer.to_string(),
        )
        .unwrap();
    }
}
