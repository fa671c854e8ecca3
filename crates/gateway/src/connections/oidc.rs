//! Connections of type OIDC: Genkan as the relying party.
//!
//! Source: OIDC Core §3.1; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).

use genkan_protocol::Trace;
use genkan_protocol::jose::{self, JwtError, Verified};
use genkan_protocol::oauth::{CodeVerifier, Parameters, append_query};
use genkan_protocol::oidc::id_token::{self, Expected};
use genkan_protocol::oidc::{
    AuthorizationResponse, ExpectedNonce, IssuerError, ProviderError, ResponseOutcome,
};
use genkan_store::Secret;
use genkan_store::connection::{Connection, OidcSettings, TokenAuthType};
use http::header;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

use super::attributes::{Mapping, MappingError};
use super::metadata::{self, Endpoints, MetadataError};
use super::{Failure, Hints, UpstreamIdentity};
use crate::app::App;
use crate::web::outbound::Request;

/// What provider and server clocks may differ by.
const CLOCK_SKEW: Duration = Duration::from_mins(2);

/// Signature algorithms accepted of providers. Symmetric ones and `none` are not
/// among them: the key would be a secret that other parties know, or nothing.
const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// The browser's way to the provider, and what to remember meanwhile.
#[derive(Debug)]
pub struct Departure {
    pub url: String,
    pub state: Secret,
    pub nonce: String,
    pub code_verifier: Option<CodeVerifier>,
}

/// The provider's answer with what was remembered.
#[derive(Debug)]
pub struct Arrival<'a> {
    pub parameters: &'a Parameters,
    pub nonce: &'a str,
    pub code_verifier: Option<CodeVerifier>,
}

/// Where the provider sends the browser back to.
pub fn redirect_uri(app: &App, connection: &Connection) -> String {
    app.url(&format!("/sso/v1/oidc/{}/callback", connection.id))
}

/// Builds the authorization request (OIDC Core §3.1.2.1).
pub async fn start(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    hints: &Hints,
) -> Result<Departure, Failure> {
    let mut trace = Trace::default();
    let endpoints = find_endpoints(app, connection, settings, &mut trace).await?;
    let state = Secret::generate();
    let nonce = Secret::generate().expose().to_owned();
    let code_verifier = settings.pkce_enabled.then(new_verifier);

    let redirect_uri = redirect_uri(app, connection);
    let scope = scope(settings);
    let challenge = code_verifier.as_ref().map(CodeVerifier::challenge);
    let max_age = hints.max_age.map(|age| age.as_secs().to_string());
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", settings.client_id.as_str()),
        ("redirect_uri", &redirect_uri),
        ("scope", &scope),
        ("state", state.expose()),
        ("nonce", &nonce),
    ];
    if let Some(challenge) = &challenge {
        query.push(("code_challenge", challenge.as_str()));
        query.push(("code_challenge_method", "S256"));
    }
    if let Some(hint) = &hints.login_hint {
        query.push(("login_hint", hint));
    }
    match (hints.force, hints.select_account) {
        (true, _) => query.push(("prompt", "login")),
        (false, true) => query.push(("prompt", "select_account")),
        (false, false) => {}
    }
    if let Some(max_age) = &max_age {
        query.push(("max_age", max_age));
    }
    let url = append_query(&endpoints.authorization, &query);
    Ok(Departure {
        url,
        state,
        nonce,
        code_verifier,
    })
}

/// `openid` always, then what the connection asks for, else `profile email`.
fn scope(settings: &OidcSettings) -> String {
    let configured: Vec<&str> = settings.scopes.iter().map(String::as_str).collect();
    let asked = if configured.is_empty() {
        vec!["profile", "email"]
    } else {
        configured
    };
    std::iter::once("openid")
        .chain(asked.into_iter().filter(|&scope| scope != "openid"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Takes the answer through every check, in order; each leaves its line in the trace.
pub async fn finish(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    arrival: Arrival<'_>,
) -> Result<UpstreamIdentity, Failure> {
    let mut trace = Trace::default();
    trace.pass("State", "known, unused, from this browser");
    let endpoints = find_endpoints(app, connection, settings, &mut trace).await?;
    let exchange = Exchange {
        app,
        connection,
        settings,
        endpoints: &endpoints,
    };

    let code = exchange.code(arrival.parameters, &mut trace)?;
    let tokens = exchange
        .redeem(&code, arrival.code_verifier.as_ref(), &mut trace)
        .await?;
    let mut claims = exchange.id_token(&tokens, arrival.nonce, &mut trace).await?;
    exchange.userinfo(&tokens, &mut claims, &mut trace).await?;

    let mapping = Mapping {
        attributes: &settings.attribute_mapping,
        groups_claim: settings.groups_claim.as_deref(),
        roles_claim: settings.roles_claim.as_deref(),
    };
    let mapped = match mapping.apply(&claims) {
        Ok(mapped) => mapped,
        Err(error) => {
            let received: Vec<&str> = claims.keys().map(String::as_str).collect();
            trace.fail(
                "E-mail address",
                expected(&error),
                format!("claims: {}", received.join(", ")),
            );
            let remedy = "Release the e-mail address to this application at the provider (scope or claim `email`), \
                          or map the claim that carries it in the connection's attribute mapping.";
            return Err(Failure::new(
                connection,
                "mandatory_attribute_missing",
                remedy,
                trace,
            ));
        }
    };
    trace.pass("E-mail address", mapped.email.as_str());
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Ok(UpstreamIdentity {
        connection: connection.clone(),
        subject,
        email: mapped.email,
        profile: mapped.profile,
        groups: mapped.groups,
        roles: mapped.roles,
        attributes: claims,
        trace,
    })
}

async fn find_endpoints(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    trace: &mut Trace,
) -> Result<Endpoints, Failure> {
    match metadata::endpoints(app, settings).await {
        Ok(endpoints) => {
            trace.pass("Provider metadata", endpoints.issuer.as_str());
            Ok(endpoints)
        }
        Err(error) => {
            let (cause, remedy) = explain(&error);
            trace.fail(
                "Provider metadata",
                metadata::discovery_url(settings),
                error.to_string(),
            );
            Err(Failure::unreachable(
                connection,
                cause,
                remedy,
                std::mem::take(trace),
            ))
        }
    }
}

fn explain(error: &MetadataError) -> (&'static str, &'static str) {
    match error {
        MetadataError::Fetch { .. } => (
            "provider_unreachable",
            "Check the issuer address of the connection, and that this server can reach it.",
        ),
        MetadataError::Status { .. } => (
            "provider_metadata_missing",
            "Check the issuer address: it must serve /.well-known/openid-configuration.",
        ),
        MetadataError::Invalid { .. } => (
            "provider_metadata_invalid",
            "Enter the issuer exactly as the provider's own metadata names it, or the endpoints by hand.",
        ),
        MetadataError::Missing(_) => (
            "provider_metadata_incomplete",
            "Enter the missing endpoint in the connection by hand.",
        ),
    }
}

/// The tokens of the provider's answer; never logged.
#[derive(Deserialize)]
struct Tokens {
    access_token: Option<String>,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
    error_description: Option<String>,
}

struct Exchange<'a> {
    app: &'a App,
    connection: &'a Connection,
    settings: &'a OidcSettings,
    endpoints: &'a Endpoints,
}

impl Exchange<'_> {
    fn failure(&self, cause: &str, remedy: impl Into<String>, trace: &mut Trace) -> Failure {
        Failure::new(self.connection, cause, remedy, std::mem::take(trace))
    }

    /// The code, or what the provider answered instead.
    fn code(&self, parameters: &Parameters, trace: &mut Trace) -> Result<String, Failure> {
        let response = match AuthorizationResponse::parse(parameters) {
            Ok(response) => response,
            Err(error) => {
                trace.fail("Authorization response", "a code", error.to_string());
                let remedy = "The provider's answer breaks OpenID Connect.";
                return Err(self.failure("authorization_response_malformed", remedy, trace));
            }
        };
        // RFC 9207 §2.4: checked before anything of the answer is used.
        let expected = self.endpoints.issuer.as_str();
        if let Err(error) = response.check_issuer(expected, self.endpoints.sends_iss) {
            let received = match &error {
                IssuerError::Mismatch { received, .. } => received.as_str(),
                IssuerError::Missing => "no iss",
            };
            trace.fail("Answering provider", expected, received);
            let remedy = "The answer came from another provider than the one asked. Check the issuer of the connection.";
            return Err(self.failure("authorization_response_issuer_mismatch", remedy, trace));
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
                Err(Failure::provider(self.connection, error, std::mem::take(trace)))
            }
        }
    }

    /// OIDC Core §3.1.3.1.
    async fn redeem(
        &self,
        code: &str,
        verifier: Option<&CodeVerifier>,
        trace: &mut Trace,
    ) -> Result<Tokens, Failure> {
        let Ok(secret) = self.connection.open_client_secret(self.app.instance_key()) else {
            trace.fail("Client secret", "readable", "sealed under another instance key");
            return Err(self.failure(
                "client_secret_unreadable",
                "Enter the client secret again.",
                trace,
            ));
        };
        let request = self.token_request(code, verifier, secret.as_ref());
        let answer = match self.app.outbound().send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                trace.fail("Code exchange", self.endpoints.token.as_str(), error.to_string());
                let remedy = "Check that this server can reach the provider's token endpoint.";
                let trace = std::mem::take(trace);
                return Err(Failure::unreachable(
                    self.connection,
                    "token_endpoint_unreachable",
                    remedy,
                    trace,
                ));
            }
        };
        if !answer.status.is_success() {
            return Err(self.token_error(answer.status.as_u16(), &answer.body, trace));
        }
        match serde_json::from_slice::<Tokens>(&answer.body) {
            Ok(tokens) => {
                trace.pass("Code exchange", "tokens received");
                Ok(tokens)
            }
            Err(_) => {
                trace.fail("Code exchange", "tokens as JSON", answer.content_type);
                Err(self.failure(
                    "token_response_malformed",
                    "The provider's token endpoint breaks RFC 6749 §5.1.",
                    trace,
                ))
            }
        }
    }

    fn token_request(
        &self,
        code: &str,
        verifier: Option<&CodeVerifier>,
        secret: Option<&Secret>,
    ) -> Request<'_> {
        let client_id = self.settings.client_id.as_str();
        let redirect_uri = redirect_uri(self.app, self.connection);
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code");
        form.append_pair("code", code);
        form.append_pair("redirect_uri", &redirect_uri);
        if let Some(verifier) = verifier {
            form.append_pair("code_verifier", verifier.expose());
        }
        let mut basic = None;
        match (self.settings.token_auth_type, secret) {
            (TokenAuthType::BasicAuth, Some(secret)) => {
                basic = Some(basic_header(client_id, secret.expose()))
            }
            (TokenAuthType::UrlParams, Some(secret)) => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.expose());
            }
            (_, None) => {
                form.append_pair("client_id", client_id);
            }
        }
        let scheme = self.app.scheme(self.settings.insecure_http);
        let request = Request::post_form(&self.endpoints.token, scheme, form.finish())
            .header(header::ACCEPT, "application/json".to_owned());
        match basic {
            Some(basic) => request.header(header::AUTHORIZATION, basic),
            None => request,
        }
    }

    fn token_error(&self, status: u16, body: &[u8], trace: &mut Trace) -> Failure {
        let error = serde_json::from_slice::<TokenError>(body).ok();
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
        let remedy = match code {
            "invalid_client" => {
                "Check client ID and client secret of the connection, and whether the provider wants them in the \
                 header or in the body."
            }
            "invalid_grant" | "redirect_uri_mismatch" => {
                "Register the redirect URI of the connection at the provider, exactly as shown."
            }
            "unauthorized_client" => {
                "Allow the authorization code grant for this application at the provider."
            }
            _ => "Look for this error in the provider's own sign-in log.",
        };
        self.failure("failed_to_exchange_token", remedy, trace)
    }

    /// OIDC Core §3.1.3.7: signature first, then every claim.
    async fn id_token(
        &self,
        tokens: &Tokens,
        nonce: &str,
        trace: &mut Trace,
    ) -> Result<Map<String, Value>, Failure> {
        let Some(id_token) = &tokens.id_token else {
            trace.fail("ID token", "an ID token", "none");
            let remedy = "Allow the scope `openid` for this application at the provider.";
            return Err(self.failure("id_token_missing", remedy, trace));
        };
        let verified = self.verify(id_token, trace).await?;
        trace.pass(
            "ID token signature",
            format!(
                "{} by key {}",
                verified.header.alg,
                verified.header.kid.as_deref().unwrap_or("without a name")
            ),
        );
        let expected = Expected {
            issuer: &self.endpoints.issuer,
            client_id: &self.settings.client_id,
            nonce: Some(ExpectedNonce::Plain(nonce)),
            now: self.app.now(),
            skew: CLOCK_SKEW,
            access_token: tokens.access_token.as_deref(),
            max_age: None,
        };
        match id_token::validate(&verified, &expected, trace) {
            Ok(claims) => Ok(claims),
            Err(error) => Err(self.failure(error.cause, error.remedy, trace)),
        }
    }

    async fn verify(&self, id_token: &str, trace: &mut Trace) -> Result<Verified, Failure> {
        let mut refetched = false;
        loop {
            let keys = match metadata::jwks(self.app, self.settings, &self.endpoints.jwks, refetched).await {
                Ok(keys) => keys,
                Err(error) => {
                    trace.fail("Provider keys", self.endpoints.jwks.as_str(), error.to_string());
                    let remedy = "Check that this server can reach the provider's jwks_uri.";
                    let trace = std::mem::take(trace);
                    return Err(Failure::unreachable(
                        self.connection,
                        "jwks_unreachable",
                        remedy,
                        trace,
                    ));
                }
            };
            match jose::verify(id_token, &keys, ALGORITHMS) {
                Ok(verified) => return Ok(verified),
                // OIDC Core §10.1.1: an unknown key means that the provider has rotated.
                Err(JwtError::UnknownKey { .. }) if !refetched => refetched = true,
                Err(error) => {
                    trace.fail(
                        "ID token signature",
                        "a signature by one of the provider's keys",
                        error.to_string(),
                    );
                    let remedy = "The provider signed with a key or algorithm that it does not publish. Check jwks_uri \
                                  and the signing algorithm of the application at the provider.";
                    return Err(self.failure(error.cause(), remedy, trace));
                }
            }
        }
    }

    /// Adds what only the userinfo endpoint tells (OIDC Core §5.3). The ID
    /// token's claims win: they are the signed ones.
    async fn userinfo(
        &self,
        tokens: &Tokens,
        claims: &mut Map<String, Value>,
        trace: &mut Trace,
    ) -> Result<(), Failure> {
        let (Some(url), Some(access_token)) = (&self.endpoints.userinfo, &tokens.access_token) else {
            return Ok(());
        };
        let request = Request::get(url, self.app.scheme(self.settings.insecure_http))
            .header(header::ACCEPT, "application/json".to_owned())
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"));
        let answer = match self.app.outbound().send(request).await {
            Ok(answer) if answer.status.is_success() => answer,
            Ok(answer) => return self.userinfo_failed(format!("status {}", answer.status.as_u16()), trace),
            Err(error) => return self.userinfo_failed(error.to_string(), trace),
        };
        let Ok(Value::Object(info)) = serde_json::from_slice::<Value>(&answer.body) else {
            return self.userinfo_failed(format!("not a JSON object ({})", answer.content_type), trace);
        };
        // OIDC Core §5.3.2: the subject must be the ID token's, or somebody
        // else's profile would be taken over (token substitution).
        if info.get("sub") != claims.get("sub") {
            trace.fail("Userinfo subject", "the ID token's sub", "another one");
            let remedy = "The userinfo endpoint belongs to another provider, or the provider's configuration is mixed up.";
            return Err(self.failure("userinfo_subject_mismatch", remedy, trace));
        }
        trace.pass("Userinfo", "same subject");
        for (name, value) in info {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    fn userinfo_failed(&self, received: String, trace: &mut Trace) -> Result<(), Failure> {
        trace.fail("Userinfo", "claims as JSON", received);
        let remedy = "The provider's userinfo endpoint did not answer as OpenID Connect says. Check its address and that \
                      this application may call it.";
        Err(self.failure("user_info_retrieve_failed", remedy, trace))
    }
}

/// A provider's error in one line.
pub fn shown(error: &ProviderError) -> String {
    match &error.description {
        Some(description) => format!("{}: {description}", error.error),
        None => error.error.clone(),
    }
}

fn expected(error: &MappingError) -> String {
    let (MappingError::EmailMissing { claim } | MappingError::EmailMalformed { claim }) = error;
    format!("an e-mail address in the claim {claim}")
}

/// RFC 7636 §4.1: 32 octets of randomness.
fn new_verifier() -> CodeVerifier {
    let mut octets = [0; 32];
    aws_lc_rs::rand::fill(&mut octets).expect("the operating system has randomness");
    CodeVerifier::from_random(octets)
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
