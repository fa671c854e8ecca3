//! HTML pages: a template rendered with the headers that every page carries.
//!
//! Source: Content Security Policy Level 3, Fetch §3.2 (`Origin`).

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Where the forms of a page lead.
///
/// Chromium checks `form-action` at the target of a form and at every redirect after it,
/// up to the last page (Firefox and Safari do not). So if a form ends at an identity
/// provider or at the application, `'self'` breaks sign-in: the POST arrives, the
/// redirect is refused, and the person sees a button that does nothing. Even
/// `form-action *` refuses the scheme of a native application (`com.acme.app:/callback`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forms {
    /// The page has none: `form-action 'none'`.
    None,
    /// Their answer and its redirects stay here: `form-action 'self'`.
    Stay,
    /// Their answer may end at an identity provider that depends on the typed
    /// address, and from there at any application. No directive can name all
    /// of these, so there is none. It would guard against an injected form;
    /// the escaping of every template does that.
    Leave,
    /// The page is one form that sends itself to an application, by the one script
    /// whose hash is allowed. The application may redirect anywhere, so there is no
    /// directive, as with [`Forms::Leave`].
    Send,
}

/// The script of a page that submits its form.
pub const SEND_SCRIPT: &str = "document.forms[0].submit()";

/// The kind of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// A step of a sign-in that an application may have opened in a popup.
    SignInStep,
    /// Any other page, such as those for operators, IT admins and developers.
    Other,
}

/// A template of a whole page.
pub trait PageTemplate: askama::Template {
    const KIND: PageKind;
    const FORMS: Forms;
}

/// A rendered page.
#[derive(Debug)]
pub struct Page {
    status: StatusCode,
    kind: PageKind,
    forms: Forms,
    html: String,
    is_whole: bool,
    /// The name of the template's type, for the tests that want a sample of each.
    #[cfg(feature = "testing")]
    template: &'static str,
}

impl Page {
    pub fn new<T: PageTemplate>(template: &T) -> Self {
        let rendered = template.render();
        let is_whole = rendered.is_ok();
        Self {
            status: if is_whole {
                StatusCode::OK
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            },
            kind: T::KIND,
            forms: if is_whole { T::FORMS } else { Forms::None },
            html: rendered.unwrap_or_else(|error| {
                tracing::error!(%error, "a page could not be rendered");
                "This page could not be shown.".to_owned()
            }),
            is_whole,
            #[cfg(feature = "testing")]
            template: std::any::type_name::<T>(),
        }
    }

    /// The same page with another status than 200. A page that could not be rendered
    /// keeps its 500.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        if self.is_whole {
            self.status = status;
        }
        self
    }
}

/// Which template an answer was rendered from, in its extensions.
#[cfg(feature = "testing")]
#[derive(Debug, Clone, Copy)]
pub struct Template(pub &'static str);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::with_capacity(10);
        let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, "text/html; charset=utf-8");
        // Pages carry form tokens and names; the Back button asks again.
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
        // opener afterwards. `same-origin` on any page of the sign-in would
        // break that for good, so these pages go without. Other origins cannot
        // read them in any case.
        let opener = match self.kind {
            PageKind::SignInStep => "unsafe-none",
            PageKind::Other => "same-origin",
        };
        set(HeaderName::from_static("cross-origin-opener-policy"), opener);
        set(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        );
        #[cfg(feature = "testing")]
        let answer = (
            self.status,
            headers,
            axum::Extension(Template(self.template)),
            self.html,
        );
        #[cfg(not(feature = "testing"))]
        let answer = (self.status, headers, self.html);
        answer.into_response()
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

/// A login advances by GET and POST. A HEAD request, such as that of a link preview, would
/// start a login or advance it unseen.
pub async fn refuse_head(request: Request, next: Next) -> Response {
    if request.method() == Method::HEAD {
        let headers = [(header::ALLOW, "GET, POST"), (header::CACHE_CONTROL, "no-store")];
        return (StatusCode::METHOD_NOT_ALLOWED, headers).into_response();
    }
    next.run(request).await
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
    }

    #[derive(askama::Template)]
    #[template(source = "{{ self.text()? }}", ext = "html")]
    struct Note(Result<&'static str, std::fmt::Error>);

    impl Note {
        fn text(&self) -> Result<&'static str, std::fmt::Error> {
            self.0
        }
    }

    impl PageTemplate for Note {
        const KIND: PageKind = PageKind::Other;
        const FORMS: Forms = Forms::Stay;
    }

    #[test]
    fn a_page_carries_its_policy_and_a_broken_one_is_our_failure() {
        let policy = |response: &Response| {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str();
            policy.unwrap().to_owned()
        };
        let whole = Page::new(&Note(Ok("fine"))).with_status(StatusCode::FORBIDDEN);
        let whole = whole.into_response();
        assert_eq!(whole.status(), StatusCode::FORBIDDEN);
        assert!(policy(&whole).contains("form-action 'self'"));
        assert_eq!(whole.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(whole.headers()[header::REFERRER_POLICY], "same-origin");
        assert_eq!(whole.headers()["cross-origin-opener-policy"], "same-origin");

        let broken = Page::new(&Note(Err(std::fmt::Error))).with_status(StatusCode::OK);
        let broken = broken.into_response();
        assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(policy(&broken).contains("form-action 'none'"));
    }
}
