//! Connections of type OIDC: Genkan as the relying party.
//!
//! Source: OIDC Core §3.1; RFC 7636 (PKCE); RFC 9126 (pushed requests); RFC 9207
//! (issuer in the answer).

pub mod attributes;
mod exchange;
mod identity;
mod message;
pub mod metadata;
mod pushed;
pub(super) mod remedy;
mod userinfo;

use std::time::Duration;

use genkan_protocol::Trace;
use genkan_protocol::oauth::{CodeVerifier, append_query};
use genkan_protocol::oidc::{Cause, ProviderError, id_token};
use genkan_store::connection::{Connection, Endpoint, OidcSettings};
use genkan_store::upstream_request::ExpectedAnswer;
use genkan_store::user_attribute::UserAttribute;
use genkan_store::{Provider, Secret};
use serde_json::Value;

use self::attributes::{Documents, Mapping, MappingError, Userinfo, VOCABULARY};
use self::exchange::Exchange;
use self::metadata::{Endpoints, MetadataError};
use super::failure::Messages;
use super::{
    CallbackParameters, Departure, Hints, PendingDeparture, SignInFailure, UnreachableProvider,
    UpstreamIdentity, custom, stored,
};
use crate::app::App;
use crate::outbound::Scheme;

/// The provider's answer, and the stored data of the request.
#[derive(Debug)]
pub struct AuthenticationResponse<'a> {
    pub returned: &'a CallbackParameters,
    /// The registered custom attributes.
    pub attributes: &'a [UserAttribute],
    pub nonce: &'a str,
    pub code_verifier: Option<CodeVerifier>,
    /// The request asked for an answer by a form.
    pub form_post: bool,
    /// The `max_age` of the request.
    pub max_age: Option<Duration>,
    /// Its `prompt`, and its `login_hint`.
    pub prompt: Option<&'a str>,
    pub login_hint: Option<&'a str>,
}

/// The address to which the provider sends the browser back.
pub fn redirect_uri(app: &App, connection: &Connection) -> String {
    app.url(&connection.path(Endpoint::Callback))
}

/// Builds the authorization request (OIDC Core §3.1.2.1).
pub async fn start(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    hints: &Hints,
) -> Result<PendingDeparture, SignInFailure> {
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
    if settings.form_post {
        // OAuth 2.0 Form Post Response Mode 1.0 §2.
        query.push(("response_mode", "form_post"));
    }
    if let Some(hint) = &hints.login_hint {
        query.push(("login_hint", hint));
    }
    let prompt = prompt(hints, connection.provider, &endpoints.prompts);
    if let Some(prompt) = prompt {
        query.push(("prompt", prompt));
    }
    if let Some(max_age) = &max_age {
        query.push(("max_age", max_age));
    }
    let exchange = Exchange {
        app,
        connection,
        settings,
        endpoints: &endpoints,
        attributes: &[],
    };
    let url = match exchange.pushes() {
        true => exchange.push(&query, &mut trace).await?,
        false => append_query(&endpoints.authorization, &query),
    };
    Ok(PendingDeparture {
        departure: Departure::Redirect(url),
        state,
        expected: ExpectedAnswer::Oidc {
            nonce,
            code_verifier: code_verifier.map(|verifier| Secret::from_presented(verifier.expose())),
            form_post: settings.form_post,
            prompt: prompt.map(str::to_owned),
            login_hint: hints.login_hint.clone(),
        },
    })
}

/// The value of `prompt`. An unknown value would end the sign-in with an error at the provider.
///
/// Every provider must support `login` (OIDC Core §15.1). So it is sent if needed, even if it is not
/// listed: otherwise the provider's session would answer without a question. `select_account` is sent if
/// the provider lists it, or if it lists nothing and the product is known to support it. Otherwise `login`
/// replaces it, because a person who is asked for a password can also change the account.
fn prompt(hints: &Hints, provider: Provider, listed: &[String]) -> Option<&'static str> {
    if hints.force {
        return Some("login");
    }
    if !hints.select_account {
        return None;
    }
    let takes = |word: &str| match listed {
        [] => word == "login" || provider.chooses_accounts(),
        listed => listed.iter().any(|listed| listed == word),
    };
    ["select_account", "login"].into_iter().find(|word| takes(word))
}

/// Always `openid`, then the scopes of the connection, by default `profile email`.
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

/// Runs every check on the answer, in order. Each adds a line to the trace.
pub async fn finish(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    arrival: AuthenticationResponse<'_>,
) -> Result<UpstreamIdentity, SignInFailure> {
    let request = || message::request(app, connection, settings, &arrival);
    match check(app, connection, settings, &arrival).await {
        Ok(identity) => Ok(UpstreamIdentity {
            request: Some(request()),
            ..identity
        }),
        Err(failure) => Err(failure.with_request(Some(request()))),
    }
}

async fn check(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    arrival: &AuthenticationResponse<'_>,
) -> Result<UpstreamIdentity, SignInFailure> {
    let mut trace = Trace::default();
    trace.pass("State", "known, unused, from this browser");
    let parameters = match (arrival.returned, arrival.form_post) {
        (CallbackParameters::Query(parameters), false) => parameters,
        (CallbackParameters::Form(parameters), true) => {
            trace.pass("Response mode", "by a form, as asked");
            parameters
        }
        (CallbackParameters::Query(_), true) => {
            return Err(other_way(connection, ("a form", "the address"), trace));
        }
        (CallbackParameters::Form(_), false) => {
            return Err(other_way(connection, ("the address", "a form"), trace));
        }
        (CallbackParameters::Assertion(_), _) => return Err(SignInFailure::of_another_kind(connection)),
    };
    let endpoints = find_endpoints(app, connection, settings, &mut trace).await?;
    let exchange = Exchange {
        app,
        connection,
        settings,
        endpoints: &endpoints,
        attributes: arrival.attributes,
    };

    let code = exchange.code(parameters, &mut trace)?;
    let tokens = exchange
        .redeem(&code, arrival.code_verifier.as_ref(), &mut trace)
        .await?;
    let claims = exchange.id_token(&tokens, arrival, &mut trace).await?;
    let userinfo = exchange.userinfo(&tokens, &claims, &mut trace).await?;
    let documents = Documents {
        id_token: claims,
        userinfo,
    };
    let mapped = match exchange.mapping().apply(&documents, &mut trace) {
        Ok(mapped) => mapped,
        Err(error) => return Err(no_person(connection, &documents, &error, trace)),
    };
    let subject = documents
        .id_token
        .get("sub")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let auth_time = id_token::auth_time(&documents.id_token, app.now(), identity::CLOCK_SKEW);
    Ok(UpstreamIdentity {
        connection: connection.clone(),
        subject,
        email: mapped.email,
        profile: mapped.profile,
        groups: mapped.groups,
        roles: mapped.roles,
        auth_time,
        ends_at: None,
        attributes: stored::bounded(documents.merged(), "claims", &mut trace),
        trace,
        request: None,
    })
}

/// The answer arrived in another way than requested.
fn other_way(connection: &Connection, (expected, received): (&str, &str), mut trace: Trace) -> SignInFailure {
    trace.fail("Response mode", expected, received);
    failed(connection, Cause::AuthorizationResponseModeMismatch, trace)
}

/// The claims make no person: the address is missing or invalid, or a required attribute is.
fn no_person(
    connection: &Connection,
    documents: &Documents,
    error: &MappingError,
    mut trace: Trace,
) -> SignInFailure {
    let names = || {
        let claims = documents.merged();
        claims.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let (claim, received, cause) = match error {
        MappingError::Attribute(missing) => {
            let failure = custom::failure(connection, missing, (&VOCABULARY, &names()), trace);
            return failure.with_messages(Messages::of_claims(&documents.merged()));
        }
        MappingError::EmailMissing { claim } => (
            claim,
            format!("no text there; claims: {}", names()),
            match documents.userinfo {
                Userinfo::Unread => Cause::UserInfoRetrieveFailed,
                Userinfo::NotAsked | Userinfo::Read(_) => Cause::MandatoryAttributeMissing,
            },
        ),
        MappingError::EmailMalformed { claim, text, why } => (
            claim,
            format!("\"{}\", which is none: {why}", cut(text)),
            Cause::MandatoryAttributeMalformed,
        ),
    };
    trace.fail(
        "E-mail address",
        format!("an e-mail address in the claim {claim}"),
        received,
    );
    failed(connection, cause, trace).with_messages(Messages::of_claims(&documents.merged()))
}

/// The failure of a check, with the remedy of its cause.
fn failed(connection: &Connection, cause: Cause, trace: Trace) -> SignInFailure {
    SignInFailure::new(connection, cause, remedy::remedy(cause), trace)
}

async fn find_endpoints(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
    trace: &mut Trace,
) -> Result<Endpoints, SignInFailure> {
    match metadata::endpoints(app, settings, scheme(app, connection)).await {
        Ok(endpoints) => {
            trace.pass("Provider metadata", endpoints.issuer.as_str());
            Ok(endpoints)
        }
        Err(error) => {
            let cause = cause(&error);
            trace.fail(
                "Provider metadata",
                metadata::discovery_url(settings),
                error.to_string(),
            );
            let remedy = error.remedy().unwrap_or_else(|| remedy::remedy(cause));
            Err(SignInFailure::unreachable(
                connection,
                cause,
                remedy,
                std::mem::take(trace),
            ))
        }
    }
}

fn cause(error: &MetadataError) -> Cause {
    match error {
        MetadataError::Fetch { .. } => Cause::ProviderUnreachable,
        MetadataError::Status { .. } => Cause::ProviderMetadataMissing,
        MetadataError::Invalid { .. } => Cause::ProviderMetadataInvalid,
        MetadataError::Missing(_) => Cause::ProviderMetadataIncomplete,
    }
}

/// Fetches the endpoints and the keys, as the next sign-in would.
pub async fn reach(
    app: &App,
    connection: &Connection,
    settings: &OidcSettings,
) -> Result<(), UnreachableProvider> {
    let scheme = scheme(app, connection);
    let asked = async {
        let endpoints = metadata::endpoints(app, settings, scheme).await?;
        metadata::jwks(app, scheme, &endpoints.jwks, false).await
    };
    match asked.await {
        Ok(_) => Ok(()),
        Err(error) => Err(UnreachableProvider {
            why: error.to_string(),
            remedy: error.remedy(),
        }),
    }
}

/// The mapping of our attributes.
pub(super) const fn mapping<'a>(
    connection: &'a Connection,
    settings: &'a OidcSettings,
    attributes: &'a [UserAttribute],
) -> Mapping<'a> {
    Mapping {
        common: &connection.settings.common,
        settings,
        attributes,
    }
}

/// Whether plain HTTP is acceptable for the provider.
fn scheme(app: &App, connection: &Connection) -> Scheme {
    app.scheme(connection.settings.common.insecure_http)
}

/// A provider's error in one line.
pub fn shown(error: &ProviderError) -> String {
    match &error.description {
        Some(description) => format!("{}: {description}", error.error),
        None => error.error.clone(),
    }
}

/// The beginning of a claim, enough to recognise it, so that the text after it stays visible.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

/// RFC 7636 §4.1: 32 octets of randomness.
fn new_verifier() -> CodeVerifier {
    let mut octets = [0; 32];
    aws_lc_rs::rand::fill(&mut octets).expect("the operating system has randomness");
    CodeVerifier::from_random(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_sent_only_to_a_provider_that_takes_it() {
        let ask = |force, select_account, provider, listed: &[&str]| {
            let hints = Hints {
                force,
                select_account,
                ..Hints::default()
            };
            let listed: Vec<String> = listed.iter().map(|&word| word.to_owned()).collect();
            prompt(&hints, provider, &listed)
        };
        let custom = Provider::Custom;
        for (force, select, provider, listed, sent) in [
            (true, false, custom, &[][..], Some("login")),
            (true, true, Provider::Google, &[], Some("login")),
            (false, true, Provider::Google, &[], Some("select_account")),
            (false, true, Provider::MicrosoftAd, &[], Some("select_account")),
            (false, true, custom, &[], Some("login")),
            (false, true, Provider::Okta, &[], Some("login")),
            (false, true, custom, &["login", "none"], Some("login")),
            (
                false,
                true,
                custom,
                &["none", "select_account"],
                Some("select_account"),
            ),
            (false, true, Provider::Google, &["none"], None),
            (true, false, custom, &["none"], Some("login")),
            (false, false, Provider::Google, &["login", "select_account"], None),
        ] {
            assert_eq!(
                ask(force, select, provider, listed),
                sent,
                "{force} {select} {provider:?} {listed:?}"
            );
        }
    }
}
