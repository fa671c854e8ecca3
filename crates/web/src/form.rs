//! Forms that only our own pages can send.
//!
//! A token is an HMAC over what tells browsers apart, such as a cookie, and over the
//! form's purpose: another site can neither read the cookie nor make the token.
//! `Sec-Fetch-Site` and `Origin` are checked first, because they cost nothing.
//!
//! A handler that takes an [`OwnForm`] runs only for such a form. The purpose of a form is
//! the address that it is sent to.

use aws_lc_rs::hmac;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use genkan_protocol::oauth::Parameters;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use crate::origin;

/// Makes and checks form tokens.
pub struct FormTokens {
    key: hmac::Key,
    field: &'static str,
}

impl std::fmt::Debug for FormTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormTokens")
    }
}

/// A form as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct SubmittedForm<'a> {
    pub headers: &'a HeaderMap,
    /// Our own origin, if it is known: `https://auth.example.com`.
    pub origin: Option<&'a str>,
    pub body: &'a [u8],
}

/// Why a form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormError {
    /// Its body is incomplete or too large: 400 or 413.
    Unread(StatusCode),
    /// Its body is ambiguous or not form encoding, or said to be something else.
    Garbled,
    /// It is not from a page of ours, in this browser, for this purpose.
    Foreign,
}

/// The fields of a form: strictly encoded, and none of them twice.
///
/// # Errors
///
/// [`FormError::Garbled`]; nothing is repaired.
pub fn parse(body: &[u8]) -> Result<Parameters, FormError> {
    let fields = Parameters::parse(body).map_err(|_| FormError::Garbled)?;
    match fields.first_duplicate() {
        Some(_) => Err(FormError::Garbled),
        None => Ok(fields),
    }
}

/// Whether a body is said to be form encoded, as browsers send our forms.
pub fn is_form(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| {
        essence
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// A server whose pages have forms.
pub trait Server {
    fn forms(&self) -> &FormTokens;

    /// Its origin, if it is known: `https://auth.example.com`.
    fn origin(&self) -> Option<&str>;
}

/// What a form of the server `S` is bound to: a value that tells the browser of the form
/// from every other browser.
pub trait FormBinding<S>: Sized {
    /// The answer to a form that is refused.
    type Refusal: IntoResponse;

    /// Reads it from the head of a request, such as from a cookie.
    ///
    /// # Errors
    ///
    /// The answer to a browser that has none.
    fn read(head: &Parts, server: &S) -> Result<Self, Self::Refusal>;

    /// The value with which the form's token was made.
    fn browser(&self) -> &[u8];

    /// The answer to a form that is not ours.
    fn refuse(head: &Parts, refused: FormError) -> Self::Refusal;
}

/// A form that a page of ours sent, from the browser that showed it, and to the path that
/// it was made for.
#[derive(Debug)]
pub struct OwnForm<B> {
    pub bound: B,
    pub fields: Parameters,
}

impl<S: Server + Send + Sync, B: FormBinding<S> + Send> FromRequest<S> for OwnForm<B> {
    type Rejection = B::Refusal;

    async fn from_request(request: Request, server: &S) -> Result<Self, Self::Rejection> {
        let (head, body) = request.into_parts();
        // The head says how large a body may be.
        let body = Bytes::from_request(Request::from_parts(head.clone(), body), server)
            .await
            .map_err(|unread| B::refuse(&head, FormError::Unread(unread.status())))?;
        let bound = B::read(&head, server)?;
        let sent = SubmittedForm {
            headers: &head.headers,
            origin: server.origin(),
            body: &body,
        };
        match server.forms().open(sent, bound.browser(), head.uri.path()) {
            Ok(fields) => Ok(Self { bound, fields }),
            Err(refused) => Err(B::refuse(&head, refused)),
        }
    }
}

impl FormTokens {
    /// `key` signs the tokens; `field` is the name of the form field that carries them.
    pub fn new(key: &[u8; 32], field: &'static str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            field,
        }
    }

    /// The token for one form (`purpose`: the path that it is sent to) in one browser.
    pub fn token(&self, browser: &[u8], purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.tag(browser, purpose))
    }

    /// The fields of a form that a page of ours sent, from this browser and for this purpose.
    ///
    /// # Errors
    ///
    /// [`FormError`] for any other.
    pub fn open(
        &self,
        sent: SubmittedForm<'_>,
        browser: &[u8],
        purpose: &str,
    ) -> Result<Parameters, FormError> {
        if !is_form(sent.headers) {
            return Err(FormError::Garbled);
        }
        let fields = parse(sent.body)?;
        let token = fields.one(self.field).ok().flatten().unwrap_or_default();
        if origin::is_same_origin(sent.headers, sent.origin) && self.verify(browser, purpose, token) {
            Ok(fields)
        } else {
            Err(FormError::Foreign)
        }
    }

    /// Whether `token` came from our form, in constant time.
    fn verify(&self, browser: &[u8], purpose: &str, token: &str) -> bool {
        let Ok(given) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        aws_lc_rs::constant_time::verify_slices_are_equal(&given, self.tag(browser, purpose).as_ref()).is_ok()
    }

    fn tag(&self, browser: &[u8], purpose: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(browser);
        context.update(b"\0");
        context.update(purpose.as_bytes());
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const OURS: &str = "https://auth.acme.test";

    #[test]
    fn a_token_counts_for_its_browser_and_form_only() {
        let tokens = FormTokens::new(&[7; 32], "token");
        let token = tokens.token(b"ada", "/login/lri_1");
        assert!(tokens.verify(b"ada", "/login/lri_1", &token));
        assert!(!tokens.verify(b"eve", "/login/lri_1", &token));
        assert!(!tokens.verify(b"ada", "/login/lri_2", &token));
        assert!(!tokens.verify(b"ada", "/login/lri_1", ""));
        assert!(!tokens.verify(b"ada", "/login/lri_1", &token[1..]));
        let others = FormTokens::new(&[8; 32], "token");
        assert!(!others.verify(b"ada", "/login/lri_1", &token));
    }

    #[test]
    fn a_form_is_ours_if_origin_and_token_say_so() {
        let tokens = FormTokens::new(&[7; 32], "token");
        let body = format!("token={}&choice=stay", tokens.token(b"ada", "/x"));
        let open = |headers: &HeaderMap, body: &str| {
            let sent = SubmittedForm {
                headers,
                origin: Some(OURS),
                body: body.as_bytes(),
            };
            tokens
                .open(sent, b"ada", "/x")
                .map(|fields| fields.one("choice").unwrap().map(str::to_owned))
        };
        let form = (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let silent = HeaderMap::from_iter([form.clone()]);
        assert_eq!(open(&silent, &body), Ok(Some("stay".to_owned())));
        for (name, value) in [
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("sec-fetch-site", "same-site"),
        ] {
            let said = (HeaderName::from_static(name), HeaderValue::from_static(value));
            let headers = HeaderMap::from_iter([form.clone(), said]);
            assert_eq!(open(&headers, &body), Err(FormError::Foreign), "{name}: {value}");
        }
        for kind in [
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
            "",
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert_eq!(open(&headers, &body), Err(FormError::Garbled), "{kind}");
        }
        assert_eq!(open(&HeaderMap::new(), &body), Err(FormError::Garbled));
        assert_eq!(open(&silent, "choice=stay"), Err(FormError::Foreign));
        assert_eq!(open(&silent, "csrf=x&choice=stay"), Err(FormError::Foreign));
        for garbled in [
            format!("{body}&choice=go"),
            format!("{body}&x=%zz"),
            format!("{body}&x=%00"),
        ] {
            assert_eq!(open(&silent, &garbled), Err(FormError::Garbled), "{garbled}");
        }
    }

    struct House(FormTokens);

    impl Server for House {
        fn forms(&self) -> &FormTokens {
            &self.0
        }

        fn origin(&self) -> Option<&str> {
            Some(OURS)
        }
    }

    /// The cookie as it stands.
    #[derive(Debug)]
    struct Cookie(String);

    impl FormBinding<House> for Cookie {
        type Refusal = StatusCode;

        fn read(head: &Parts, _: &House) -> Result<Self, StatusCode> {
            let cookie = head.headers.get(http::header::COOKIE);
            let cookie = cookie.ok_or(StatusCode::UNAUTHORIZED)?;
            Ok(Self(cookie.to_str().unwrap().to_owned()))
        }

        fn browser(&self) -> &[u8] {
            self.0.as_bytes()
        }

        fn refuse(_: &Parts, refused: FormError) -> StatusCode {
            match refused {
                FormError::Unread(status) => status,
                FormError::Garbled => StatusCode::BAD_REQUEST,
                FormError::Foreign => StatusCode::FORBIDDEN,
            }
        }
    }

    #[tokio::test]
    async fn a_handler_runs_for_a_form_of_its_own_address_and_browser_alone() {
        let house = House(FormTokens::new(&[7; 32], "token"));
        let body = format!("token={}&choice=stay", house.0.token(b"ada", "/x"));
        let post = |path: &str, cookie: Option<&str>, origin: &str, body: String| {
            let mut request = http::Request::post(path)
                .header("origin", origin)
                .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
            if let Some(cookie) = cookie {
                request = request.header("cookie", cookie);
            }
            request.body(axum::body::Body::from(body)).unwrap()
        };
        let own = post("/x?next=1", Some("ada"), OURS, body.clone());
        let form = OwnForm::<Cookie>::from_request(own, &house).await.unwrap();
        assert_eq!(form.fields.one("choice"), Ok(Some("stay")));
        assert_eq!(form.bound.browser(), b"ada");

        for (path, cookie, origin, body, status) in [
            ("/y", Some("ada"), OURS, body.clone(), StatusCode::FORBIDDEN),
            ("/x/", Some("ada"), OURS, body.clone(), StatusCode::FORBIDDEN),
            ("/%78", Some("ada"), OURS, body.clone(), StatusCode::FORBIDDEN),
            ("/x", Some("eve"), OURS, body.clone(), StatusCode::FORBIDDEN),
            (
                "/x",
                Some("ada"),
                "https://evil.test",
                body.clone(),
                StatusCode::FORBIDDEN,
            ),
            ("/x", Some("ada"), OURS, String::new(), StatusCode::FORBIDDEN),
            (
                "/x",
                Some("ada"),
                OURS,
                format!("{body}&{body}"),
                StatusCode::BAD_REQUEST,
            ),
            ("/x", None, OURS, body.clone(), StatusCode::UNAUTHORIZED),
            (
                "/x",
                Some("ada"),
                OURS,
                format!("{body}&more={}", "x".repeat(3 << 20)),
                StatusCode::PAYLOAD_TOO_LARGE,
            ),
        ] {
            let request = post(path, cookie, origin, body);
            let refused = OwnForm::<Cookie>::from_request(request, &house).await;
            assert_eq!(refused.unwrap_err(), status, "{path} {cookie:?} {origin}");
        }
    }
}
