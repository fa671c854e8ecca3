//! `POST /simulator/token`: the exchange of a code, with the chosen fault.
//!
//! Source: RFC 6749 §4.1.3, RFC 7636 §4.6, OIDC Core §3.1.3.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use genkan_protocol::jose::{Algorithm, SigningKey};
use genkan_protocol::oauth::client_authentication::Credentials;
use genkan_protocol::oauth::{CodeVerifier, ErrorCode, Parameters, TokenRequest};
use genkan_protocol::oidc::left_half;
use serde_json::{Map, Value, json};

use super::{ACCESS_TOKEN_LIFETIME, Authorization, Fault, Simulator, SimulatorError, generate_key};

/// How long a slow answer takes: longer than a relying party should wait.
const SLOW: Duration = Duration::from_secs(30);

/// The size of an answer that nobody should read to its end.
const HUGE_BYTES: usize = 8 * 1024 * 1024;

const ID_TOKEN_LIFETIME_SECS: i64 = 300;

/// `POST /simulator/token`.
pub(super) async fn exchange(
    State(simulator): State<Simulator>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let form = Parameters::parse(&body).map_err(|_| Refusal::invalid_request("the form cannot be read"))?;
    simulator.authenticate(&headers, &form)?;
    let request =
        TokenRequest::parse(&form).map_err(|error| Refusal::Client(error.code(), error.to_string()))?;
    let TokenRequest::AuthorizationCode {
        code,
        redirect_uri,
        code_verifier,
    } = request
    else {
        return Err(Refusal::Client(
            ErrorCode::UnsupportedGrantType,
            "only codes are exchanged here".to_owned(),
        ));
    };
    // The code is spent, even if the rest is wrong.
    let authorization = simulator
        .redeem_code(&code)
        .ok_or(Refusal::invalid_grant("the code is unknown or spent"))?;
    check(&authorization, redirect_uri.as_deref(), code_verifier.as_ref())?;
    match authorization.fault {
        Some(Fault::TokenError) => return Err(Refusal::invalid_grant("the simulator was asked to refuse")),
        Some(Fault::TokenServerError) => return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Some(Fault::TokenNotJson) => return Ok(Html("<h1>Sign in</h1>").into_response()),
        Some(Fault::TokenHuge) => return Ok(huge()),
        Some(Fault::TokenSlow) => tokio::time::sleep(SLOW).await,
        Some(Fault::RotatedKey) => simulator.rotate().await?,
        _ => {}
    }
    let access_token = simulator.issue_access_token(authorization.clone())?;
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_LIFETIME.as_secs(),
        "scope": "openid profile email",
    });
    if authorization.fault != Some(Fault::NoIdToken) {
        answer["id_token"] = simulator.id_token(&authorization, &access_token).await?.into();
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// RFC 6749 §4.1.3 and RFC 7636 §4.6.
fn check(
    authorization: &Authorization,
    redirect_uri: Option<&str>,
    code_verifier: Option<&CodeVerifier>,
) -> Result<(), Refusal> {
    if redirect_uri != Some(&authorization.redirect_uri) {
        return Err(Refusal::invalid_grant(
            "the redirect_uri is not that of the authorization request",
        ));
    }
    match (&authorization.code_challenge, code_verifier) {
        (Some(challenge), Some(verifier)) if challenge.verify(verifier) => Ok(()),
        (None, None) => Ok(()),
        (Some(_), _) => Err(Refusal::invalid_grant("the code_verifier is missing or wrong")),
        // RFC 9700 §2.1.1: a verifier without a challenge is a downgraded request.
        (None, Some(_)) => Err(Refusal::invalid_grant("there was no code_challenge")),
    }
}

/// An answer of JSON that does not end for a long time.
pub(super) fn huge() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, format!("{{\"padding\":\"{}\"}}", "x".repeat(HUGE_BYTES))).into_response()
}

impl Simulator {
    fn authenticate(&self, headers: &HeaderMap, form: &Parameters) -> Result<(), Refusal> {
        let lines: Vec<&[u8]> = headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        let credentials = Credentials::parse(&lines, form)
            .map_err(|error| Refusal::Client(error.code(), error.to_string()))?;
        let config = self.config();
        match credentials {
            Credentials::Secret {
                client_id, secret, ..
            } if client_id == config.client_id
                && verify_slices_are_equal(secret.as_bytes(), config.client_secret.as_bytes()).is_ok() =>
            {
                Ok(())
            }
            Credentials::Secret { .. } | Credentials::Public { .. } => Err(Refusal::Client(
                ErrorCode::InvalidClient,
                "the client or its secret is wrong".to_owned(),
            )),
        }
    }

    async fn id_token(
        &self,
        authorization: &Authorization,
        access_token: &str,
    ) -> Result<String, SimulatorError> {
        let claims = self.id_token_claims(authorization, access_token);
        let key = self.key().await?;
        match authorization.fault {
            Some(Fault::UnknownKey) => Ok(generate_key().await?.sign("JWT", &claims)?),
            Some(Fault::BadSignature) => Ok(break_signature(&key.sign("JWT", &claims)?)),
            Some(Fault::AlgorithmNone) => Ok(unsigned(&claims)),
            Some(Fault::AlgorithmHmac) => Ok(signed_with_public_key(&claims, &key)),
            _ => Ok(key.sign("JWT", &claims)?),
        }
    }

    /// The claims of OIDC Core §2, with the chosen fault.
    fn id_token_claims(&self, authorization: &Authorization, access_token: &str) -> Map<String, Value> {
        let now = self.now().as_secs();
        let client_id = self.config().client_id.as_str();
        let mut claims = authorization.profile.claims();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer().into());
        set("aud", client_id.into());
        set("iat", now.into());
        set("exp", (now + ID_TOKEN_LIFETIME_SECS).into());
        set("auth_time", authorization.authenticated_at.as_secs().into());
        set("at_hash", left_half(Algorithm::Rs256, access_token).into());
        if let Some(nonce) = &authorization.nonce {
            set("nonce", nonce.as_str().into());
        }
        match authorization.fault {
            Some(Fault::WrongNonce) => drop(set("nonce", "another".into())),
            Some(Fault::WrongIssuer) => drop(set("iss", format!("{}/other", self.issuer()).into())),
            Some(Fault::WrongAudience) => drop(set("aud", "another".into())),
            Some(Fault::SecondAudience) => drop(set("aud", json!([client_id, "another"]))),
            Some(Fault::Expired) => {
                set("iat", (now - 7200).into());
                set("exp", (now - 3600).into());
            }
            Some(Fault::NotYetValid) => {
                set("iat", (now + 3600).into());
                set("nbf", (now + 3600).into());
                set("exp", (now + 7200).into());
            }
            Some(Fault::WrongAccessTokenHash) => drop(set("at_hash", left_half(Algorithm::Rs256, "").into())),
            _ => {}
        }
        let absent = match authorization.fault {
            Some(Fault::NoNonce) => "nonce",
            Some(Fault::NoSubject) => "sub",
            Some(Fault::NoEmail) => "email",
            _ => return claims,
        };
        claims.remove(absent);
        claims
    }
}

/// The same token with one bit of its signature flipped.
fn break_signature(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    if let Some(first) = signature.first_mut() {
        *first ^= 1;
    }
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 7519 §6: an unsecured token, which no relying party may accept here.
fn unsigned(claims: &Map<String, Value>) -> String {
    format!("{}.", message(&json!({ "alg": "none", "typ": "JWT" }), claims))
}

/// RFC 8725 §2.1: a verifier that lets the token choose takes the public key for a secret.
fn signed_with_public_key(claims: &Map<String, Value>, key: &SigningKey) -> String {
    let header = json!({ "alg": "HS256", "kid": key.kid(), "typ": "JWT" });
    let message = message(&header, claims);
    let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_jwk().to_string().as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()))
    )
}

fn message(header: &Value, claims: &Map<String, Value>) -> String {
    let encode = |json: String| URL_SAFE_NO_PAD.encode(json);
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(Value::Object(claims.clone()).to_string())
    )
}

/// RFC 6749 §5.2.
pub(super) enum Refusal {
    Client(ErrorCode, String),
    Own(SimulatorError),
}

impl Refusal {
    fn invalid_request(description: &str) -> Self {
        Self::Client(ErrorCode::InvalidRequest, description.to_owned())
    }

    fn invalid_grant(description: &str) -> Self {
        Self::Client(ErrorCode::InvalidGrant, description.to_owned())
    }
}

impl From<SimulatorError> for Refusal {
    fn from(error: SimulatorError) -> Self {
        Self::Own(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, description) = match self {
            Self::Client(ErrorCode::InvalidClient, description) => {
                (StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient, description)
            }
            Self::Client(code, description) => (StatusCode::BAD_REQUEST, code, description),
            Self::Own(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the simulator failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ErrorCode::ServerError,
                    "the simulator failed".to_owned(),
                )
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"simulator\""),
            );
        }
        (
            status,
            headers,
            Json(json!({ "error": code, "error_description": description })),
        )
            .into_response()
    }
}
