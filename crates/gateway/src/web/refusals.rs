//! What a person is told when a login cannot go on. All the texts in one place.

use std::time::Duration;

use http::StatusCode;

use crate::web::error::PageError;

impl PageError {
    /// A request that is no authorization or logout request at all; `why` ends with a full stop.
    pub fn invalid_request(why: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This link does not work", why).what_to_do(
            "go back to the application and start from there. If it happens again, tell the people who run it.",
        )
    }

    /// RFC 6749 §4.1.2.1: told to the person, never to an address that came with the request.
    pub fn unknown_application() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "We do not know this application",
            "The link that brought you here names an application that is not registered, or no longer.",
        )
        .what_to_do("go back to the application and start from there. If it happens again, tell the people who run it.")
    }

    /// RFC 6749 §3.1.2.4.
    pub fn invalid_redirect_uri(application: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "This link does not lead back to the application",
            "The address to return to after sign-in is not registered for this application, so nobody was signed in.",
        )
        .application(application)
        .what_to_do("if you run this application, run `genkan app doctor` for it: it shows the redirect_uri that was sent beside those that are registered. They must be the same, to the letter.")
    }

    /// The client has asked for more than it may.
    pub fn too_many_requests(wait: Duration) -> Self {
        let why = "More was asked from your network in the last minute than we answer at once.";
        let text = format!("wait {} and try again.", waiting(wait));
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", why)
            .what_to_do(text)
            .retry_after(wait)
    }

    /// The login is over, too old, or belongs to another browser.
    pub fn interaction_gone() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "This sign-in is no longer open",
            "It took too long, it was finished before, or it was started in another browser.",
        )
        .what_to_do("go back to the application and sign in again.")
    }

    /// The person went back, or loaded a page of it again.
    pub fn interaction_finished() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "This sign-in is finished",
            "It was finished in this browser before. Perhaps you went back, or loaded the page again.",
        )
        .what_to_do("go on to the application. It knows whether you are signed in.")
    }

    /// An answer that this browser did not ask for: replayed, forged, or a stranger's.
    pub fn unsolicited_answer() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "We did not expect this sign-in",
            "The answer of your company’s sign-in was used before, came too late, or belongs to another browser.",
        )
        .what_to_do("go back to the application and sign in again.")
    }

    /// A form that none of our own pages sent.
    pub fn foreign_form() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This form was not sent from here",
            "The form is old, or another page tried to send it in your name. Nothing was changed.",
        )
        .what_to_do("go back to the application and sign in again.")
    }

    pub fn unknown_connection() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such company sign-in",
            "The link names a connection that does not exist, or no longer.",
        )
        .what_to_do("check the link, or ask the people who run the application.")
    }

    pub fn connection_not_active() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Your company’s sign-in is switched off",
            "It was disabled by the people who run the application or by your IT team.",
        )
        .what_to_do("ask your IT team when it will be back.")
    }

    pub fn idp_initiated_login_off() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "The application cannot be opened from here",
            "Sign-ins that begin at your company’s identity provider are switched off.",
        )
        .what_to_do(
            "open the application itself and sign in there. If you run it, allow such sign-ins with genkan connection update --allow-idp-initiated.",
        )
    }

    pub fn no_initiate_login_uri() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The application cannot be opened from here",
            "No application has registered an address where such a sign-in begins.",
        )
        .what_to_do(
            "open the application itself and sign in there. If you run it, register its initiate_login_uri.",
        )
    }

    /// An identity provider's answer signs nobody in; `reference` names the trace,
    /// if one was kept.
    pub fn sign_in_failed(status: StatusCode, why: &str, reference: Option<&str>) -> Self {
        let page = Self::new(status, "We could not sign you in", why.to_owned());
        match reference {
            Some(reference) => page
                .reference(reference)
                .what_to_do("send the reference below to your IT team. It shows them what to change."),
            None => page.what_to_do(
                "wait a minute and try again. Many sign-ins of your company fail just now, so the details of this one \
                 were not kept.",
            ),
        }
    }
}

/// In words, never less than it is.
fn waiting(wait: Duration) -> String {
    match wait.as_secs() {
        0..=1 => "a second".to_owned(),
        seconds @ 2..=60 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

impl From<crate::anonymous::TooMany> for PageError {
    fn from(too_many: crate::anonymous::TooMany) -> Self {
        Self::too_many_requests(too_many.retry_after)
    }
}

impl From<crate::anonymous::shared::NotBegun> for PageError {
    fn from(refused: crate::anonymous::shared::NotBegun) -> Self {
        match refused {
            crate::anonymous::shared::NotBegun::TooMany(too_many) => too_many.into(),
            crate::anonymous::shared::NotBegun::Store(error) => error.into(),
        }
    }
}

impl From<genkan_store::Error> for PageError {
    fn from(source: genkan_store::Error) -> Self {
        match source {
            // Two answers to one step: the other one was first.
            genkan_store::Error::Stale => Self::interaction_gone(),
            other => Self::internal(other),
        }
    }
}

impl From<genkan_db::Error> for PageError {
    fn from(source: genkan_db::Error) -> Self {
        Self::internal(source)
    }
}

impl From<crate::keys::KeyringError> for PageError {
    fn from(source: crate::keys::KeyringError) -> Self {
        Self::internal(source)
    }
}
