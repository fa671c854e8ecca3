//! Reading and writing cookies.
//!
//! Source: RFC 6265bis.

use http::{HeaderMap, HeaderValue, header};

/// The cookies that a browser sent.
///
/// One line holds the cookies of every application of the host, as octets (RFC 6265
/// §5.4). If one of them is not text, the others still count.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let end = pair.iter().position(|byte| *byte == b'=')?;
        Some((&pair[..end], &pair[end + 1..]))
    })
}

/// Reads a cookie. If it came twice with different values, it counts as absent, because
/// somebody else set one of them.
pub fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = pairs(headers)
        .filter(|(key, _)| *key == name.as_bytes())
        .map(|(_, value)| value);
    let first = values.next()?;
    let is_one = values.all(|other| other == first);
    std::str::from_utf8(first).ok().filter(|_| is_one)
}

/// A cookie to keep. Scripts never read one of ours.
#[derive(Debug, Clone, Copy)]
pub struct SetCookie<'a> {
    pub name: &'a str,
    pub value: &'a str,
    /// The path that it is sent to.
    pub path: &'a str,
    /// 0 removes it; without one it ends with the browser.
    pub max_age_secs: Option<u64>,
    /// Sent over TLS alone.
    pub secure: bool,
}

impl SetCookie<'_> {
    /// The `Set-Cookie` line.
    ///
    /// `SameSite=Lax`: the redirects of an identity provider and of an application
    /// are top-level navigations, which carry it; a foreign page's form does not.
    ///
    /// # Panics
    ///
    /// If name or value are no printable ASCII.
    pub fn line(self) -> HeaderValue {
        let Self {
            name,
            value,
            path,
            max_age_secs,
            secure,
        } = self;
        let secure = if secure { "; Secure" } else { "" };
        let age = max_age_secs.map_or_else(String::new, |secs| format!("; Max-Age={secs}"));
        let line = format!("{name}={value}; Path={path}{age}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(line).expect("names and values are printable ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (header::COOKIE, HeaderValue::from_static(line)))
            .collect()
    }

    #[test]
    fn a_cookie_that_came_twice_counts_if_it_is_the_same() {
        let sent = headers(&["a=1; session=x", "session=x"]);
        assert_eq!(read(&sent, "session"), Some("x"));
        let planted = headers(&["session=x; session=y"]);
        assert_eq!(read(&planted, "session"), None);
        assert_eq!(read(&headers(&["sessionx=x"]), "session"), None);
        let planted = HeaderValue::from_bytes(b"session=x; session=\xff").unwrap();
        let planted = HeaderMap::from_iter([(header::COOKIE, planted)]);
        assert_eq!(read(&planted, "session"), None);
    }

    #[test]
    fn a_cookie_of_another_application_hides_none_of_ours() {
        for foreign in [
            "lang=Fran\u{e7}ais".as_bytes(),
            b"lang=Fran\xe7ais",
            b"\xff=\xfe; =; ;;x",
        ] {
            let line = [b"session=abc".as_slice(), foreign, b"b=1"].join(&b"; "[..]);
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&line).unwrap())]);
            assert_eq!(read(&headers, "session"), Some("abc"), "{}", line.escape_ascii());
            assert_eq!(read(&headers, "b"), Some("1"), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_line_carries_every_flag() {
        let cookie = SetCookie {
            name: "session",
            value: "v",
            path: "/",
            max_age_secs: Some(43200),
            secure: true,
        };
        assert_eq!(
            cookie.line(),
            "session=v; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure"
        );
        let plain = SetCookie {
            value: "",
            path: "/sign-in",
            max_age_secs: Some(0),
            secure: false,
            ..cookie
        };
        assert_eq!(
            plain.line(),
            "session=; Path=/sign-in; Max-Age=0; HttpOnly; SameSite=Lax"
        );
        let passing = SetCookie {
            max_age_secs: None,
            ..cookie
        };
        assert_eq!(
            passing.line(),
            "session=v; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
