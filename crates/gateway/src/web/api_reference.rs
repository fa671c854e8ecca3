//! The description of the management API: the OpenAPI document, and pages to browse it.

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use genkan_api::openapi::{self, Operation, Row};
use genkan_web::page::{Forms, Page, PageKind, PageTemplate};
use genkan_web::text::Link;
use serde::Deserialize;

use crate::app::App;
use crate::web::cors;
use crate::web::facts::Fact;
use crate::web::fallback;

/// An example of a failure.
const FAILURE: &str = r#"{
  "code": 5,
  "message": "organization not found",
  "details": [{
    "@type": "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo",
    "error_code": "RESOURCE_NOT_FOUND"
  }]
}"#;

/// Longest search, in bytes.
const LONGEST_QUERY: usize = 400;

/// `GET /api/openapi.json` and `GET /api/reference`.
pub fn router() -> Router<App> {
    let document: Arc<OnceLock<Bytes>> = Arc::default();
    let document = async move |State(app): State<App>| {
        let document = Arc::clone(&document);
        let bytes = document.get_or_init(|| openapi::document(app.issuer()).to_string().into());
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, max-age=300"),
            ),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
        ];
        (headers, bytes.clone()).into_response()
    };
    Router::new()
        .route("/api/openapi.json", get(document))
        .layer(middleware::from_fn(cors::public))
        .route("/api/reference", get(index))
        .route("/api/reference/", get(index))
        .route("/api/reference/{operation}", get(operation))
        .method_not_allowed_fallback(fallback::method_not_allowed)
}

#[derive(Debug, Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn index(State(app): State<App>, search: Result<Query<Search>, QueryRejection>) -> Page {
    let q = search.map(|Query(search)| search.q).unwrap_or_default();
    render_index(app.issuer(), &q)
}

/// The list of operations that fit `query`; all of them if it is empty.
fn render_index(public_url: &str, query: &str) -> Page {
    let query = query.trim();
    let query = if query.len() <= LONGEST_QUERY { query } else { "" };
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut groups: Vec<Group> = Vec::new();
    for operation in openapi::operations()
        .iter()
        .filter(|operation| fits(operation, &words))
    {
        match groups
            .last_mut()
            .filter(|group| group.title == operation.service.title)
        {
            Some(group) => group.operations.push(operation),
            None => groups.push(Group::new(operation)),
        }
    }
    Page::new(&IndexPage {
        query,
        found: groups.iter().map(|group| group.operations.len()).sum(),
        groups: &groups,
        token_command: &token_command(public_url),
    })
}

fn token_command(public_url: &str) -> String {
    format!(
        "TOKEN=$(curl -s {public_url}/oauth/token \\\n  -d grant_type=client_credentials \\\n  \
         -d client_id=\"$CLIENT_ID\" -d client_secret=\"$CLIENT_SECRET\" | jq -r .access_token)\n\n\
         curl '{public_url}/api/v1/organizations?page_size=10' \\\n  -H \"Authorization: Bearer $TOKEN\""
    )
}

/// Whether every word occurs in the names of an operation.
fn fits(operation: &Operation, words: &[String]) -> bool {
    let text = [
        operation.id.as_str(),
        operation.verb.as_str(),
        &operation.path,
        &operation.summary,
        &operation.service.title,
        operation.node,
        operation.python,
        &operation.permissions.join(" "),
    ]
    .join(" ")
    .to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

async fn operation(State(app): State<App>, Path(id): Path<String>, request: HeaderMap) -> Response {
    match openapi::operations().iter().find(|operation| operation.id == id) {
        Some(operation) => render_operation(app.issuer(), operation).into_response(),
        None => fallback::not_found(request).await,
    }
}

/// The page of one operation.
fn render_operation(public_url: &str, operation: &Operation) -> Page {
    let crumbs: Vec<Link> = [
        Link::parse("Management API", "/api/reference"),
        Link::parse(
            operation.service.title.as_str(),
            &format!("/api/reference#{}", anchor(&operation.service.title)),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let paragraphs: Vec<&str> = operation
        .description
        .split("\n\n")
        .filter(|text| !text.is_empty())
        .collect();
    let is_all_said = paragraphs
        .first()
        .is_some_and(|first| first.trim_end_matches('.') == operation.summary);
    Page::new(&OperationPage {
        crumbs: &crumbs,
        operation,
        paragraphs: if is_all_said {
            &paragraphs[1..]
        } else {
            &paragraphs
        },
        facts: &facts(operation),
        command: &openapi::curl(operation, public_url),
        tables: &tables(operation),
        failure: FAILURE,
    })
}

fn facts(operation: &Operation) -> Vec<Fact<'static>> {
    let permission = match operation.permissions {
        _ if operation.is_open => "none: anybody may call it".to_owned(),
        [] => "any management token".to_owned(),
        names => {
            // Names with an underscore are for people in hosted widgets.
            let scopes: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .filter(|name| name.contains(':'))
                .collect();
            if scopes.is_empty() {
                names.join(" or ")
            } else {
                scopes.join(" or ")
            }
        }
    };
    let named = [
        ("Permission", permission.as_str()),
        ("Operation", &operation.id),
        ("Node", operation.node),
        ("Python", operation.python),
    ];
    let named = named.into_iter().filter(|(_, value)| !value.is_empty());
    named
        .map(|(name, value)| Fact {
            name,
            value: value.to_owned(),
            is_code: !value.contains(' '),
        })
        .collect()
}

fn tables(operation: &Operation) -> Vec<Table> {
    let (path, query) = openapi::parameter_rows(operation);
    let has_body = operation.verb != axum::http::Method::GET && operation.verb != axum::http::Method::DELETE;
    let mut tables = Vec::new();
    if !path.is_empty() {
        tables.push(Table::new("Path", "Values in the path", "", path));
    }
    if !query.is_empty() {
        tables.push(Table::new(
            "Query",
            "Parameters behind the question mark",
            "",
            query,
        ));
    }
    if has_body {
        let rows = openapi::body_rows(operation);
        tables.push(Table::new(
            "Body",
            "Fields of the JSON body",
            "It takes no body.",
            rows,
        ));
    }
    let caption = format!("Fields of the answer, with status {}", operation.success.as_u16());
    let rows = openapi::answer_rows(operation);
    tables.push(Table::new("Answer", &caption, "An empty object.", rows));
    tables
}

/// Splits a text at its backticks: the text between two of them is code.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split('`')
        .enumerate()
        .map(|(index, part)| (index % 2 == 1, part))
}

/// A table of an operation's page.
#[derive(Debug)]
struct Table {
    heading: &'static str,
    caption: String,
    /// The sentence in place of an empty table.
    empty: &'static str,
    rows: Vec<Row>,
}

impl Table {
    fn new(heading: &'static str, caption: &str, empty: &'static str, rows: Vec<Row>) -> Self {
        Self {
            heading,
            caption: caption.to_owned(),
            empty,
            rows,
        }
    }
}

/// The operations of one service.
#[derive(Debug)]
struct Group {
    title: &'static str,
    anchor: String,
    description: &'static str,
    operations: Vec<&'static Operation>,
}

impl Group {
    fn new(operation: &'static Operation) -> Self {
        Self {
            title: &operation.service.title,
            anchor: anchor(&operation.service.title),
            description: operation.service.description,
            operations: vec![operation],
        }
    }
}

/// `api-tokens` of `API tokens`.
fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

/// `api_reference.html`.
#[derive(Debug, Template)]
#[template(path = "api_reference.html")]
struct IndexPage<'a> {
    query: &'a str,
    found: usize,
    groups: &'a [Group],
    token_command: &'a str,
}

impl PageTemplate for IndexPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::Stay;
}

/// `api_operation.html`.
#[derive(Debug, Template)]
#[template(path = "api_operation.html")]
struct OperationPage<'a> {
    crumbs: &'a [Link],
    operation: &'a Operation,
    paragraphs: &'a [&'a str],
    facts: &'a [Fact<'a>],
    command: &'a str,
    tables: &'a [Table],
    failure: &'a str,
}

impl PageTemplate for OperationPage<'_> {
    const KIND: PageKind = PageKind::Other;
    const FORMS: Forms = Forms::None;
}

#[cfg(test)]
pub(crate) fn samples() -> genkan_web::samples::Samples {
    use genkan_web::samples::{LONG, sample};

    let url = "https://auth.acme.test";
    let largest = |operation: &&Operation| openapi::answer_rows(operation).len();
    let operations = openapi::operations();
    let large = operations.iter().max_by_key(largest).unwrap();
    vec![
        sample("desk-reference", render_index(url, "")),
        sample("desk-reference-found", render_index(url, "organization create")),
        sample("desk-reference-nothing", render_index(url, LONG)),
        sample("desk-reference-small", render_operation(url, &operations[0])),
        sample("desk-reference-large", render_operation(url, large)),
    ]
}
