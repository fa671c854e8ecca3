//! `/dev/mail`: the inbox of a development instance. Programs get JSON.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use genkan_store::MailId;
use genkan_store::mail::{self, QueuedMail};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate, wants_html};
use genkan_web::text::Link;
use serde_json::{Value, json};

use crate::app::App;
use crate::letters::{self, LetterText};
use crate::mail::Mailer;
use crate::web::error::PageError;
use crate::web::facts::Fact;
use crate::web::moment::moment;

/// The path of the inbox.
pub const PATH: &str = "/dev/mail";

/// How many mails are listed.
const LIMIT: u32 = 50;

/// The policy of a mail as HTML: it has styles of its own, and runs nothing.
const LETTER_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// `dev/inbox.html`.
#[derive(Debug, Template)]
#[template(path = "dev/inbox.html")]
struct InboxPage<'a> {
    goes_out: bool,
    letters: &'a [Letter],
}

impl PageTemplate for InboxPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

/// `dev/letter.html`.
#[derive(Debug, Template)]
#[template(path = "dev/letter.html")]
struct LetterPage<'a> {
    crumbs: &'a [Link],
    letter: &'a Letter,
    facts: &'a [Fact<'a>],
    lines: &'a [Line],
}

impl PageTemplate for LetterPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

/// A mail on the pages.
#[derive(Debug)]
struct Letter {
    id: String,
    to: String,
    subject: String,
    at: String,
}

/// A line of a mail; an address is a link.
#[derive(Debug)]
struct Line {
    text: String,
    link: Option<Link>,
}

/// The lines of a plain text that are not empty.
fn lines(text: &str) -> Vec<Line> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| Line {
            text: line.to_owned(),
            link: Link::parse(line, line).filter(|_| line.starts_with("http")),
        })
        .collect()
}

/// The pages.
pub fn router(app: &App) -> Router {
    Router::new()
        .route(PATH, get(inbox))
        .route("/dev/mail/{id}", get(letter))
        .route("/dev/mail/{id}/html", get(html))
        .with_state(app.clone())
}

async fn inbox(State(app): State<App>, headers: HeaderMap) -> Result<Response, PageError> {
    let queued = app.db().read(async |tx| mail::newest(tx, LIMIT).await).await?;
    // A mail under another key was queued before this instance had its own.
    let opened = queued.iter().filter_map(|mail| Some((mail, open(&app, mail)?)));
    if !wants_html(&headers) {
        let mails: Vec<_> = opened.map(|(mail, written)| as_json(mail, &written)).collect();
        let no_store = [(header::CACHE_CONTROL, "no-store")];
        return Ok((no_store, Json(json!({ "mails": mails }))).into_response());
    }
    let letters: Vec<_> = opened.map(|(mail, written)| describe(mail, &written)).collect();
    let page = InboxPage {
        goes_out: matches!(app.mailer(), Mailer::Smtp(_)),
        letters: &letters,
    };
    Ok(Page::new(&page).into_response())
}

async fn letter(State(app): State<App>, Path(id): Path<String>) -> Result<Page, PageError> {
    let (queued, written) = find(&app, &id).await?;
    let letter = describe(&queued, &written);
    let crumbs: Vec<_> = Link::parse("Mail", PATH).into_iter().collect();
    let fact = |name, value: &str, is_code| Fact {
        name,
        value: value.to_owned(),
        is_code,
    };
    let facts = [
        fact("To", &letter.to, false),
        fact("Written", &letter.at, false),
        fact("Kind", queued.kind.as_str(), true),
    ];
    Ok(Page::new(&LetterPage {
        crumbs: &crumbs,
        letter: &letter,
        facts: &facts,
        lines: &lines(&written.text),
    }))
}

async fn html(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let (_, written) = find(&app, &id).await?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, LETTER_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, Html(written.html)).into_response())
}

fn open(app: &App, mail: &QueuedMail) -> Option<LetterText> {
    let content = mail.open(app.instance_key()).ok()?;
    Some(letters::write(app.issuer(), content))
}

async fn find(app: &App, id: &str) -> Result<(QueuedMail, LetterText), PageError> {
    let found = match MailId::parse(id) {
        Ok(id) => app.db().read(async |tx| mail::find(tx, &id).await).await?,
        Err(_) => None,
    };
    found
        .and_then(|mail| open(app, &mail).map(|written| (mail, written)))
        .ok_or_else(|| {
            PageError::new(
                StatusCode::NOT_FOUND,
                "There is no such mail",
                "It was delivered or has expired, and nothing of it was kept.",
            )
            .back("All mail", PATH)
        })
}

fn describe(mail: &QueuedMail, written: &LetterText) -> Letter {
    Letter {
        id: mail.id.to_string(),
        to: written.to.to_string(),
        subject: written.subject.clone(),
        at: moment(mail.delivery.created_at),
    }
}

fn as_json(mail: &QueuedMail, written: &LetterText) -> Value {
    json!({
        "id": mail.id,
        "kind": mail.kind,
        "to": written.to,
        "subject": written.subject,
        "text": written.text,
        "html": written.html,
        "created_at": mail.delivery.created_at.as_secs(),
    })
}

#[cfg(test)]
pub(super) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::{LONG, sample};

    use crate::web::facts;

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
        "Your code for Acme Notes is\n\n271828\n\nOr follow this link:\n\n\
         https://notes.acme.test/enter?link_token={LONG}\n\nIt is valid for 5 minutes."
    );
    let letter = LetterPage {
        crumbs: &crumbs,
        letter: &letters[0],
        facts: &facts::samples()[..2],
        lines: &lines(&text),
    };
    vec![
        sample("desk-mail", inbox(false, &letters)),
        sample("desk-mail-empty", inbox(true, &[])),
        sample("desk-mail-letter", Page::new(&letter)),
    ]
}
