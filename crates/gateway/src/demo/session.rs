//! Sessions of the demo application, and its sign-ins under way.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::Timestamp;
use genkan_protocol::oauth::CodeVerifier;
use genkan_web::cookie::{self, SetCookie};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::web::memory::Memory;

/// The signed-in browser. Ports share cookies, so the name is the demo's own.
pub(super) const SESSION_COOKIE: &str = "genkan_demo_session";
/// The browser that began a sign-in.
pub(super) const BROWSER_COOKIE: &str = "genkan_demo_browser";

const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
const LOGIN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A sign-in that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    /// The browser that began it: an answer in another one is login CSRF.
    pub(super) browser: String,
    pub(super) nonce: String,
    pub(super) verifier: CodeVerifier,
}

/// A signed-in person.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) id_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) id_claims: Map<String, Value>,
    pub(super) access_claims: Map<String, Value>,
    pub(super) userinfo: Map<String, Value>,
}

/// Both, in memory.
#[derive(Default)]
pub(super) struct Sessions {
    pending: Mutex<Memory<Pending>>,
    live: Mutex<Memory<Session>>,
}

impl Sessions {
    /// Remembers a sign-in by its state.
    pub(super) fn await_answer(&self, state: String, pending: Pending, now: Timestamp) {
        self.pending
            .lock()
            .insert(state, pending, now, now + LOGIN_LIFETIME);
    }

    /// The sign-in of this state in this browser, once.
    pub(super) fn answered(&self, state: &str, browser: &str, now: Timestamp) -> Option<Pending> {
        let pending = self.pending.lock().take(state, now)?;
        verify_slices_are_equal(pending.browser.as_bytes(), browser.as_bytes()).ok()?;
        Some(pending)
    }

    pub(super) fn insert(&self, id: String, session: Session, now: Timestamp) {
        self.live.lock().insert(id, session, now, now + SESSION_LIFETIME);
    }

    pub(super) fn find(&self, id: &str, now: Timestamp) -> Option<Session> {
        self.live.lock().find(id, now).cloned()
    }

    pub(super) fn take(&self, id: &str, now: Timestamp) -> Option<Session> {
        self.live.lock().take(id, now)
    }

    /// Ends every session of one session at the gateway.
    pub(super) fn end_all(&self, sid: &str) {
        self.live
            .lock()
            .retain(|session| session.id_claims.get("sid").and_then(Value::as_str) != Some(sid));
    }
}

/// The name of a cookie at `url`. A browser does not let http replace a cookie from https
/// (RFC 6265bis §5.7), so the two have different names.
fn at(url: &str, name: &str) -> String {
    let prefix = if url.starts_with("https://") {
        "__Host-"
    } else {
        ""
    };
    format!("{prefix}{name}")
}

/// Reads a cookie of the application at `url`.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str, url: &str) -> Option<&'a str> {
    cookie::read(headers, &at(url, name)).filter(|value| !value.is_empty())
}

/// A `Set-Cookie` line; an empty value removes it.
pub(super) fn set_cookie(name: &str, value: &str, url: &str) -> (header::HeaderName, HeaderValue) {
    let cookie = SetCookie {
        name: &at(url, name),
        value,
        path: "/",
        max_age_secs: value.is_empty().then_some(0),
        secure: url.starts_with("https://"),
    };
    (header::SET_COOKIE, cookie.line())
}

/// 256 random bits in base64url, or nothing if the system has none.
pub(super) fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A random name.
pub(super) fn random_name() -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(random()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_the_https_address_is_not_taken_for_one_of_the_http_address() {
        let (http, https) = ("http://localhost:8090", "https://localhost:8090");
        let (_, line) = set_cookie(SESSION_COOKIE, "s1", https);
        let line = line.to_str().unwrap();
        assert!(line.starts_with("__Host-") && line.contains("; Secure"), "{line}");
        let pair = line.split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())]);
        assert_eq!(cookie(&headers, SESSION_COOKIE, https), Some("s1"));
        assert_eq!(cookie(&headers, SESSION_COOKIE, http), None);
    }
}
