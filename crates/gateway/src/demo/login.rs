//! Signing in, and staying signed in.
//!
//! Source: OIDC Core §3.1.2 and §4, RFC 6749 §6, RFC 9700 §2.1.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use genkan_protocol::oauth::{CodeVerifier, Parameters};
use genkan_protocol::oidc::{AuthorizationResponse, IdpInitiatedLogin, ResponseOutcome};
use serde_json::Value;

use super::relying_party::RelyingPartyError;
use super::session::{BROWSER_COOKIE, Pending, SESSION_COOKIE, cookie, random, random_name, set_cookie};
use super::{Demo, pages};
use crate::web::error::PageError;

/// The parameters that a caller of `/login` may pass on to the gateway.
const FORWARDED: [&str; 5] = [
    "organization_id",
    "connection_id",
    "login_hint",
    "domain_hint",
    "prompt",
];

/// `GET /login`: sends the browser to the gateway.
pub(super) async fn begin(
    State(demo): State<Demo>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let asked = Parameters::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let one = |name| asked.one(name).ok().flatten();
    let hints = match one("idp_initiated_login") {
        Some(token) => hints_of(&demo, token).await?,
        None => FORWARDED
            .iter()
            .filter_map(|&name| Some((name, one(name)?.to_owned())))
            .collect(),
    };
    let (Some(state), Some(nonce), Some(verifier), Some(fresh)) =
        (random_name(), random_name(), random(), random_name())
    else {
        return Err(PageError::internal("the system has no randomness"));
    };
    let browser = cookie(&headers, BROWSER_COOKIE, demo.url())
        .unwrap_or(&fresh)
        .to_owned();
    let verifier = CodeVerifier::from_random(verifier);
    let challenge = verifier.challenge();
    let mut query = vec![
        ("state", state.as_str()),
        ("nonce", &nonce),
        ("code_challenge", challenge.as_str()),
    ];
    query.extend(hints.iter().map(|(name, value)| (*name, value.as_str())));
    let location = demo.relying_party().authorization_url(&query).await?;

    let keep = set_cookie(BROWSER_COOKIE, &browser, demo.url());
    demo.sessions().await_answer(
        state,
        Pending {
            browser,
            nonce,
            verifier,
        },
        demo.now(),
    );
    Ok((AppendHeaders([keep]), Redirect::to(&location)).into_response())
}

/// A login that began at the identity provider: the token names the connection and signs
/// nobody in, so an ordinary sign-in follows.
async fn hints_of(demo: &Demo, token: &str) -> Result<Vec<(&'static str, String)>, PageError> {
    let claims = demo.relying_party().verify(token).await?.claims;
    let login: IdpInitiatedLogin = serde_json::from_value(Value::Object(claims))
        .map_err(|_| RelyingPartyError::Claims("the token is no IdP-initiated login"))?;
    let (config, now) = (demo.relying_party().config(), demo.now().as_secs());
    let own_address = format!("{}{}", config.url, super::LOGIN_PATH);
    if login.iss != config.issuer || login.aud != own_address || now >= login.exp {
        let why = "the IdP-initiated login is old, another issuer's or another application's";
        return Err(RelyingPartyError::Claims(why).into());
    }
    let hints = [
        ("organization_id", login.organization_id),
        ("connection_id", login.connection_id),
    ];
    let login_hint = login.login_hint.map(|hint| ("login_hint", hint));
    Ok(hints
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .chain(login_hint)
        .collect())
}

/// `GET /callback`: the gateway's answer.
pub(super) async fn finish(
    State(demo): State<Demo>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (relying_party, now) = (demo.relying_party(), demo.now());
    let query = query.unwrap_or_default();
    let Ok(answer) = Parameters::parse(query.as_bytes()).map(|query| AuthorizationResponse::parse(&query))
    else {
        return Err(unexpected());
    };
    // A callback without code or error comes from a bookmark.
    let Ok(answer) = answer else {
        return Ok(Redirect::to("/").into_response());
    };
    let pending = answer
        .state
        .as_deref()
        .zip(cookie(&headers, BROWSER_COOKIE, demo.url()))
        .and_then(|(state, browser)| demo.sessions().answered(state, browser, now))
        .ok_or_else(unexpected)?;
    let required = relying_party.promises_iss().await?;
    answer
        .check_issuer(&relying_party.config().issuer, required)
        .map_err(|_| unexpected())?;
    let code = match answer.outcome {
        ResponseOutcome::Code(code) => code,
        ResponseOutcome::Refused(error) => {
            return Err(pages::refused(&error.error, error.description.as_deref()));
        }
    };
    let tokens = relying_party
        .tokens(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &relying_party.redirect_uri()),
            ("code_verifier", pending.verifier.expose()),
        ])
        .await?;
    let session = relying_party.session(tokens, Some(&pending.nonce), now).await?;
    let id = random_name().ok_or_else(|| PageError::internal("the system has no randomness"))?;
    let keep = set_cookie(SESSION_COOKIE, &id, demo.url());
    demo.sessions().insert(id, session, now);
    Ok((AppendHeaders([keep]), Redirect::to("/")).into_response())
}

fn unexpected() -> PageError {
    PageError::new(
        StatusCode::BAD_REQUEST,
        "We did not expect this sign-in",
        "It was started in another browser, it took too long, or it was finished before.",
    )
    .application(pages::NAME)
    .what_to_do("sign in again.")
    .try_again("/")
}

/// `POST /refresh`: new tokens for the refresh token.
pub(super) async fn refresh(State(demo): State<Demo>, headers: HeaderMap) -> Result<Response, PageError> {
    let (relying_party, now) = (demo.relying_party(), demo.now());
    let Some(id) = cookie(&headers, SESSION_COOKIE, demo.url()) else {
        return Ok(Redirect::to("/").into_response());
    };
    // Taken, so that two clicks do not present one refresh token twice.
    let Some(old) = demo.sessions().take(id, now) else {
        return Ok(Redirect::to("/").into_response());
    };
    let refresh_token = old.refresh_token.clone().unwrap_or_default();
    let grant = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
    ];
    let renewed = match relying_party.tokens(&grant).await {
        Ok(tokens) => relying_party.session(tokens, None, now).await,
        Err(error) => Err(error),
    };
    match renewed {
        Ok(session) => {
            demo.sessions().insert(id.to_owned(), session, now);
            Ok(Redirect::to("/").into_response())
        }
        // The session at the gateway has ended, and with it this one.
        Err(RelyingPartyError::Refused(_)) => {
            let remove = set_cookie(SESSION_COOKIE, "", demo.url());
            Ok((AppendHeaders([remove]), Redirect::to("/?ended")).into_response())
        }
        Err(error) => {
            demo.sessions().insert(id.to_owned(), old, now);
            Err(error.into())
        }
    }
}
