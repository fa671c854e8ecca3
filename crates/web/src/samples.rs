//! One sample of every page: rendered by a test of its server, which leaves them in a
//! folder for `tests/browser/pages.mjs` to look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::page::Template;
use crate::static_files::StaticFile;

/// Long enough to break a page that does not expect it.
pub const LONG: &str = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";

/// A page and its sheet: everything that a browser loads at a step of a sign-in.
pub const LIMIT_BYTES: usize = 30 * 1024;

/// Answers, by the names of their files.
pub type Samples = Vec<(&'static str, Response)>;

/// One sample.
pub fn sample(name: &'static str, page: impl IntoResponse) -> (&'static str, Response) {
    (name, page.into_response())
}

/// The pages of a router, as it answers them.
///
/// # Panics
///
/// Never: a router does not fail.
pub async fn answers(
    router: &Router,
    requests: impl IntoIterator<Item = (&'static str, Request<Body>)>,
) -> Samples {
    let mut samples = Vec::new();
    for (name, request) in requests {
        let answer = router.clone().oneshot(request).await;
        samples.push((name, answer.expect("a router does not fail")));
    }
    samples
}

/// How the samples of one server are checked.
#[derive(Debug)]
pub struct House {
    /// The folder for the browser's test.
    pub directory: PathBuf,
    pub sheet: &'static StaticFile,
    pub mark: &'static StaticFile,
    /// How large a page may be, with the sheet.
    pub limit_bytes: fn(&str) -> usize,
}

impl House {
    /// Checks each sample and writes it for the browser's test. Returns the names of the
    /// types of the rendered templates.
    ///
    /// # Panics
    ///
    /// If a sample breaks a rule of every page.
    pub async fn visit(&self, samples: Samples) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut names = BTreeSet::new();
        for (name, response) in samples {
            assert!(names.insert(name), "{name} stands for two samples");
            let template = response.extensions().get::<Template>().copied();
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), 1 << 20)
                .await
                .expect("a page is small");
            let html = std::str::from_utf8(&body).expect("a page is UTF-8");
            self.check(name, html, &headers);
            leave(&self.directory.join(name), status, &headers, html);
            seen.extend(template.map(|template| type_name(template.0).to_owned()));
        }
        for file in [self.sheet, self.mark] {
            let response = file.answer(&HeaderMap::new(), None);
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), 1 << 20)
                .await
                .expect("a file is small");
            let path = self.directory.join(file.path().trim_start_matches('/'));
            leave(&path, status, &headers, &String::from_utf8_lossy(&body));
        }
        seen
    }

    fn check(&self, name: &str, html: &str, headers: &HeaderMap) {
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
        assert!(
            html.len() + self.sheet.size_bytes() < (self.limit_bytes)(name),
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
        let policy = headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .expect("our own words");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{name}: {policy}"
        );
        assert!(
            !policy.contains("unsafe") && !policy.contains("script-src"),
            "{name}: {policy}"
        );
    }
}

/// `Identify` of `genkan::login::identify::Identify<'_>`.
fn type_name(full: &'static str) -> &'static str {
    let bare = full.split('<').next().unwrap_or(full);
    bare.rsplit("::").next().unwrap_or(bare)
}

/// Writes an answer as the browser would get it: `{status, headers, body}`.
fn leave(path: &Path, status: StatusCode, headers: &HeaderMap, body: &str) {
    let headers: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| {
            let text = value.to_str().expect("our own headers are text");
            (name.to_string(), text.into())
        })
        .collect();
    let answer = json!({ "status": status.as_u16(), "headers": headers, "body": body });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("the target folder can be written");
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    fs::write(name, answer.to_string()).expect("the target folder can be written");
}

/// The templates below `templates` that are whole pages, each with the name of the type
/// below `source` that renders it.
///
/// # Panics
///
/// If a page belongs to no type, or a file cannot be read.
pub fn page_templates(templates: &Path, source: &Path) -> Vec<(String, String)> {
    let types = template_types(source);
    let mut pages = Vec::new();
    for path in files(templates, "html") {
        let text = fs::read_to_string(&path).expect("a template can be read");
        let extends = |layout: &str| text.contains(&format!("{{% extends \"{layout}\" %}}"));
        // The layouts in between are rendered by every page.
        if text.contains("{% block content %}{% endblock %}")
            || !["layout.html", "door.html", "desk.html"].into_iter().any(extends)
        {
            continue;
        }
        let name = path.strip_prefix(templates).expect("it was found below");
        let name = name.to_str().expect("our own names are text").to_owned();
        let found = types.iter().find(|(template, _)| *template == name);
        let (_, owner) = found.unwrap_or_else(|| panic!("no type renders {name}"));
        pages.push((name, owner.clone()));
    }
    assert!(!pages.is_empty(), "no page in {}", templates.display());
    pages
}

/// Template and type of every `#[template(path = "…")] struct …`.
fn template_types(source: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files(source, "rs") {
        let text = fs::read_to_string(&path).expect("a source can be read");
        for after in text.split("#[template(path = \"").skip(1) {
            let template = after.split('"').next().unwrap_or_default();
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let name = after
                .split_once("struct ")
                .map(|(_, rest)| rest.split(|c| !is_word(c)).next().unwrap_or_default());
            found.extend(name.map(|name| (template.to_owned(), name.to_owned())));
        }
    }
    found
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
