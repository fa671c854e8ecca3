//! Requests that another site makes a browser send.
//!
//! Source: Fetch Metadata Request Headers §2.4, RFC 6454 §7, RFC 9110 §10.1.3.

use http::{HeaderMap, header};
use url::Url;

/// Whether the request comes from our own pages, at `origin`, as far as the browser says
/// so. The cookies are also `SameSite=Lax`, so a form of another site carries none.
pub fn is_same_origin(headers: &HeaderMap, origin: Option<&str>) -> bool {
    let get = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = get("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match get(header::ORIGIN.as_str()) {
        Some(sent) => Some(sent) == origin,
        None => true,
    }
}

/// Whether a navigation comes from our own pages, from the address bar, or from
/// a browser that does not say.
///
/// Older browsers have no Fetch Metadata, and no navigation has an `Origin`. Then
/// `Referer` decides, unless the page before suppressed it.
pub fn is_own_navigation(headers: &HeaderMap, origin: Option<&str>) -> bool {
    if !is_same_origin(headers, origin) {
        return false;
    }
    let Some(referer) = headers.get(header::REFERER) else {
        return true;
    };
    if headers.contains_key("sec-fetch-site") {
        return true;
    }
    let from = std::str::from_utf8(referer.as_bytes())
        .ok()
        .and_then(|text| Url::parse(text).ok());
    from.is_some_and(|from| Some(from.origin().ascii_serialization().as_str()) == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_origin_is_told_apart() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )])
        };
        let ours = Some("https://neko.test");
        assert!(is_same_origin(&HeaderMap::new(), ours));
        assert!(is_same_origin(&headers("sec-fetch-site", "same-origin"), ours));
        assert!(is_same_origin(&headers("origin", "https://neko.test"), ours));
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN"] {
            assert!(!is_same_origin(&headers("sec-fetch-site", site), ours), "{site}");
        }
        for origin in [
            "https://evil.test",
            "null",
            "http://neko.test",
            "https://neko.test:8443",
        ] {
            assert!(!is_same_origin(&headers("origin", origin), ours), "{origin}");
        }
        assert!(!is_same_origin(&headers("origin", "https://neko.test"), None));
        for referer in ["https://neko.test/signin", "https://neko.test"] {
            assert!(is_own_navigation(&headers("referer", referer), ours), "{referer}");
        }
        for referer in [
            "https://evil.test/",
            "https://neko.test.evil.test/",
            "about:blank",
            "neko.test",
            "",
        ] {
            assert!(
                !is_own_navigation(&headers("referer", referer), ours),
                "{referer}"
            );
        }
        assert!(is_own_navigation(&headers("sec-fetch-site", "none"), ours));
        assert!(!is_own_navigation(&headers("sec-fetch-site", "cross-site"), ours));
        let no_text = http::HeaderValue::from_bytes(b"fran\xe7ais").unwrap();
        let no_text = HeaderMap::from_iter([(http::HeaderName::from_static("sec-fetch-site"), no_text)]);
        assert!(!is_same_origin(&no_text, ours));
    }
}
