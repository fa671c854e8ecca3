//! Reads the provider's answer and redeems its code.
//!
//! Source: OIDC Core §3.1.2.5, §3.1.3.1; RFC 9207 §2.4; RFC 6749 §2.3.1.

use genkan_protocol::Trace;
use genkan_protocol::oauth::{CodeVerifier, Parameters};
use genkan_protocol::oidc::{AuthorizationResponse, Cause, IssuerError, ResponseOutcome};
use genkan_store::Secret;
use genkan_store::connection::{Connection, OidcSettings, TokenAuthType};
use genkan_store::user_attribute::UserAttribute;
use http::header;
use serde::Deserialize;

use super::attributes::Mapping;
use super::metadata::Endpoints;
use super::remedy::remedy;
use super::{failed, mapping, redirect_uri, scheme, shown};
use crate::app::App;
use crate::connections::SignInFailure;
use crate::outbound::{Request, Scheme};

/// The provider's tokens. They are never logged.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: Option<String>,
    pub(super) id_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
    error_description: Option<String>,
}

/// RFC 9126 §6: a provider may require it of single clients, and its metadata do not say so.
const WANTS_IT_PUSHED: &str = "The provider's words say which parameter it does not take. If it takes pushed requests only \
     (RFC 9126), as Keycloak does where a client says so, let the connection push them: \
     `genkan connection update CONNECTION --push-requests on`.";

pub(super) struct Exchange<'a> {
    pub(super) app: &'a App,
    pub(super) connection: &'a Connection,
    pub(super) settings: &'a OidcSettings,
    pub(super) endpoints: &'a Endpoints,
    /// The registered custom attributes, if an answer is read.
    pub(super) attributes: &'a [UserAttribute],
}

impl Exchange<'_> {
    /// The mapping of our attributes.
    pub(super) fn mapping(&self) -> Mapping<'_> {
        mapping(self.connection, self.settings, self.attributes)
    }

    /// Whether plain HTTP is acceptable for this provider.
    pub(super) fn scheme(&self) -> Scheme {
        scheme(self.app, self.connection)
    }

    /// The failure of a check, with the remedy of its cause.
    pub(super) fn failure(&self, cause: Cause, trace: &mut Trace) -> SignInFailure {
        failed(self.connection, cause, std::mem::take(trace))
    }

    /// The code, or the provider's error.
    pub(super) fn code(&self, parameters: &Parameters, trace: &mut Trace) -> Result<String, SignInFailure> {
        let response = match AuthorizationResponse::parse(parameters) {
            Ok(response) => response,
            Err(error) => {
                trace.fail("Authorization response", "a code", error.to_string());
                return Err(self.failure(Cause::AuthorizationResponseMalformed, trace));
            }
        };
        // RFC 9207 §2.4: this comes before anything else of the answer.
        let expected = self.endpoints.issuer.as_str();
        if let Err(error) = response.check_issuer(expected, self.endpoints.sends_iss) {
            let received = match &error {
                IssuerError::Mismatch { received, .. } => received.as_str(),
                IssuerError::Missing => "no iss",
            };
            trace.fail("Answering provider", expected, received);
            return Err(self.failure(Cause::AuthorizationResponseIssuerMismatch, trace));
        }
        trace.pass(
            "Answering provider",
            response.iss.as_deref().unwrap_or("does not name itself"),
        );
        match response.outcome {
            ResponseOutcome::Code(code) => {
                trace.pass("Authorization response", "a code");
                Ok(code)
            }
            ResponseOutcome::Refused(error) => {
                trace.fail("Authorization response", "a code", shown(&error));
                let may_want_it_pushed =
                    error.error == "invalid_request" && self.endpoints.pushed.is_some() && !self.pushes();
                let failure = SignInFailure::provider(self.connection, error, std::mem::take(trace));
                Err(match may_want_it_pushed {
                    true => failure.with_remedy(WANTS_IT_PUSHED),
                    false => failure,
                })
            }
        }
    }

    /// Redeems the code (OIDC Core §3.1.3.1).
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: Option<&CodeVerifier>,
        trace: &mut Trace,
    ) -> Result<Tokens, SignInFailure> {
        let secret = self.client_secret(trace)?;
        let request = self.token_request(code, verifier, secret.as_ref());
        let answer = match self.app.outbound().send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                trace.fail("Code exchange", self.endpoints.token.as_str(), error.to_string());
                let cause = Cause::TokenEndpointUnreachable;
                let remedy = error.remedy().unwrap_or_else(|| remedy(cause));
                let trace = std::mem::take(trace);
                return Err(SignInFailure::unreachable(self.connection, cause, remedy, trace));
            }
        };
        if !answer.status.is_success() {
            return Err(self.token_error(answer.status.as_u16(), &answer.body, trace));
        }
        match genkan_protocol::json::read::<Tokens>(&answer.body) {
            Ok(tokens) => {
                trace.pass("Code exchange", "tokens received");
                Ok(tokens)
            }
            Err(_) => {
                trace.fail("Code exchange", "tokens as JSON", answer.content_type);
                Err(self.failure(Cause::TokenResponseMalformed, trace))
            }
        }
    }

    pub(super) fn client_secret(&self, trace: &mut Trace) -> Result<Option<Secret>, SignInFailure> {
        let opened = self.connection.open_client_secret(self.app.instance_key());
        opened.map_err(|_| {
            trace.fail("Client secret", "readable", "sealed under another instance key");
            self.failure(Cause::ClientSecretUnreadable, trace)
        })
    }

    /// Authenticates us, in the form or in the returned header (RFC 6749 §2.3.1).
    pub(super) fn authenticate(
        &self,
        form: &mut url::form_urlencoded::Serializer<'_, String>,
        secret: Option<&Secret>,
    ) -> Option<String> {
        let client_id = self.settings.client_id.as_str();
        match (self.settings.token_auth_type, secret) {
            (TokenAuthType::BasicAuth, Some(secret)) => {
                return Some(basic_header(client_id, secret.expose()));
            }
            (TokenAuthType::UrlParams, Some(secret)) => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.expose());
            }
            (_, None) => {
                form.append_pair("client_id", client_id);
            }
        }
        None
    }

    fn token_request(
        &self,
        code: &str,
        verifier: Option<&CodeVerifier>,
        secret: Option<&Secret>,
    ) -> Request<'_> {
        let redirect_uri = redirect_uri(self.app, self.connection);
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code");
        form.append_pair("code", code);
        form.append_pair("redirect_uri", &redirect_uri);
        if let Some(verifier) = verifier {
            form.append_pair("code_verifier", verifier.expose());
        }
        let basic = self.authenticate(&mut form, secret);
        let request = Request::post_form(&self.endpoints.token, self.scheme(), form.finish())
            .header(header::ACCEPT, "application/json".to_owned());
        match basic {
            Some(basic) => request.header(header::AUTHORIZATION, basic),
            None => request,
        }
    }

    fn token_error(&self, status: u16, body: &[u8], trace: &mut Trace) -> SignInFailure {
        let error = genkan_protocol::json::read::<TokenError>(body).ok();
        let code = error.as_ref().map_or("", |error| error.error.as_str());
        let shown = match &error {
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
        trace.fail("Code exchange", "tokens", shown);
        self.failure(Cause::FailedToExchangeToken, trace)
            .with_remedy(token_remedy(status, code))
    }
}

/// What to change if the token endpoint refused the code.
fn token_remedy(status: u16, code: &str) -> &'static str {
    match (status, code) {
        // RFC 6749 §5.2: 401 means that the client was not authenticated, whatever the error code. Keycloak
        // says `unauthorized_client` for a wrong secret.
        (401, _) | (_, "invalid_client") => {
            "Check client ID and client secret of the connection, and whether the provider wants them in the \
             header or in the body: `genkan connection update CONNECTION --client-secret-stdin` enters the secret, \
             --token-auth basic or post says where it goes."
        }
        (_, "invalid_grant" | "redirect_uri_mismatch") => {
            "Register the redirect URI of the connection at the provider, exactly as shown."
        }
        (_, "unauthorized_client") => {
            "Allow the authorization code grant for this application at the provider."
        }
        _ => remedy(Cause::FailedToExchangeToken),
    }
}

/// RFC 6749 §2.3.1: both are form-encoded before they are joined.
fn basic_header(client_id: &str, secret: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = format!("{}:{}", encode(client_id), encode(secret));
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(joined)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unauthenticated_client_is_about_its_secret_whatever_the_code() {
        for (status, code, what) in [
            (401, "unauthorized_client", "client secret"),
            (401, "invalid_client", "client secret"),
            (401, "", "client secret"),
            (400, "invalid_client", "client secret"),
            (400, "unauthorized_client", "authorization code grant"),
            (400, "invalid_grant", "redirect URI"),
            (500, "", "sign-in log"),
        ] {
            let remedy = token_remedy(status, code);
            assert!(remedy.contains(what), "{status} {code}: {remedy}");
        }
    }
}
