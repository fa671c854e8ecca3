//! Requests that no browser makes, and their answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use crate::html::Html;
use crate::redact::Redactor;
use crate::tokens::Tokens;
use crate::world::World;

/// A request that was not sent yet.
#[derive(Debug)]
pub struct Call {
    world: Arc<World>,
    request: reqwest::RequestBuilder,
}

impl Call {
    pub(crate) fn new(world: &Arc<World>, method: Method, url: &str) -> Self {
        Self {
            request: world.http.request(method, world.route(url)),
            world: Arc::clone(world),
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.request = self.request.basic_auth(user, Some(password));
        self
    }

    /// A form body.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.raw_form(body)
    }

    /// A form body, byte by byte.
    #[must_use]
    pub fn raw_form(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.request = self
            .request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        self
    }

    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.header(header::CONTENT_TYPE, content_type).body(body);
        self
    }

    /// # Panics
    ///
    /// If the server does not answer, or breaks a rule for all answers.
    pub async fn send(self) -> Reply {
        let response = self.request.send().await.expect("the server answers");
        let path = response.url().path().to_owned();
        let reply = Reply::read(response, self.world.redactor()).await;
        reply.keeps_the_rules(&self.world.url, &path);
        reply
    }
}

/// Documents that are the same for everybody, so caches may store them.
const PUBLIC: [&str; 5] = ["/keys", "/.well-known/", "/healthz", "/readyz", "/static/"];

/// An answer with its whole body.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    redactor: Redactor,
}

/// The headers that a transcript shows, in this order.
const SHOWN: [header::HeaderName; 7] = [
    header::LOCATION,
    header::ALLOW,
    header::WWW_AUTHENTICATE,
    header::CACHE_CONTROL,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
];

impl Reply {
    pub(crate) async fn read(response: reqwest::Response, redactor: Redactor) -> Self {
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.expect("the body arrives"),
            redactor,
        }
    }

    /// The rules for every answer of the gateway.
    pub(crate) fn keeps_the_rules(&self, gateway: &str, path: &str) {
        let shown = || format!("{path}: {} {:?}", self.status, self.headers);
        let is_metadata = self.header("content-type") == "application/samlmetadata+xml";
        let is_public = self.status == StatusCode::OK
            && (is_metadata || PUBLIC.iter().any(|public| path.starts_with(public)));
        let is_preflight =
            self.headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS) || self.status == 204;
        if !is_public && !is_preflight {
            assert_eq!(self.header("cache-control"), "no-store", "{}", shown());
        }
        if self.header("content-type").starts_with("text/html") {
            let policy = self.header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{}",
                shown()
            );
        }
        for cookie in self.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("cookies are ASCII");
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{}", shown());
            assert_eq!(
                cookie.contains("; Secure"),
                gateway.starts_with("https://"),
                "{}",
                shown()
            );
        }
        assert_ne!(self.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", self.text());
    }

    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or("<not ASCII>"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text()))
    }

    /// The `error` of an OAuth answer; empty if there is none.
    pub fn oauth_error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    pub fn html(&self) -> Html {
        Html::parse(self.text())
    }

    /// The tokens of a successful answer.
    ///
    /// # Panics
    ///
    /// If it is not successful.
    pub fn expect_tokens(&self) -> Tokens {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        Tokens::read(self.json())
    }

    /// The status line, the important headers, and the body, equal in every run.
    pub fn transcript(&self) -> String {
        let mut lines = vec![self.status.to_string()];
        for name in SHOWN {
            for value in self.headers.get_all(&name) {
                lines.push(format!("{name}: {}", value.to_str().unwrap_or("<not ASCII>")));
            }
        }
        let is_html = self.header("content-type").starts_with("text/html");
        if is_html {
            lines.push(self.html().text());
        } else if !self.body.is_empty() {
            lines.push(String::from_utf8_lossy(&self.body).trim_end().to_owned());
        }
        self.redactor.redact(&lines.join("\n"))
    }
}
