//! Files that pages refer to, compiled into the binary.
//!
//! Each has a route of its own, so there is no path to traverse. Any other path gets the
//! server's own answer for a path that does not exist.

use std::fmt;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

/// A file and the fingerprint of its content.
#[derive(Debug)]
pub struct StaticFile {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    fingerprint: u64,
}

impl StaticFile {
    /// The style sheet of every page, under a server's own name: both servers share it.
    pub const fn sheet(name: &'static str) -> Self {
        Self::new(
            name,
            "text/css; charset=utf-8",
            include_bytes!("../static/sheet.css"),
        )
    }

    /// A drawing, such as the mark in the browser's tab.
    pub const fn svg(name: &'static str, content: &'static [u8]) -> Self {
        Self::new(name, "image/svg+xml", content)
    }

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
    pub fn href(&self) -> impl fmt::Display {
        format!("{}?v={:016x}", self.path(), self.fingerprint)
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("/static/{}", self.name)
    }

    /// What a page loads beside its own text.
    pub fn size_bytes(&self) -> usize {
        self.content.len()
    }

    pub(crate) fn answer(&self, request: &HeaderMap, query: Option<&str>) -> Response {
        let etag = format!("\"{:016x}\"", self.fingerprint);
        // If nodes of two versions run side by side, a page of the other
        // version may ask here: it gets our file, but must not cache it.
        let is_current = query == Some(&format!("v={:016x}", self.fingerprint));
        let cache = if is_current {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };

        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        // An SVG opened by its address is a document: it may run and load nothing.
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'self'; frame-ancestors 'none'; sandbox"),
        );
        headers.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("same-origin"),
        );
        let is_known = request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim().trim_start_matches("W/") == etag);
        headers.insert(
            header::ETAG,
            HeaderValue::from_str(&etag).expect("hex digits are a header value"),
        );
        if is_known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.content).into_response()
    }
}

/// `GET /static/{name}` of both files, and `GET /favicon.ico`: browsers ask for that name
/// even if a page names another.
pub fn router<S>(sheet: &'static StaticFile, mark: &'static StaticFile) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route(&sheet.path(), serve(sheet))
        .route(&mark.path(), serve(mark))
        .route("/favicon.ico", serve(mark))
}

fn serve<S>(file: &'static StaticFile) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(async move |RawQuery(query): RawQuery, request: HeaderMap| file.answer(&request, query.as_deref()))
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    static STYLESHEET: StaticFile = StaticFile::sheet("house.css");
    static MARK: StaticFile = StaticFile::svg("mark.svg", b"<svg/>");

    async fn get(path: &str, if_none_match: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(etag) = if_none_match {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        router(&STYLESHEET, &MARK)
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[test]
    fn the_fingerprint_is_fnv1a() {
        // Vectors of the FNV reference implementation.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[tokio::test]
    async fn a_current_file_may_be_kept_and_another_version_may_not() {
        let current = get(&STYLESHEET.href().to_string(), None).await;
        assert_eq!(current.status(), StatusCode::OK);
        assert_eq!(current.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(
            current.headers()[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );

        for stale in ["/static/house.css", "/static/house.css?v=0", "/favicon.ico"] {
            assert_eq!(
                get(stale, None).await.headers()[header::CACHE_CONTROL],
                "no-cache",
                "{stale}"
            );
        }
    }

    #[tokio::test]
    async fn a_known_file_is_not_sent_again() {
        let href = STYLESHEET.href().to_string();
        let etag = get(&href, None).await.headers()[header::ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(get(&href, Some(&etag)).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            get(&href, Some(&format!("\"x\", W/{etag}"))).await.status(),
            StatusCode::NOT_MODIFIED
        );
        assert_eq!(get(&href, Some("\"x\"")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn nothing_but_the_named_files_is_reachable() {
        for path in [
            "/static/..%2f..%2fCargo.toml",
            "/static/%2e%2e%2fhouse.css",
            "/static/../src/lib.rs",
            "/static/house.css%00",
            "/static/HOUSE.CSS",
            "/static/",
            "/static/.",
        ] {
            assert_eq!(get(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
