//! The cookies of Genkan.
//!
//! There are two: `browser` binds logins in progress to the browser that started
//! them, and `session` is the sign-in. Both are random, and the store has only their
//! hashes.
//!
//! Source: RFC 6265bis §4.1.3 (`__Host-` prefix).

use axum::response::AppendHeaders;
use genkan_store::Secret;
use genkan_web::cookie::{self, SetCookie};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A cookie's name before its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    Browser,
    Session,
}

/// How long a browser remembers the cookie that binds logins to it.
pub const BROWSER_SECS: u64 = 400 * 24 * 60 * 60;

/// The header that gives a browser its cookie, if it has none.
pub type NewCookie = AppendHeaders<Option<(HeaderName, HeaderValue)>>;

/// Where cookies are valid, decided once from the public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CookiePolicy {
    /// The public URL is `https`: cookies are `Secure` and carry `__Host-`, so
    /// a sibling domain or a plain-text answer cannot plant one.
    pub secure: bool,
}

impl CookiePolicy {
    const fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Browser, true) => "__Host-genkan_browser",
            (Cookie::Browser, false) => "genkan_browser",
            (Cookie::Session, true) => "__Host-genkan_session",
            (Cookie::Session, false) => "genkan_session",
        }
    }

    /// Reads a cookie's secret; absent if it is missing, none that we made, or sent twice
    /// with different values (somebody else set one of them).
    pub fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<Secret> {
        let value = cookie::read(headers, self.name(cookie))?;
        is_secret(value).then(|| Secret::from_presented(value))
    }

    /// The secret of a browser that gets a form: its own, or a new one with the header for
    /// the page.
    pub fn browser(self, headers: &HeaderMap) -> (Secret, NewCookie) {
        match self.read(headers, Cookie::Browser) {
            Some(known) => (known, AppendHeaders(None)),
            None => {
                let secret = Secret::generate();
                let line = self.set(Cookie::Browser, &secret, BROWSER_SECS);
                (secret, AppendHeaders(Some((header::SET_COOKIE, line))))
            }
        }
    }

    /// The `Set-Cookie` line that keeps `secret`.
    pub fn set(self, cookie: Cookie, secret: &Secret, max_age_secs: u64) -> HeaderValue {
        self.line(cookie, secret.expose(), max_age_secs)
    }

    /// The `Set-Cookie` line that removes the cookie.
    pub fn clear(self, cookie: Cookie) -> HeaderValue {
        self.line(cookie, "", 0)
    }

    fn line(self, cookie: Cookie, value: &str, max_age_secs: u64) -> HeaderValue {
        let cookie = SetCookie {
            name: self.name(cookie),
            value,
            path: "/",
            max_age_secs: Some(max_age_secs),
            secure: self.secure,
        };
        cookie.line()
    }
}

/// Whether a value has the form of [`Secret::generate`]. If any other counted, a program that empties
/// cookies, or always sends the same word, would make one browser of many people.
fn is_secret(value: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    value.len() == 43 && value.bytes().all(is_base64url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_cookie_once() {
        let policy = CookiePolicy { secure: true };
        let (new, AppendHeaders(header)) = policy.browser(&HeaderMap::new());
        let (_, line) = header.unwrap();
        let pair = line.to_str().unwrap().split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())]);
        let (known, AppendHeaders(header)) = policy.browser(&headers);
        assert_eq!(known.expose(), new.expose());
        assert_eq!(header, None);
    }
}
