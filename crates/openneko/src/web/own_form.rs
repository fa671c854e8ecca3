//! Forms that only our own pages can send. The dashboard's forms are bound to a session.

use axum::response::Response;
use genkan_web::form::{FormBinding, FormError, FormTokens, Server, SubmittedForm};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::web::app::{App, SignedIn};
use crate::web::error;

impl Server for App {
    fn forms(&self) -> &FormTokens {
        self.keys().forms()
    }

    fn origin(&self) -> Option<&str> {
        App::origin(self)
    }
}

impl FormBinding<App> for SignedIn {
    type Refusal = Response;

    /// The gate has recognised them.
    fn read(head: &Parts, _: &App) -> Result<Self, Response> {
        let signed_in = head.extensions.get().cloned();
        signed_in.ok_or_else(|| Self::refuse(head, FormError::Foreign))
    }

    fn browser(&self) -> &[u8] {
        &self.cookie_hash
    }

    fn refuse(_: &Parts, refused: FormError) -> Response {
        let why = "The form is not one that this page gave you, or you signed in again since.";
        not_done(refused, why, "open the dashboard again and repeat it there.")
    }
}

/// The page for a refused form.
pub(crate) fn not_done(refused: FormError, why: &str, what_to_do: &str) -> Response {
    let status = match refused {
        FormError::Unread(status) => status,
        FormError::Garbled | FormError::Foreign => StatusCode::FORBIDDEN,
    };
    error::page(status, "This was not done", why, what_to_do)
}

/// Whether a form is ours, at an address where another site may post as well.
pub(crate) fn is_ours(app: &App, headers: &HeaderMap, browser: &[u8; 32], path: &str, body: &[u8]) -> bool {
    let sent = SubmittedForm {
        headers,
        origin: app.origin(),
        body,
    };
    app.keys().forms().open(sent, browser, path).is_ok()
}
