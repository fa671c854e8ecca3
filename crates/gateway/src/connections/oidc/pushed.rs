//! Pushed authorization requests: we send the request to the provider directly, and the browser carries
//! only a reference to it.
//!
//! Source: RFC 9126.

use genkan_protocol::Trace;
use genkan_protocol::oauth::append_query;
use genkan_protocol::oidc::Cause;
use genkan_store::Secret;
use http::header;
use serde::Deserialize;

use super::exchange::Exchange;
use super::remedy::remedy;
use crate::connections::SignInFailure;
use crate::outbound::Request;

/// The longest accepted reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 2048;

const CHECK: &str = "Pushed authorization request";

/// RFC 9126 §2.2.
#[derive(Deserialize)]
struct PushResponse {
    request_uri: String,
}

/// RFC 9126 §2.3, RFC 6749 §5.2.
#[derive(Deserialize)]
struct PushError {
    error: String,
    error_description: Option<String>,
}

impl Exchange<'_> {
    /// Whether to push the request: if the provider accepts no others, or the connection says so.
    pub(super) fn pushes(&self) -> bool {
        self.settings.push_requests || self.endpoints.requires_pushed
    }

    /// Pushes a request, and returns the address for the browser with the reference (RFC 9126 §2.1, §4).
    pub(super) async fn push(
        &self,
        query: &[(&str, &str)],
        trace: &mut Trace,
    ) -> Result<String, SignInFailure> {
        let Some(endpoint) = &self.endpoints.pushed else {
            trace.fail(CHECK, "an endpoint that takes it", "the provider names none");
            return Err(self.failure(Cause::PushedRequestEndpointMissing, trace));
        };
        let secret = self.client_secret(trace)?;
        let request = self.push_request(endpoint, query, secret.as_ref());
        let answer = match self.app.outbound().send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                trace.fail(CHECK, endpoint.as_str(), error.to_string());
                let cause = Cause::PushedRequestUnreachable;
                let remedy = error.remedy().unwrap_or_else(|| remedy(cause));
                let trace = std::mem::take(trace);
                return Err(SignInFailure::unreachable(self.connection, cause, remedy, trace));
            }
        };
        if !answer.status.is_success() {
            return Err(self.push_refused(answer.status.as_u16(), &answer.body, trace));
        }
        match genkan_protocol::json::read::<PushResponse>(&answer.body) {
            Ok(pushed) if is_reference(&pushed.request_uri) => {
                trace.pass(CHECK, "taken");
                let reference = [
                    ("client_id", self.settings.client_id.as_str()),
                    ("request_uri", &pushed.request_uri),
                ];
                Ok(append_query(&self.endpoints.authorization, &reference))
            }
            _ => {
                trace.fail(CHECK, "a request_uri as JSON", answer.content_type);
                Err(self.failure(Cause::PushedRequestMalformed, trace))
            }
        }
    }

    fn push_request<'b>(
        &self,
        endpoint: &'b str,
        query: &[(&str, &str)],
        secret: Option<&Secret>,
    ) -> Request<'b> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        // The client id is sent once. It may be among the credentials already.
        form.extend_pairs(query.iter().filter(|(name, _)| *name != "client_id"));
        let basic = self.authenticate(&mut form, secret);
        if basic.is_some() {
            form.append_pair("client_id", &self.settings.client_id);
        }
        let request = Request::post_form(endpoint, self.scheme(), form.finish())
            .header(header::ACCEPT, "application/json".to_owned());
        match basic {
            Some(basic) => request.header(header::AUTHORIZATION, basic),
            None => request,
        }
    }

    fn push_refused(&self, status: u16, body: &[u8], trace: &mut Trace) -> SignInFailure {
        let error = genkan_protocol::json::read::<PushError>(body).ok();
        let code = error.as_ref().map_or("", |error| error.error.as_str());
        let shown: String = match &error {
            Some(error) => {
                let description = error.error_description.as_deref().unwrap_or_default();
                format!("{status} {} {description}", error.error)
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(300)
                    .collect()
            }
            None => format!("status {status}"),
        };
        trace.fail(CHECK, "taken", shown);
        self.failure(Cause::PushedRequestRefused, trace)
            .with_remedy(refused(status, code))
    }
}

/// The content of a reference does not matter (RFC 9126 §2.2), but it is put into an address.
fn is_reference(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_REFERENCE_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What to change if the provider refused the pushed request.
fn refused(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (401, _) | (_, "invalid_client" | "unauthorized_client") => {
            "Check client ID and client secret of the connection, and whether the provider wants them in the \
             header or in the body."
        }
        // RFC 9126 §2.3 allows either of the two.
        (_, "invalid_request" | "invalid_redirect_uri") => {
            "Register the redirect URI of the connection at the provider, exactly as shown; its words say if \
             it is another parameter that it does not take."
        }
        (_, "invalid_scope") => {
            "The provider refused a scope: allow it there, or remove it from the connection."
        }
        (404 | 405, _) => {
            "The provider does not take pushed requests at this address. Let the connection send its requests by the \
             browser: `genkan connection update CONNECTION --push-requests off`."
        }
        _ => remedy(Cause::PushedRequestRefused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_what_an_address_can_carry() {
        for good in [
            "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
            "https://idp.test/r/1?a=b",
        ] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["", "a b", "a\nb", "ä", &"x".repeat(MAX_REFERENCE_BYTES + 1)] {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
