//! How the browser goes to a provider.

use axum::response::{IntoResponse, Response};
use genkan_store::Secret;
use genkan_store::upstream_request::ExpectedAnswer;
use genkan_web::page::Page;

use crate::web::form_post::FormPost;
use crate::web::see_other::see_other;

/// How the browser goes to a provider.
#[derive(Debug)]
pub enum Departure {
    Redirect(String),
    /// For a request that is too long for an address, or must not be in one: a form that submits itself.
    /// Without scripts it has a button.
    Form {
        action: String,
        fields: Vec<(&'static str, String)>,
    },
}

/// A departure, and the data that its answer needs.
#[derive(Debug)]
pub struct PendingDeparture {
    pub departure: Departure,
    /// With it the answer finds its request.
    pub state: Secret,
    pub expected: ExpectedAnswer,
}

impl IntoResponse for Departure {
    fn into_response(self) -> Response {
        match self {
            Self::Redirect(url) => see_other(&url),
            Self::Form { action, fields } => {
                let hidden: Vec<(&str, &str)> = fields
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let page = FormPost {
                    way: "to your company’s sign-in",
                    action: &action,
                    hidden: &hidden,
                };
                Page::new(&page).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{StatusCode, header};

    use super::*;

    #[tokio::test]
    async fn a_form_sends_itself_and_can_be_sent_by_hand() {
        let departure = Departure::Form {
            action: "https://idp.test/sso?a=1&b=\"".to_owned(),
            fields: vec![("RelayState", "<b>".to_owned())],
        };
        let response = departure.into_response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("script-src 'sha256-") && !policy.contains("form-action"),
            "{policy}"
        );
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(html.contains("<button>Continue</button>"), "{html}");
        for reflected in ["b=\"", "<b>"] {
            assert!(!html.contains(reflected), "{reflected} in {html}");
        }
    }
}
