//! Files that pages refer to, compiled into the binary.
//!
//! Only the names in [`FILES`] exist, so there is no path to traverse.

use std::fmt;

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The sheet of every page. The gateway's own: both products wear the same clothes.
pub(crate) static STYLESHEET: StaticFile = StaticFile::new(
    "openneko.css",
    "text/css; charset=utf-8",
    include_bytes!("../../../gateway/static/genkan.css"),
);

/// The mark in the browser's tab.
pub(crate) static FAVICON: StaticFile = StaticFile::new(
    "openneko.svg",
    "image/svg+xml",
    include_bytes!("../../static/favicon.svg"),
);

static FILES: [&StaticFile; 2] = [&STYLESHEET, &FAVICON];

/// A file and the fingerprint of its content.
#[derive(Debug)]
pub(crate) struct StaticFile {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    fingerprint: u64,
}

impl StaticFile {
    const fn new(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        Self {
            name,
            content_type,
            content,
            fingerprint: fnv1a(content),
        }
    }

    /// The address that pages use. It changes with the content, so a browser
    /// may keep what it got there for ever.
    pub(crate) fn href(&self) -> impl fmt::Display {
        let Self {
            name, fingerprint, ..
        } = self;
        format!("/static/{name}?v={fingerprint:016x}")
    }

    #[cfg(test)]
    pub(crate) fn size_bytes(&self) -> usize {
        self.content.len()
    }

    #[cfg(test)]
    pub(crate) fn response(&self) -> Response {
        self.answer(None)
    }

    fn answer(&self, query: Option<&str>) -> Response {
        // Another version's page may ask here while both run: it gets our file,
        // but must not keep it.
        let is_current = query == Some(&format!("v={:016x}", self.fingerprint));
        let cache = if is_current {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ),
            // An SVG opened by its address is a document: it may run and load nothing.
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(
                    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; sandbox",
                ),
            ),
        ];
        (headers, self.content).into_response()
    }
}

/// `GET /static/{name}` and `GET /favicon.ico`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/static/{name}", get(file))
        .route("/favicon.ico", get(async || FAVICON.answer(None)))
}

async fn file(Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => file.answer(query.as_deref()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// FNV-1a, 64 bits: tells versions of our own files apart, guards nothing.
const fn fnv1a(content: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < content.len() {
        hash = (hash ^ content[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}
