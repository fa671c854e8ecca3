//! Downloads of catalogs and packages: HTTPS, with limits, through the proxy that the environment names.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openneko_sandbox::egress::TrustRoots;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, NoProxy, Proxy, StatusCode};
use url::{Host, Url};

use crate::file;
use crate::paths::Paths;
use crate::secrets::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may send nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Registries redirect to their storage, once or twice.
const MAX_REDIRECTS: usize = 5;
/// Enough for the authorities of a whole country.
const MAX_CA_BYTES: u64 = 4 << 20;

/// A client for marketplaces and registries.
#[derive(Debug, Clone)]
pub struct Http(Client);

/// Why something could not be downloaded. No message shows a query or a credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Url(#[from] UrlError),
    #[error("HTTP {}{}", .0.as_u16(), reason(*.0))]
    Status(StatusCode),
    #[error("the answer is larger than {} KiB", .0 >> 10)]
    TooLarge(u64),
    #[error("no answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    #[error("{0}")]
    Network(String),
    #[error("cannot read certificates from {}: {reason}", path.display())]
    Authorities { path: PathBuf, reason: String },
    #[error("the proxy address is not a URL")]
    Proxy,
}

/// Why an address is refused for downloads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("{0:?} is not a URL")]
    NotAUrl(String),
    #[error("{0} is not https: plain http is for localhost alone")]
    NotHttps(String),
    #[error("{0} holds a user name or password")]
    Credentials(String),
}

/// What to download, and its limits.
pub struct Request<'a> {
    pub url: &'a Url,
    pub accept: &'static str,
    /// Value of the `Authorization` header.
    pub authorization: Option<Secret>,
    /// Bytes of the answer.
    pub limit: u64,
    /// From the first byte sent to the last one read.
    pub timeout: Duration,
}

/// Reads an address that may be downloaded from: `https`, or `http` on this machine.
///
/// # Errors
///
/// [`UrlError`] otherwise, and for an address with credentials in it.
pub fn parse_url(text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::NotAUrl(text.to_owned()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials(shown(&url)));
    }
    check_scheme(&url)?;
    Ok(url)
}

fn check_scheme(url: &Url) -> Result<(), UrlError> {
    match url.scheme() {
        "https" if url.host().is_some() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err(UrlError::NotHttps(shown(url))),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL as messages show it: without credentials and query, which may be secret.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

impl Http {
    /// A client that trusts the public authorities, those of the environment and of `authorities`.
    ///
    /// # Errors
    ///
    /// If a file of authorities or the proxy's address cannot be read.
    pub fn new(paths: &Paths, authorities: &[PathBuf]) -> Result<Self, Error> {
        let mut roots = TrustRoots::public();
        for path in paths.extra_ca_certs().iter().chain(authorities) {
            let unreadable = |reason: String| Error::Authorities {
                path: path.clone(),
                reason,
            };
            let pem = file::read(path, MAX_CA_BYTES).map_err(|error| unreadable(error.to_string()))?;
            let pem = pem.ok_or_else(|| unreadable("there is no such file".to_owned()))?;
            roots = roots
                .with_pem(&pem)
                .map_err(|error| unreadable(error.to_string()))?;
        }
        // The environment was read once, so reqwest must not read it again.
        let mut client = Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(roots.client_config()))
            .redirect(Policy::custom(redirect))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("openneko/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = paths.environment.get_any_case("HTTPS_PROXY") {
            let no_proxy = paths.environment.get_any_case("NO_PROXY");
            let proxy = Proxy::https(proxy).map_err(|_| Error::Proxy)?;
            client = client.proxy(proxy.no_proxy(no_proxy.and_then(NoProxy::from_string)));
        }
        client.build().map(Self).map_err(|error| network(&error))
    }

    /// Downloads a document. `progress` gets the size, if the server tells it, and the
    /// bytes so far.
    ///
    /// # Errors
    ///
    /// [`Error`] for any answer but a whole one with status 200.
    pub async fn get(
        &self,
        request: Request<'_>,
        progress: impl FnMut(Option<u64>, u64),
    ) -> Result<Vec<u8>, Error> {
        let timeout = request.timeout;
        tokio::time::timeout(timeout, self.get_without_deadline(request, progress))
            .await
            .unwrap_or(Err(Error::Timeout(timeout)))
    }

    async fn get_without_deadline(
        &self,
        request: Request<'_>,
        mut progress: impl FnMut(Option<u64>, u64),
    ) -> Result<Vec<u8>, Error> {
        check_scheme(request.url)?;
        let mut builder = self.0.get(request.url.clone()).header(ACCEPT, request.accept);
        if let Some(value) = &request.authorization {
            let value = HeaderValue::from_str(value.expose());
            let mut value = value.map_err(|_| Error::Network("the credential is not a header".to_owned()))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        let mut response = builder.send().await.map_err(|error| network(&error))?;
        if response.status() != StatusCode::OK {
            return Err(Error::Status(response.status()));
        }
        let length = response.content_length();
        if length.is_some_and(|length| length > request.limit) {
            return Err(Error::TooLarge(request.limit));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network(&error))? {
            if (body.len() + chunk.len()) as u64 > request.limit {
                return Err(Error::TooLarge(request.limit));
            }
            body.extend_from_slice(&chunk);
            progress(length, body.len() as u64);
        }
        Ok(body)
    }
}

/// Follows a redirect only to an address where a download may start, and never from
/// the network to this machine.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    let from_here = attempt.previous().first().is_some_and(is_loopback);
    let target = attempt.url();
    if check_scheme(target).is_err() || (is_loopback(target) && !from_here) {
        let message = format!("a redirect to {} is refused", shown(target));
        return attempt.error(message);
    }
    attempt.follow()
}

/// The innermost reason: the outer ones say no more than that a request failed.
fn network(error: &reqwest::Error) -> Error {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if std::ptr::eq(innermost, error as &dyn std::error::Error) && error.is_timeout() {
        return Error::Timeout(READ_TIMEOUT);
    }
    Error::Network(innermost.to_string())
}

fn reason(status: StatusCode) -> String {
    status
        .canonical_reason()
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_asked_for_except_on_this_machine() {
        for good in [
            "https://example.com/a.json",
            "http://localhost:4873/",
            "http://127.0.0.2/",
            "http://[::1]:80/",
        ] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/",
            "http://localhost.evil.com/",
            "http://127.0.0.1.evil.com/",
            "ftp://localhost/",
            "file:///etc/passwd",
            "https://",
            "example.com",
            "",
        ] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_and_not_shown() {
        let error = parse_url("https://ada:hunter2@example.com/?token=hunter2#hunter2").unwrap_err();
        assert_eq!(
            error.to_string(),
            "https://example.com/ holds a user name or password"
        );
    }
}
