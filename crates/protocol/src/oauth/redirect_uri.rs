//! Redirect URIs: where a code may go.
//!
//! Source: RFC 6749 §3.1.2, RFC 8252 §7 and §8, RFC 9700 §2.1 and §4.1; Scalekit's
//! rules for registration.
//!
//! Registered URIs are compared as text. If a pattern or any loopback address is
//! allowed, the presented URI must first be *canonical*: parsing and rendering it
//! gives the same text. That refuses backslashes, user information, encoded dots,
//! other spellings of hosts and default ports, so a browser cannot read another
//! address than we did.
//!
//! Not supported: templates such as `{{org_slug}}`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::domain::is_ldh_label;

/// The longest URI that can be registered, in bytes.
pub const MAX_REGISTERED_BYTES: usize = 256;

/// The longest URI that is looked at in a request, in bytes.
const MAX_PRESENTED_BYTES: usize = 2048;

/// Schemes that a browser runs, reads from disk, or handles in ways of its own.
const DANGEROUS_SCHEMES: [&str; 15] = [
    "about",
    "blob",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "mailto",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// The rules of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// For tests: `http`, loopback hosts and one wildcard are allowed.
    Development,
    /// For people's real accounts.
    Production,
}

/// What a registered URI is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectUriKind {
    /// Where codes go.
    Callback,
    /// Where codes of a native application go: also to a server of its own on this
    /// machine, at any port (RFC 8252 §7.3).
    NativeCallback,
    /// Where the browser goes after a logout.
    PostLogout,
    /// Where it goes if a native application signed out: like [`RedirectUriKind::NativeCallback`].
    NativePostLogout,
    /// Where a login that began elsewhere is sent.
    InitiateLogin,
    /// Where logout tokens are posted.
    BackChannelLogout,
}

/// How a client's presented redirect URIs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Wildcards count in development only.
    pub environment: Environment,
    /// Whether any loopback address and port will do (a development client).
    pub any_loopback: bool,
    /// Whether a registered loopback address stands for every port (a native
    /// application, which must use PKCE: RFC 8252 §7.3 and §8.1).
    pub any_loopback_port: bool,
}

/// Why a URI cannot be registered; each text says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// Empty or longer than 256 bytes.
    #[error("a URI has 1 to 256 characters")]
    Length,
    /// Not an absolute URI.
    #[error("the URI must be absolute, such as https://app.example.com/callback")]
    Relative,
    /// Not the canonical text of this URI.
    #[error(
        "the URI is not in its plain form: use lower case for the host, / for separators, no default port, no dot segments, and percent-encode other characters"
    )]
    NotCanonical,
    /// A fragment is the browser's own (RFC 6749 §3.1.2).
    #[error("the URI must not have a fragment (#…)")]
    Fragment,
    /// Scalekit's rule.
    #[error("the URI must not have a query (?…)")]
    Query,
    /// A name before the host misleads readers.
    #[error("the URI must not have a user name or password")]
    UserInfo,
    /// A scheme that a browser would run, or that is no place to go.
    #[error("this scheme cannot be redirected to")]
    Scheme,
    /// `http` would show the code to the network.
    #[error("the URI must begin with https://")]
    Https,
    /// Only a development environment.
    #[error(
        "a loopback host is allowed in a development environment and for native applications (http://127.0.0.1/path, any port) only"
    )]
    Loopback,
    /// Only a development environment, and only in the first label.
    #[error(
        "a wildcard is allowed in a development environment only: one *, in the first label of the host, above at least two other labels"
    )]
    Wildcard,
}

/// Whether a presented URI is the registered one: character by character
/// (RFC 9700 §2.1), so a final slash and the port matter.
pub fn matches(registered: &str, presented: &str) -> bool {
    registered == presented
}

/// Whether a client may be sent to the presented URI.
///
/// ```
/// use genkan_protocol::oauth::redirect_uri::{Environment, Policy, permits};
///
/// let registered = ["https://app.example.com/callback".to_owned()];
/// let production = Policy {
///     environment: Environment::Production,
///     any_loopback: false,
///     any_loopback_port: false,
/// };
/// assert!(permits(&registered, "https://app.example.com/callback", production));
/// assert!(!permits(&registered, "https://app.example.com/callback/", production));
/// ```
pub fn permits(registered: &[String], presented: &str, policy: Policy) -> bool {
    let development = policy.environment == Environment::Development;
    // A pattern is compared as a pattern, never as itself.
    presented.len() <= MAX_PRESENTED_BYTES
        && (registered
            .iter()
            .any(|registered| !registered.contains('*') && matches(registered, presented))
            || development
                && registered
                    .iter()
                    .any(|pattern| matches_wildcard(pattern, presented))
            || policy.any_loopback_port
                && registered
                    .iter()
                    .any(|registered| matches_but_for_loopback_port(registered, presented))
            || policy.any_loopback && is_any_loopback(presented))
}

/// Whether both are the same place on this machine, at any port: a program takes the
/// port that the operating system gives it (RFC 8252 §7.3).
fn matches_but_for_loopback_port(registered: &str, presented: &str) -> bool {
    let (Some(registered), Some(presented)) = (loopback_callback(registered), loopback_callback(presented))
    else {
        return false;
    };
    registered.host() == presented.host() && registered.path() == presented.path()
}

/// An `http` address of a server on this machine. TLS would need a certificate for
/// it, and its requests never leave the machine.
fn loopback_callback(uri: &str) -> Option<Url> {
    canonical(uri).filter(|url| url.scheme() == "http" && is_any_loopback(uri))
}

/// Whether a URI is `http` or `https` at `127.0.0.1`, `[::1]` or `localhost`,
/// at any port and path (RFC 8252 §7.3), without a query: that could bring a
/// `code` of its own.
pub fn is_any_loopback(presented: &str) -> bool {
    canonical(presented).is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && is_loopback(&url)
            && has_no_userinfo(&url)
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// Whether a URI fits a registered one with a `*` in the first label of its host.
///
/// The star stands for one or more letters, digits or hyphens, never for a dot.
pub fn matches_wildcard(pattern: &str, presented: &str) -> bool {
    let Some((prefix, suffix)) = pattern.split_once('*') else {
        return false;
    };
    let (Some((_, before)), Some((after, _))) = (prefix.split_once("://"), suffix.split_once('.')) else {
        return false;
    };
    let star = presented
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix))
        .filter(|star| !star.is_empty());
    // The text around the star is part of its label, so the star must be in the
    // first label of the host.
    star.is_some_and(|star| is_ldh_label(&format!("{before}{star}{after}")))
        && canonical(presented).is_some_and(|url| has_no_userinfo(&url))
}

/// Whether `page` is at the origin of one of a client's registered addresses:
/// then the client's own page sent the browser, as far as `Referer` can tell.
///
/// ```
/// use genkan_protocol::oauth::redirect_uri::{Environment, Policy, is_at_origin};
///
/// let production = Policy { environment: Environment::Production, any_loopback: false, any_loopback_port: false };
/// let registered = "https://app.example.com/callback";
/// assert!(is_at_origin(registered, "https://app.example.com/", production));
/// assert!(!is_at_origin(registered, "https://app.example.com.evil.test/", production));
/// ```
///
/// Source: RFC 6454 §4, RFC 9110 §10.1.3.
pub fn is_at_origin(registered: &str, page: &str, policy: Policy) -> bool {
    let Ok(page) = Url::parse(page) else { return false };
    if page.host().is_none() || !matches!(page.scheme(), "http" | "https") {
        return false;
    }
    let origin = page.origin().ascii_serialization();
    // A registered address is canonical, so its text up to the path is its origin.
    let end = registered
        .match_indices('/')
        .nth(2)
        .map_or(registered.len(), |(at, _)| at);
    permits(&[registered[..end].to_owned()], &origin, policy)
}

/// Checks a URI before it is stored.
///
/// # Errors
///
/// A [`RegistrationError`] that says what to change.
///
/// Source: RFC 6749 §3.1.2, RFC 8252 §7.1, OIDC Registration §2; Scalekit's rules:
/// no query, at most 256 characters, one wildcard in development.
pub fn validate_registration(
    uri: &str,
    environment: Environment,
    kind: RedirectUriKind,
) -> Result<(), RegistrationError> {
    use RegistrationError as Error;

    if !(1..=MAX_REGISTERED_BYTES).contains(&uri.len()) {
        return Err(Error::Length);
    }
    // A wildcard is checked as if a label stood there.
    let stars = uri.matches('*').count();
    let sample = uri.replace('*', "x");
    let url = Url::parse(&sample).map_err(|_| Error::Relative)?;
    let is_native = matches!(
        kind,
        RedirectUriKind::NativeCallback | RedirectUriKind::NativePostLogout
    );
    let is_own_server = is_native && loopback_callback(uri).is_some();
    if !is_own_server {
        check_scheme(&url, environment, kind)?;
    }
    if url.fragment().is_some() {
        return Err(Error::Fragment);
    }
    if url.query().is_some() {
        return Err(Error::Query);
    }
    if !has_no_userinfo(&url) {
        return Err(Error::UserInfo);
    }
    if canonical(&sample).is_none() {
        return Err(Error::NotCanonical);
    }
    if environment == Environment::Production && is_this_machine(&url) && !is_own_server {
        return Err(Error::Loopback);
    }
    if stars > 0 && !wildcard_is_allowed(uri, stars, environment, kind) {
        return Err(Error::Wildcard);
    }
    Ok(())
}

fn check_scheme(url: &Url, environment: Environment, kind: RedirectUriKind) -> Result<(), RegistrationError> {
    let scheme = url.scheme();
    // `javascript:`, `data:` and `mailto:` have no hierarchy; an address to redirect to has one.
    if DANGEROUS_SCHEMES.contains(&scheme) || url.cannot_be_a_base() {
        return Err(RegistrationError::Scheme);
    }
    let private_use_scheme = !matches!(scheme, "http" | "https");
    // RFC 8252 §7.1: an app on a device has a scheme of its own. Nothing on a
    // device answers a post, and OIDC Core §4 wants https for starting a login.
    let page_or_post = matches!(
        kind,
        RedirectUriKind::InitiateLogin | RedirectUriKind::BackChannelLogout
    );
    if private_use_scheme && page_or_post {
        return Err(RegistrationError::Https);
    }
    if scheme == "http" && environment == Environment::Production {
        return Err(RegistrationError::Https);
    }
    Ok(())
}

/// One star, in the first label of the host, with at least two labels after it.
///
/// The server itself posts to some addresses, and one begins a login: with a star these
/// would name no host.
fn wildcard_is_allowed(uri: &str, stars: usize, environment: Environment, kind: RedirectUriKind) -> bool {
    let listed = !matches!(
        kind,
        RedirectUriKind::InitiateLogin | RedirectUriKind::BackChannelLogout
    );
    let host = uri
        .split_once("://")
        .map_or("", |(_, rest)| rest.split(['/', ':']).next().unwrap_or(""));
    let (first, parents) = host.split_once('.').unwrap_or((host, ""));
    let web = uri.starts_with("https://") || uri.starts_with("http://");
    environment == Environment::Development
        && listed
        && web
        && stars == 1
        && first.contains('*')
        && parents.contains('.')
        // Not under a top-level domain.
        && parents.split('.').all(is_ldh_label)
}

/// The parsed URI, if rendering it gives the same text. The path `/` may be left out,
/// as it usually is.
fn canonical(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok()?;
    let rendered = url.as_str();
    let same = rendered == uri || url.path() == "/" && rendered.strip_suffix('/') == Some(uri);
    // Rendering keeps them in the opaque hosts of private-use schemes.
    let plain = uri
        .bytes()
        .all(|c| c.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&c));
    (same && plain).then_some(url)
}

fn has_no_userinfo(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        // RFC 8252 §8.3 advises against `localhost`; every guide uses it.
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    }
}

/// Whether a host is the browser's own machine, in any spelling (RFC 6761 §6.3 for the
/// names).
fn is_this_machine(url: &Url) -> bool {
    let is_own = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    match url.host() {
        Some(Host::Ipv4(address)) => is_own(address.into()),
        // An address such as ::ffff:127.0.0.1 means 127.0.0.1.
        Some(Host::Ipv6(address)) => is_own(IpAddr::from(address).to_canonical()),
        Some(Host::Domain(domain)) => {
            let domain = domain.trim_end_matches('.').to_ascii_lowercase();
            domain == "localhost" || domain.ends_with(".localhost")
        }
        None => false,
    }
}

/// Adds parameters to a redirect URI, keeping a query that it has (RFC 6749 §4.1.2).
///
/// ```
/// use genkan_protocol::oauth::append_query;
///
/// let uri = append_query("https://app.example.com/cb?tenant=1", &[("code", "a b"), ("state", "x&y")]);
/// assert_eq!(uri, "https://app.example.com/cb?tenant=1&code=a+b&state=x%26y");
/// ```
pub fn append_query(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
    // A fragment cannot be registered; if one is there, the query stands before it.
    let (base, fragment) = match redirect_uri.find('#') {
        Some(at) => redirect_uri.split_at(at),
        None => (redirect_uri, ""),
    };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let separator = match base.split_once('?') {
        _ if query.is_empty() => "",
        None => "?",
        Some((_, existing)) if existing.is_empty() || existing.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{base}{separator}{query}{fragment}")
}
