//! The authorization request, with which an application sends us a browser.
//!
//! It has two halves. [`Recipient`] is the client and the address of the answer: until
//! both are known to be registered, a failure is a page. [`validate`] reads the
//! rest: its failures go back to the application (RFC 6749 §4.1.2.1).
//!
//! Source: RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1 and §6; Scalekit's
//! parameters for choosing a connection.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    CodeChallenge, Duplicate, ErrorCode, Parameters, PkceError, Prompt, PromptError, Scope, ScopeError,
};

/// The scopes that exist; others are dropped (OIDC Core §3.1.2.1).
pub const KNOWN_SCOPES: [&str; 6] = ["openid", "profile", "email", "offline_access", "phone", "address"];

/// The scope of a request without one: the default of the SDKs.
const DEFAULT_SCOPE: &str = "openid profile email";

/// Applications keep a return address or a whole encrypted session in it.
const MAX_STATE_BYTES: usize = 8 * 1024;
const MAX_NONCE_BYTES: usize = 512;
/// An e-mail address has at most 254 characters; hints may have a prefix.
const MAX_HINT_BYTES: usize = 320;
const MAX_CLIENT_ID_BYTES: usize = 128;
const MAX_REDIRECT_URI_BYTES: usize = 2048;

/// A request that keeps every rule, ready to be stored with the interaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client.
    pub client_id: String,
    /// The address of the answer, which was found among the registered ones.
    pub redirect_uri: String,
    /// Whether the request named it: then the token request must, too (RFC 6749 §4.1.3).
    pub redirect_uri_given: bool,
    /// How the answer gets there.
    #[serde(default)]
    pub response_mode: ResponseMode,
    /// The known scopes that were asked for.
    pub scope: Scope,
    /// Sent back unchanged.
    pub state: Option<String>,
    /// Put into the ID token unchanged (OIDC Core §3.1.2.1).
    pub nonce: Option<String>,
    /// Binds the code to the client that began (RFC 7636 §4.3).
    pub code_challenge: Option<CodeChallenge>,
    /// How much may be asked of the user.
    pub prompt: Prompt,
    /// How long ago the user may have authenticated (OIDC Core §3.1.2.1); whole seconds.
    #[serde(default, with = "seconds")]
    pub max_age: Option<Duration>,
    /// Sign in at this organization.
    pub organization_id: Option<String>,
    /// Sign in through this connection.
    pub connection_id: Option<String>,
    /// Sign in through this social provider.
    pub provider: Option<String>,
    /// Sign in at the organization of this domain (`domain` or `domain_hint`), in lower case.
    pub domain_hint: Option<String>,
    /// Who is expected: an e-mail address.
    pub login_hint: Option<String>,
    /// Who is expected: an ID token of ours. Its signature was not checked.
    pub id_token_hint: Option<String>,
}

/// How an answer gets to the redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of a redirect: the default of `code` (OAuth 2.0 Multiple
    /// Response Type Encoding Practices §2.1).
    #[default]
    Query,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode §2): the
    /// default of ASP.NET.
    FormPost,
}

impl ResponseMode {
    /// How a refusal is answered: in the mode that the request asks for, if that can be
    /// read and `redirect_uri` can take a post.
    pub fn of_refusal(parameters: &Parameters, redirect_uri: &str) -> Self {
        response_mode(parameters, redirect_uri).unwrap_or_default()
    }
}

/// The client and the address of the answer. Nothing was looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The client that it says it is.
    pub client_id: String,
    /// The redirect URI; a client with a single one may leave it out (RFC 6749 §3.1.2.3).
    pub redirect_uri: Option<String>,
}

/// Why no answer can be sent to an application: the person sees a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// No `client_id`.
    #[error("the link has no client_id")]
    NoClientId,
    /// `client_id` or `redirect_uri` is repeated.
    #[error(transparent)]
    Duplicate(#[from] Duplicate),
    /// `client_id` or `redirect_uri` is longer than any.
    #[error("the client_id or the redirect_uri is too long")]
    TooLong,
}

/// The rules of the client that [`validate`] needs.
#[derive(Debug, Clone, Copy)]
pub struct ClientRules<'a> {
    /// The redirect URI, found among the registered ones.
    pub redirect_uri: &'a str,
    /// Whether the request named it.
    pub redirect_uri_given: bool,
    /// Whether the client must use PKCE (RFC 9700 §2.1.1: public clients must).
    pub require_pkce: bool,
}

/// A refusal that goes back to the application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct AuthorizationError {
    /// The code of RFC 6749 §4.1.2.1 or OIDC Core §3.1.2.6.
    pub code: ErrorCode,
    /// For the developer; repeats nothing of the request.
    pub description: &'static str,
    /// The request's `state`, to be sent back.
    pub state: Option<String>,
}

/// A rule that is broken: code and description.
type Refusal = (ErrorCode, &'static str);

impl Recipient {
    /// Reads the client and its redirect URI.
    ///
    /// # Errors
    ///
    /// A [`RecipientError`]; no application can get it, so it becomes a page.
    pub fn parse(parameters: &Parameters) -> Result<Self, RecipientError> {
        let client_id = parameters.one("client_id")?.ok_or(RecipientError::NoClientId)?;
        let redirect_uri = parameters.one("redirect_uri")?;
        if client_id.len() > MAX_CLIENT_ID_BYTES
            || redirect_uri.is_some_and(|uri| uri.len() > MAX_REDIRECT_URI_BYTES)
        {
            return Err(RecipientError::TooLong);
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.map(str::to_owned),
        })
    }
}

/// Reads the request of a client that is known, to a redirect URI that is registered.
///
/// ```
/// use genkan_protocol::oauth::authorization_request::{ClientRules, Recipient, validate};
/// use genkan_protocol::oauth::{ErrorCode, Parameters};
///
/// let query = Parameters::parse(b"client_id=skc_1&response_type=token&state=s1").unwrap();
/// let recipient = Recipient::parse(&query).unwrap();
/// let rules = ClientRules { redirect_uri: "https://a.example/cb", redirect_uri_given: false, require_pkce: false };
/// let error = validate(&query, &recipient, &rules).unwrap_err();
/// assert_eq!((error.code, error.state.as_deref()), (ErrorCode::UnsupportedResponseType, Some("s1")));
/// ```
///
/// # Errors
///
/// An [`AuthorizationError`] for the application, with its `state`.
pub fn validate(
    parameters: &Parameters,
    recipient: &Recipient,
    rules: &ClientRules<'_>,
) -> Result<AuthorizationRequest, AuthorizationError> {
    check(parameters, recipient, rules).map_err(|(code, description)| AuthorizationError {
        code,
        description,
        // RFC 6749 §4.1.2.1: REQUIRED if it was in the request, so also if `state`
        // itself is the mistake: without it, an application sees a forgery.
        state: one(parameters, "state").ok().flatten().map(str::to_owned),
    })
}

/// The rules in their order: one line each.
fn check(
    parameters: &Parameters,
    recipient: &Recipient,
    rules: &ClientRules<'_>,
) -> Result<AuthorizationRequest, Refusal> {
    no_duplicates(parameters)?;
    no_request_object(parameters)?;
    response_type(parameters)?;
    Ok(AuthorizationRequest {
        response_mode: response_mode(parameters, rules.redirect_uri)?,
        state: state(parameters)?,
        nonce: bounded(parameters, "nonce", MAX_NONCE_BYTES)?,
        scope: scope(parameters)?,
        code_challenge: code_challenge(parameters, rules.require_pkce)?,
        prompt: prompt(parameters)?,
        max_age: max_age(parameters)?,
        organization_id: bounded(parameters, "organization_id", MAX_HINT_BYTES)?,
        connection_id: bounded(parameters, "connection_id", MAX_HINT_BYTES)?,
        provider: bounded(parameters, "provider", MAX_HINT_BYTES)?,
        domain_hint: domain_hint(parameters)?,
        login_hint: bounded(parameters, "login_hint", MAX_HINT_BYTES)?,
        id_token_hint: one(parameters, "id_token_hint")?.map(str::to_owned),
        client_id: recipient.client_id.clone(),
        redirect_uri: rules.redirect_uri.to_owned(),
        redirect_uri_given: rules.redirect_uri_given,
    })
}

/// RFC 6749 §3.1: parameters must not be included more than once.
fn no_duplicates(parameters: &Parameters) -> Result<(), Refusal> {
    match parameters.first_duplicate() {
        Some(_) => Err((ErrorCode::InvalidRequest, "a parameter is repeated")),
        None => Ok(()),
    }
}

/// OIDC Core §6 and §7.2.1: a provider without support for these must say so, by a code for each.
fn no_request_object(parameters: &Parameters) -> Result<(), Refusal> {
    if one(parameters, "request")?.is_some() {
        return Err((
            ErrorCode::RequestNotSupported,
            "request objects are not supported: send plain parameters",
        ));
    }
    if one(parameters, "request_uri")?.is_some() {
        return Err((
            ErrorCode::RequestUriNotSupported,
            "request_uri is not supported: send plain parameters",
        ));
    }
    if one(parameters, "registration")?.is_some() {
        return Err((
            ErrorCode::RegistrationNotSupported,
            "registration is not supported: register the client",
        ));
    }
    Ok(())
}

/// RFC 6749 §3.1.1. RFC 9700 §2.1.2: no implicit and no hybrid responses.
fn response_type(parameters: &Parameters) -> Result<(), Refusal> {
    match one(parameters, "response_type")? {
        Some("code") => Ok(()),
        Some(_) => Err((ErrorCode::UnsupportedResponseType, "response_type must be code")),
        None => Err((
            ErrorCode::InvalidRequest,
            "response_type is missing: send response_type=code",
        )),
    }
}

/// A fragment would take the answer past the application's server, and an app on
/// a device takes no post.
fn response_mode(parameters: &Parameters, redirect_uri: &str) -> Result<ResponseMode, Refusal> {
    let takes_posts = redirect_uri.starts_with("https://") || redirect_uri.starts_with("http://");
    match one(parameters, "response_mode")? {
        None | Some("query") => Ok(ResponseMode::Query),
        Some("form_post") if takes_posts => Ok(ResponseMode::FormPost),
        Some("form_post") => Err((
            ErrorCode::InvalidRequest,
            "response_mode=form_post needs a redirect_uri that begins with https://",
        )),
        Some(_) => Err((
            ErrorCode::InvalidRequest,
            "response_mode must be query or form_post",
        )),
    }
}

/// RFC 6749 §4.1.1: opaque, and sent back exactly.
fn state(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    bounded(parameters, "state", MAX_STATE_BYTES)
}

/// RFC 6749 §3.3; OIDC Core §3.1.2.1: scopes that are not understood should be ignored.
fn scope(parameters: &Parameters) -> Result<Scope, Refusal> {
    let asked =
        Scope::parse(one(parameters, "scope")?.unwrap_or(DEFAULT_SCOPE)).map_err(|error| match error {
            ScopeError::Character => (
                ErrorCode::InvalidScope,
                "the scope has characters that no scope has",
            ),
            ScopeError::TooMany => (ErrorCode::InvalidScope, "there are too many scopes"),
        })?;
    let known = asked.filter(|scope| KNOWN_SCOPES.contains(&scope));
    if known.is_empty() {
        return Err((
            ErrorCode::InvalidScope,
            "none of the scopes exists: ask for openid profile email",
        ));
    }
    Ok(known)
}

/// RFC 7636 §4.3 and §4.4.1. RFC 9700 §4.8.2: if an attacker removes the challenge from
/// a request, they must not get a code that needs no verifier, hence `require`.
fn code_challenge(parameters: &Parameters, require: bool) -> Result<Option<CodeChallenge>, Refusal> {
    let challenge = one(parameters, "code_challenge")?;
    match (challenge, one(parameters, "code_challenge_method")?) {
        (None, None) if require => Err((
            ErrorCode::InvalidRequest,
            "this application must use PKCE: send code_challenge",
        )),
        (None, None) => Ok(None),
        (None, Some(_)) => Err((
            ErrorCode::InvalidRequest,
            "code_challenge_method needs a code_challenge",
        )),
        (Some(challenge), Some("S256")) => match CodeChallenge::parse(challenge) {
            Ok(challenge) => Ok(Some(challenge)),
            Err(PkceError::Challenge | PkceError::Verifier) => Err((
                ErrorCode::InvalidRequest,
                "code_challenge is not a SHA-256 hash in base64url",
            )),
        },
        // RFC 7636 §4.3: without a method it is `plain`.
        (Some(_), None | Some("plain")) => Err((
            ErrorCode::InvalidRequest,
            "code_challenge_method must be S256; plain is not supported",
        )),
        (Some(_), Some(_)) => Err((ErrorCode::InvalidRequest, "code_challenge_method must be S256")),
    }
}

/// OIDC Core §3.1.2.1.
fn prompt(parameters: &Parameters) -> Result<Prompt, Refusal> {
    let text = one(parameters, "prompt")?.unwrap_or_default();
    text.parse().map_err(|error| match error {
        PromptError::NoneWithOthers => (ErrorCode::InvalidRequest, "prompt=none must stand alone"),
        PromptError::Unknown => (
            ErrorCode::InvalidRequest,
            "prompt must be none, login, select_account, create or consent",
        ),
    })
}

/// OIDC Core §3.1.2.1: seconds. Ten digits are 317 years.
fn max_age(parameters: &Parameters) -> Result<Option<Duration>, Refusal> {
    let refusal = (ErrorCode::InvalidRequest, "max_age must be a number of seconds");
    let Some(text) = one(parameters, "max_age")? else {
        return Ok(None);
    };
    if text.len() > 10 || !text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(refusal);
    }
    text.parse()
        .map(|secs| Some(Duration::from_secs(secs)))
        .map_err(|_| refusal)
}

/// Some SDKs send `domain`, some `domain_hint`, some both. Two different values are a
/// mistake or a trick.
fn domain_hint(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let lower = |domain: Option<String>| domain.map(|domain| domain.to_lowercase());
    let domain = lower(bounded(parameters, "domain", MAX_HINT_BYTES)?);
    let hint = lower(bounded(parameters, "domain_hint", MAX_HINT_BYTES)?);
    match (domain, hint) {
        (Some(domain), Some(hint)) if domain != hint => Err((
            ErrorCode::InvalidRequest,
            "domain and domain_hint differ: send one of them",
        )),
        (domain, hint) => Ok(domain.or(hint)),
    }
}

fn one<'a>(parameters: &'a Parameters, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    parameters
        .one(name)
        .map_err(|Duplicate(_)| (ErrorCode::InvalidRequest, "a parameter is repeated"))
}

fn bounded(parameters: &Parameters, name: &'static str, max_bytes: usize) -> Result<Option<String>, Refusal> {
    match one(parameters, name)? {
        Some(value) if value.len() > max_bytes => Err((ErrorCode::InvalidRequest, "a parameter is too long")),
        value => Ok(value.map(str::to_owned)),
    }
}

/// A duration as whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(query: &str, require_pkce: bool) -> Result<AuthorizationRequest, AuthorizationError> {
        let parameters = Parameters::parse(query.as_bytes()).unwrap();
        let recipient = Recipient::parse(&parameters).unwrap();
        let redirect_uri = "https://app.example.com/cb";
        validate(
            &parameters,
            &recipient,
            &ClientRules {
                redirect_uri,
                redirect_uri_given: true,
                require_pkce,
            },
        )
    }

    /// A request with the parameters that every one has, and these.
    fn with(more: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        read(
            &format!("client_id=skc_1&response_type=code&state=s1&{more}"),
            false,
        )
    }

    #[test]
    fn the_smallest_request_has_the_defaults_of_the_sdks() {
        let request = read("client_id=skc_1&response_type=code", false).unwrap();
        assert_eq!(request.scope.to_string(), "openid profile email");
        assert_eq!(request.prompt, Prompt::default());
        assert_eq!(
            (request.state, request.nonce, request.max_age),
            (None, None, None)
        );
        assert_eq!(
            (request.client_id.as_str(), request.redirect_uri_given),
            ("skc_1", true)
        );
    }

    #[test]
    fn everything_that_an_sdk_sends_is_read() {
        let request = with(&format!(
            "redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&scope=openid%20offline_access&nonce=n1&prompt=login+consent\
             &max_age=3600&organization_id=org_1&connection_id=conn_1&provider=google&domain=Example.com\
             &domain_hint=example.com&login_hint=ada%40example.com&id_token_hint=e.y.J\
             &code_challenge={CHALLENGE}&code_challenge_method=S256&idp_initiated_login=x&ui_locales=en"
        ))
        .unwrap();
        assert_eq!(request.scope.to_string(), "openid offline_access");
        assert_eq!(
            request.prompt,
            Prompt {
                login: true,
                consent: true,
                ..Prompt::default()
            }
        );
        assert_eq!(request.max_age, Some(Duration::from_secs(3600)));
        assert_eq!(request.domain_hint.as_deref(), Some("example.com"));
        assert_eq!(request.login_hint.as_deref(), Some("ada@example.com"));
        assert_eq!(request.code_challenge.unwrap().as_str(), CHALLENGE);
    }

    #[test]
    fn every_broken_rule_has_the_code_of_its_standard() {
        use ErrorCode as Code;
        let (long_state, long_hint, many) = ("s".repeat(8 * 1024 + 1), "h".repeat(321), "x".repeat(11));
        for (query, code) in [
            ("scope=openid&scope=email", Code::InvalidRequest),
            ("unknown=1&unknown=2", Code::InvalidRequest),
            ("nonce=&nonce=n", Code::InvalidRequest),
            ("request=e30.e30.", Code::RequestNotSupported),
            ("request_uri=https%3A%2F%2Fx", Code::RequestUriNotSupported),
            ("registration=%7B%7D", Code::RegistrationNotSupported),
            ("response_mode=fragment", Code::InvalidRequest),
            ("response_mode=web_message", Code::InvalidRequest),
            ("scope=open%22id", Code::InvalidScope),
            ("scope=admin", Code::InvalidScope),
            ("code_challenge_method=S256", Code::InvalidRequest),
            (&format!("code_challenge={CHALLENGE}"), Code::InvalidRequest),
            (
                &format!("code_challenge={CHALLENGE}&code_challenge_method=plain"),
                Code::InvalidRequest,
            ),
            (
                &format!("code_challenge={CHALLENGE}&code_challenge_method=s256"),
                Code::InvalidRequest,
            ),
            (
                &format!("code_challenge={CHALLENGE}%3D&code_challenge_method=S256"),
                Code::InvalidRequest,
            ),
            (
                &format!("code_challenge={}&code_challenge_method=S256", &CHALLENGE[1..]),
                Code::InvalidRequest,
            ),
            ("prompt=none+login", Code::InvalidRequest),
            ("prompt=none+none", Code::InvalidRequest),
            ("prompt=Login", Code::InvalidRequest),
            ("prompt=anything", Code::InvalidRequest),
            ("max_age=-1", Code::InvalidRequest),
            ("max_age=1.5", Code::InvalidRequest),
            ("max_age=%2B1", Code::InvalidRequest),
            ("max_age=1e3", Code::InvalidRequest),
            ("max_age=99999999999", Code::InvalidRequest),
            ("domain=a.example&domain_hint=b.example", Code::InvalidRequest),
            (&format!("login_hint={long_hint}"), Code::InvalidRequest),
            (&format!("nonce={}", "n".repeat(513)), Code::InvalidRequest),
            (&format!("max_age={many}"), Code::InvalidRequest),
        ] {
            let error = with(query).expect_err(query);
            assert_eq!(
                (error.code, error.state.as_deref()),
                (code, Some("s1")),
                "{query}"
            );
        }
        let error = read(
            &format!("client_id=skc_1&response_type=code&state={long_state}"),
            false,
        )
        .unwrap_err();
        assert_eq!(
            (error.code, error.state),
            (Code::InvalidRequest, Some(long_state))
        );
    }

    #[test]
    fn an_answer_may_come_by_post_where_something_takes_it() {
        let mode = |query: &str| with(query).unwrap().response_mode;
        assert_eq!(mode(""), ResponseMode::Query);
        assert_eq!(mode("response_mode=query"), ResponseMode::Query);
        assert_eq!(mode("response_mode=form_post"), ResponseMode::FormPost);
        let parameters = Parameters::parse(b"response_mode=form_post").unwrap();
        assert!(response_mode(&parameters, "com.acme.app:/callback").is_err());
        assert_eq!(
            ResponseMode::of_refusal(&parameters, "com.acme.app:/callback"),
            ResponseMode::Query
        );
        // A login that was under way when this version came has none.
        let mut stored = serde_json::to_value(with("").unwrap()).unwrap();
        stored.as_object_mut().unwrap().remove("response_mode");
        let read: AuthorizationRequest = serde_json::from_value(stored).unwrap();
        assert_eq!(read.response_mode, ResponseMode::Query);
    }

    #[test]
    fn only_the_code_flow_is_offered() {
        for (query, code) in [
            ("client_id=skc_1", ErrorCode::InvalidRequest),
            ("client_id=skc_1&response_type=", ErrorCode::InvalidRequest),
            (
                "client_id=skc_1&response_type=token",
                ErrorCode::UnsupportedResponseType,
            ),
            (
                "client_id=skc_1&response_type=id_token",
                ErrorCode::UnsupportedResponseType,
            ),
            (
                "client_id=skc_1&response_type=code+id_token",
                ErrorCode::UnsupportedResponseType,
            ),
            (
                "client_id=skc_1&response_type=CODE",
                ErrorCode::UnsupportedResponseType,
            ),
            (
                "client_id=skc_1&response_type=none",
                ErrorCode::UnsupportedResponseType,
            ),
        ] {
            assert_eq!(read(query, false).unwrap_err().code, code, "{query}");
        }
    }

    #[test]
    fn a_challenge_that_was_taken_out_on_the_way_is_missed() {
        let plain = "client_id=spac_1&response_type=code&state=s1";
        assert!(read(plain, false).is_ok());
        assert_eq!(read(plain, true).unwrap_err().code, ErrorCode::InvalidRequest);
        assert!(
            read(
                &format!("{plain}&code_challenge={CHALLENGE}&code_challenge_method=S256"),
                true
            )
            .is_ok()
        );
    }

    #[test]
    fn a_repeated_state_is_not_sent_back() {
        let error = read("client_id=skc_1&response_type=code&state=a&state=b", false).unwrap_err();
        assert_eq!((error.code, error.state), (ErrorCode::InvalidRequest, None));
    }

    #[test]
    fn unknown_scopes_are_dropped_and_known_ones_kept_in_order() {
        let scope = with("scope=email+admin+openid+https%3A%2F%2Fx%2Fy")
            .unwrap()
            .scope;
        assert_eq!(scope.to_string(), "email openid");
    }

    #[test]
    fn who_asks_is_read_before_anything_else() {
        let parse = |query: &str| Recipient::parse(&Parameters::parse(query.as_bytes()).unwrap());
        assert_eq!(parse("response_type=code"), Err(RecipientError::NoClientId));
        assert_eq!(parse("client_id="), Err(RecipientError::NoClientId));
        assert_eq!(
            parse("client_id=a&client_id=b"),
            Err(Duplicate("client_id").into())
        );
        assert_eq!(
            parse("client_id=a&redirect_uri=x&redirect_uri=y"),
            Err(Duplicate("redirect_uri").into())
        );
        assert_eq!(
            parse(&format!("client_id={}", "a".repeat(129))),
            Err(RecipientError::TooLong)
        );
        assert_eq!(
            parse(&format!("client_id=a&redirect_uri={}", "a".repeat(2049))),
            Err(RecipientError::TooLong)
        );
        let recipient = parse("client_id=a&scope=x&scope=y").unwrap();
        assert_eq!(
            recipient,
            Recipient {
                client_id: "a".into(),
                redirect_uri: None
            }
        );
    }
}
