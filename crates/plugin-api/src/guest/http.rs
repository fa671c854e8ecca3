//! HTTPS requests of a plugin, and their answers.

use std::time::Duration;

/// How long one exchange may take, from the connection to the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Longest body of an answer, in bytes.
pub const MAX_BODY: usize = 1 << 20;

/// A way to send requests.
pub trait Http {
    /// Sends one request. Redirects are answers like any other: they are not followed.
    ///
    /// # Errors
    ///
    /// [`HttpError`]
    fn send(&mut self, request: &Request) -> Result<Response, HttpError>;
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`
    pub method: &'static str,
    /// An `https://` URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET` request.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: "GET",
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A `POST` request.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            body: body.into(),
            ..Self::get(url)
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// It took longer than [`TIMEOUT`].
    #[error("timed out after {}ms", TIMEOUT.as_millis())]
    Timeout,
    /// The body is longer than [`MAX_BODY`].
    #[error("the answer is longer than {MAX_BODY} bytes")]
    TooLong,
    /// No connection, no TLS, or not allowed. The message is that of `fetch`;
    /// authors find the reason on standard error.
    #[error("fetch failed")]
    Network(String),
}

/// The note for authors about a failure. It leaves out the path, which may hold a code.
pub(super) fn note(request: &Request, reason: &str) -> String {
    let authority = https_parts(&request.url).map_or("no plain https URL", |(authority, _)| authority);
    let reason: String = reason.chars().take(500).collect();
    format!("{} {authority}: {reason}\n", request.method)
}

/// The authority and the path with query of an `https` URL. A user, a fragment,
/// and anything that another parser could read differently are refused.
pub fn https_parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://")?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let in_authority = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    let in_path =
        |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'\\' | b'"' | b'<' | b'>' | b'`' | b'{' | b'}');
    let is_plain = !authority.is_empty() && authority.bytes().all(in_authority) && path.bytes().all(in_path);
    is_plain.then_some((authority, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_read_two_ways_are_refused() {
        assert_eq!(
            https_parts("https://a.com:8443/x?y=%20"),
            Some(("a.com:8443", "/x?y=%20"))
        );
        assert_eq!(https_parts("https://a.com"), Some(("a.com", "/")));
        for url in [
            "http://a.com/",
            "https://",
            "https:///x",
            "https://u@a.com/",
            "https://a.com\\@b.com/",
            "https://a.com/x#y",
            "https://a.com/ x",
            "https://a.com?x",
            "https://a.com/\r\nHost: b",
            "https://ä.com/",
            "//a.com/",
            "https://[::1]/",
        ] {
            assert_eq!(https_parts(url), None, "{url}");
        }
    }
}
