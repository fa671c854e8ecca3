//! Forms that only our own pages can send.
//!
//! A token is an HMAC over the browser cookie and the form's purpose: another
//! site can neither read the cookie nor make the token. `Sec-Fetch-Site` and
//! `Origin` are checked first, because they cost nothing.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_protocol::oauth::Parameters;
use genkan_store::Secret;
use http::{HeaderMap, header};

use crate::app::App;
use crate::web::error::PageError;

/// Makes and checks form tokens.
pub struct Csrf {
    key: hmac::Key,
}

impl std::fmt::Debug for Csrf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Csrf")
    }
}

impl Csrf {
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// The token for one form (`purpose`: its path) in one browser.
    pub fn token(&self, browser: &Secret, purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.tag(browser, purpose))
    }

    /// Whether `token` came from our form, in constant time.
    pub fn verify(&self, browser: &Secret, purpose: &str, token: &str) -> bool {
        let Ok(given) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        aws_lc_rs::constant_time::verify_slices_are_equal(&given, self.tag(browser, purpose).as_ref()).is_ok()
    }

    fn tag(&self, browser: &Secret, purpose: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(browser.expose().as_bytes());
        context.update(b"\0");
        context.update(purpose.as_bytes());
        context.sign()
    }
}

/// Whether the browser says that the request comes from our own origin, as far
/// as it says anything (Fetch Metadata, RFC 6454 §7).
pub fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let get = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = get("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match get(header::ORIGIN.as_str()) {
        Some(sent) => sent == origin,
        None => true,
    }
}

/// The fields of a form, if it is one of our own pages that sends it.
///
/// # Errors
///
/// [`PageError`] for a foreign or garbled form.
pub fn form_of_ours(
    app: &App,
    headers: &HeaderMap,
    browser: &Secret,
    purpose: &str,
    body: &[u8],
) -> Result<Parameters, PageError> {
    let form = Parameters::parse(body).map_err(|_| PageError::invalid_request("The form is garbled."))?;
    let token = form.one("csrf").ok().flatten().unwrap_or_default();
    if !is_same_origin(headers, app.issuer()) || !app.csrf().verify(browser, purpose, token) {
        return Err(PageError::foreign_form());
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_for_its_browser_and_form_only() {
        let csrf = Csrf::new(&[7; 32]);
        let (ada, eve) = (Secret::generate(), Secret::generate());
        let token = csrf.token(&ada, "/login/lri_1");
        assert!(csrf.verify(&ada, "/login/lri_1", &token));
        assert!(!csrf.verify(&eve, "/login/lri_1", &token));
        assert!(!csrf.verify(&ada, "/login/lri_2", &token));
        assert!(!csrf.verify(&ada, "/login/lri_1", ""));
        assert!(!csrf.verify(&ada, "/login/lri_1", &token[1..]));
    }

    #[test]
    fn a_foreign_origin_is_told_apart() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )])
        };
        let ours = "https://auth.acme.test";
        assert!(is_same_origin(&HeaderMap::new(), ours));
        assert!(is_same_origin(&headers("sec-fetch-site", "same-origin"), ours));
        assert!(!is_same_origin(&headers("sec-fetch-site", "cross-site"), ours));
        assert!(!is_same_origin(&headers("sec-fetch-site", "same-site"), ours));
        assert!(!is_same_origin(&headers("origin", "https://evil.test"), ours));
        assert!(!is_same_origin(&headers("origin", "null"), ours));
        // What is no text says something, and nothing of ours.
        let no_text = http::HeaderValue::from_bytes(b"\xe7").unwrap();
        for name in ["sec-fetch-site", "origin"] {
            let sent = HeaderMap::from_iter([(http::HeaderName::from_static(name), no_text.clone())]);
            assert!(!is_same_origin(&sent, ours), "{name}");
        }
    }
}
