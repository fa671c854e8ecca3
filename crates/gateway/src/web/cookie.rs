//! Cookies: what Genkan keeps in a browser.
//!
//! Two only: `browser`, which binds logins in progress to the browser that
//! started them, and `session`, which is the sign-in. Both are random, and the
//! store knows their hashes only.
//!
//! Source: RFC 6265bis §4.1.3 (`__Host-` prefix).

use genkan_store::Secret;
use http::{HeaderMap, HeaderValue, header};

/// A cookie's name before its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    Browser,
    Session,
}

/// How long a browser remembers the cookie that binds logins to it.
pub const BROWSER_SECS: u64 = 400 * 24 * 60 * 60;

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

    /// Reads a cookie's secret; absent if it is missing, garbled, or sent twice
    /// with different values (somebody else set one of them).
    pub fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<Secret> {
        let name = self.name(cookie);
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        let first = values.next()?;
        if values.any(|other| other != first) {
            return None;
        }
        // Ours are 43 characters; what is much longer is not worth hashing.
        (first.len() <= 64).then(|| Secret::from_presented(first))
    }

    /// The `Set-Cookie` line that keeps `secret`.
    ///
    /// `SameSite=Lax`: the identity provider's and the application's redirects
    /// are top-level navigations, which carry it; a foreign page's form does not.
    pub fn set(self, cookie: Cookie, secret: &Secret, max_age_secs: u64) -> HeaderValue {
        self.line(cookie, secret.expose(), max_age_secs)
    }

    /// The `Set-Cookie` line that removes the cookie.
    pub fn clear(self, cookie: Cookie) -> HeaderValue {
        self.line(cookie, "", 0)
    }

    fn line(self, cookie: Cookie, value: &str, max_age_secs: u64) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name(cookie);
        let line = format!("{name}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(line).expect("a base64url secret is a valid header value")
    }
}
