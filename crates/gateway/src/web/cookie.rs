//! Cookies: what Genkan keeps in a browser.
//!
//! Two only: `browser`, which binds logins in progress to the browser that
//! started them, and `session`, which is the sign-in. Both are random, and the
//! store knows their hashes only.
//!
//! Source: RFC 6265bis §4.1.3 (`__Host-` prefix).

use axum::response::AppendHeaders;
use genkan_store::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A cookie's name before its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    Browser,
    Session,
}

/// How long a browser remembers the cookie that binds logins to it.
pub const BROWSER_SECS: u64 = 400 * 24 * 60 * 60;

/// The cookies that a browser sent.
///
/// One line holds those of every application of the host, and they are octets
/// (RFC 6265 §5.4): what is no text in one of them is nothing to the others.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let end = pair.iter().position(|byte| *byte == b'=')?;
        Some((&pair[..end], &pair[end + 1..]))
    })
}

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

    /// Reads a cookie's secret; absent if it is missing, garbled, or sent twice
    /// with different values (somebody else set one of them).
    pub fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<Secret> {
        let name = self.name(cookie);
        let mut values = pairs(headers)
            .filter(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| value);
        let first = values.next()?;
        if values.any(|other| other != first) {
            return None;
        }
        let first = std::str::from_utf8(first).ok()?;
        // Ours are 43 characters; what is much longer is not worth hashing.
        (first.len() <= 64).then(|| Secret::from_presented(first))
    }

    /// The secret of a browser that is shown a form: its own, or a new one with
    /// the header that the page is then sent with.
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

    #[test]
    fn a_cookie_of_another_application_hides_none_of_ours() {
        let policy = CookiePolicy { secure: false };
        for foreign in [
            "lang=Fran\u{e7}ais".as_bytes(),
            b"lang=Fran\xe7ais",
            b"\xff=\xfe; =; ;;x",
        ] {
            let ours = [b"genkan_session=abc".as_slice(), foreign];
            for line in [ours.join(&b"; "[..]), [ours[1], ours[0]].join(&b"; "[..])] {
                let headers =
                    HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&line).unwrap())]);
                let read = policy
                    .read(&headers, Cookie::Session)
                    .map(|secret| secret.expose().to_owned());
                assert_eq!(read.as_deref(), Some("abc"), "{}", line.escape_ascii());
            }
        }
    }
}
