//! HTML pages: a template rendered with the headers that every page carries.
//!
//! Source: Content Security Policy Level 3, Fetch §3.2 (`Origin`).

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::web::error::PageError;

/// Where the forms of a page lead.
///
/// Chromium checks `form-action` not only where a form is sent but at every
/// redirect that follows, up to the page that answers at last (Firefox and
/// Safari do not). `'self'` on a form that ends at an identity provider or at
/// the application therefore breaks sign-in there: the POST arrives, the
/// redirect is refused, and the person sees a button that does nothing. The
/// scheme of a native application (`com.acme.app:/callback`) is refused even
/// by `form-action *`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    /// The page has none: `form-action 'none'`.
    None,
    /// Their answer stays here, whatever it redirects to: `form-action 'self'`.
    Stay,
    /// Their answer may end at an identity provider that is known only from
    /// what is typed, and from there at any application: no directive can
    /// name the way, so there is none. What it would guard against, a form
    /// injected into the page, is met by the escaping of every template.
    Leave,
    /// The page is one form that sends itself to an application, by the one script
    /// whose hash is allowed. Where the application sends the browser from there is
    /// its own affair, so no directive names the way, as with [`Forms::Leave`].
    Send,
}

/// The script of a page that sends its form itself.
pub const SEND_SCRIPT: &str = "document.forms[0].submit()";

/// Where a page stands: `pages` in the house style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A single card for a person who signs in.
    Door,
    /// A wide page for operators, IT admins and developers.
    Desk,
}

/// A template of a whole page.
pub trait PageTemplate: askama::Template {
    const ROOM: Room;
    const FORMS: Forms;
}

/// A rendered page.
#[derive(Debug)]
pub struct Page {
    status: StatusCode,
    room: Room,
    forms: Forms,
    html: String,
}

impl Page {
    pub fn new<T: PageTemplate>(template: &T) -> Self {
        let (status, html) = match template.render() {
            Ok(html) => (StatusCode::OK, html),
            Err(error) => {
                tracing::error!(%error, "a page could not be rendered");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "This page could not be shown.".to_owned(),
                )
            }
        };
        Self {
            status,
            room: T::ROOM,
            forms: T::FORMS,
            html,
        }
    }

    /// The same page with another status than 200.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::with_capacity(10);
        let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, "text/html; charset=utf-8");
        // Pages carry CSRF tokens and names; the Back button asks again.
        set(header::CACHE_CONTROL, "no-store");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(
            header::CONTENT_SECURITY_POLICY,
            content_security_policy(self.forms),
        );
        // `no-referrer` would also blank the `Origin` of our own form posts to
        // `null` (Fetch §3.2), and with it the check against forged requests.
        // Other origins learn nothing from `same-origin` either.
        set(header::REFERRER_POLICY, "same-origin");
        set(
            HeaderName::from_static("permissions-policy"),
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        );
        // An application may run the sign-in in a popup that answers to its
        // opener afterwards. `same-origin` on any page on that way cuts the
        // tie for good, so doors do without; nothing of theirs is readable
        // across origins in any case.
        let opener = match self.room {
            Room::Door => "unsafe-none",
            Room::Desk => "same-origin",
        };
        set(HeaderName::from_static("cross-origin-opener-policy"), opener);
        set(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        );
        (self.status, headers, self.html).into_response()
    }
}

const fn content_security_policy(forms: Forms) -> &'static str {
    match forms {
        Forms::None => {
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        }
        Forms::Stay => {
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        }
        Forms::Leave => {
            "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        }
        Forms::Send => {
            "default-src 'none'; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='; style-src 'self'; \
             img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        }
    }
}

/// The steps of a login are taken by GET and POST. A HEAD request, as link
/// previews send, would start one or take a step unseen.
pub async fn refuse_head(request: Request, next: Next) -> Response {
    if request.method() == Method::HEAD {
        let headers = [(header::ALLOW, "GET, POST"), (header::CACHE_CONTROL, "no-store")];
        return (StatusCode::METHOD_NOT_ALLOWED, headers).into_response();
    }
    next.run(request).await
}

/// Answers a path that does not exist: a page to browsers, JSON to programs.
pub async fn not_found(request: HeaderMap) -> Response {
    if wants_html(&request) {
        return PageError::new(
            StatusCode::NOT_FOUND,
            "There is no page here",
            "The link is old or mistyped, or it was cut off on its way.",
        )
        .what_to_do("go back to the application that you want to open and start from there.")
        .into_response();
    }
    refusal(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// Answers a method that a path does not have. The router adds `Allow`.
pub async fn method_not_allowed(method: Method, request: HeaderMap) -> Response {
    if wants_html(&request) {
        return PageError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page cannot be opened like that",
            "It is a step in the middle of something, and your browser came to it from outside.",
        )
        .what_to_do("go back to the application that you want to open and start from there.")
        .into_response();
    }
    tracing::debug!(%method, "method not allowed");
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not answer that method",
    )
}

fn refusal(status: StatusCode, description: &'static str) -> Response {
    let no_store = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let body = Json(json!({ "error": "invalid_request", "error_description": description }));
    (status, no_store, body).into_response()
}

/// Browsers name `text/html` when a person navigates; programs send `*/*` or JSON.
pub fn wants_html(request: &HeaderMap) -> bool {
    request
        .get_all(header::ACCEPT)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|kind| kind.trim_ascii().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::templates::{FormPost, Identify, Link, SignedOut};
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::post;
    use tower::ServiceExt as _;

    fn policy(response: &Response) -> &str {
        response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
    }

    #[test]
    fn every_page_forbids_scripts_frames_and_bases() {
        for forms in [Forms::None, Forms::Stay, Forms::Leave] {
            let policy = content_security_policy(forms);
            assert!(policy.starts_with("default-src 'none';"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(policy.contains("base-uri 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!policy.contains("script-src"), "{policy}");
        }
    }

    #[test]
    fn a_form_that_sends_itself_may_run_that_script_and_no_other() {
        use base64::Engine as _;

        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, SEND_SCRIPT.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(hash);
        let policy = content_security_policy(Forms::Send);
        assert!(
            policy.contains(&format!("; script-src 'sha256-{hash}';")),
            "{policy}"
        );
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let hidden = [("code", "c\"><script>alert(1)</script>"), ("state", "s&<")];
        let page = FormPost {
            action: "https://app.example/signin-oidc",
            hidden: &hidden,
        };
        let html = askama::Template::render(&page).unwrap();
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(
            html.contains(&format!("<script>{SEND_SCRIPT}</script>")),
            "{html}"
        );
    }

    #[test]
    fn a_page_without_forms_allows_none_and_a_sign_in_form_may_leave() {
        let signed_out = SignedOut {
            application: "Acme Notes",
            back: Link::parse("Home", "/"),
        };
        let response = Page::new(&signed_out).into_response();
        assert!(policy(&response).contains("form-action 'none'"));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[header::REFERRER_POLICY], "same-origin");

        let identify = Identify {
            application: "Acme",
            action: None,
            csrf: "c",
            hidden: &[],
            email: "",
            error: None,
        };
        assert!(!policy(&Page::new(&identify).into_response()).contains("form-action"));
    }

    #[tokio::test]
    async fn browsers_get_a_page_and_programs_get_json() {
        let app: Router = Router::new()
            .route("/token", post(|| async {}))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(not_found);
        for (path, status) in [
            ("/nowhere", StatusCode::NOT_FOUND),
            ("/token", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            for (accept, content_type) in [
                (
                    "text/html,application/xhtml+xml;q=0.9",
                    "text/html; charset=utf-8",
                ),
                ("*/*", "application/json"),
            ] {
                let request = Request::get(path)
                    .header(header::ACCEPT, accept)
                    .body(Body::empty())
                    .unwrap();
                let response = app.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status(), status);
                assert_eq!(response.headers()[header::CONTENT_TYPE], content_type);
                assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
                let allow = response
                    .headers()
                    .get(header::ALLOW)
                    .map(|value| value.to_str().unwrap());
                assert_eq!(allow, (path == "/token").then_some("POST"), "{path}");
            }
        }
    }
}
