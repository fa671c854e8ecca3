//! The guard of outbound calls: every request that Genkan itself makes goes through here.
//!
//! A customer's administrator chooses the addresses of their identity provider, so each
//! may be hostile. The guard allows only `https` (unless the connection allows plain
//! HTTP), no private, loopback, link-local or metadata address after resolution, and no
//! redirects, and limits size and time. It connects to the very address that it checked,
//! so another answer of DNS changes nothing.
//!
//! Behind a proxy, the proxy resolves. A name or number that is private in itself is then
//! refused before the proxy is asked. The proxy must refuse the rest
//! (`docs/decisions/outbound-proxy.md`).

mod proxy;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use genkan_net::{is_public, is_public_name};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, StatusCode, header};
use url::{Host, Url};

use proxy::ProxyClient;
pub use proxy::{ProxyError, reach};

use crate::config::{NoProxy, ProxyUrl};

/// How long one exchange may take in all, because a person waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read, unless a request allows more. Real discovery documents and key sets
/// stay below 64 KiB.
pub const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// Why a request was not made, or its answer not used. Administrators see the text in a
/// trace, so it names no secret and no body.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the address is not a valid URL")]
    InvalidUrl,
    #[error("the address must start with https://")]
    NotHttps,
    #[error("the address leads to a private network ({0}), which outbound.allow_private_addresses forbids")]
    PrivateAddress(IpAddr),
    #[error("the name {0} belongs to a private network, which outbound.allow_private_addresses forbids")]
    PrivateName(String),
    #[error("the host name could not be resolved")]
    Unresolvable,
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection failed: {0}")]
    Connect(String),
    #[error("the answer redirects, which is not followed")]
    Redirect,
    #[error("the answer is larger than {} KiB", .0 / 1024)]
    TooLarge(usize),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("the exchange failed: {0}")]
    Other(String),
}

impl OutboundError {
    /// What an operator can change, if the reason tells it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::PrivateAddress(_) | Self::PrivateName(_) => Some(
                "If the provider is really in your own network, set outbound.allow_private_addresses = true \
                 (GENKAN_OUTBOUND_ALLOW_PRIVATE_ADDRESSES=true) and start Genkan again.",
            ),
            Self::NotHttps => Some("Give the provider an address with https://."),
            Self::Connect(reason) if reason.contains("certificate") => Some(
                "Compare the certificate of the provider with its address; if an authority of your own signed it, or \
                 that of a proxy which opens TLS, or of the program that ends TLS in front of `genkan dev`, name the \
                 file of that authority in outbound.ca_file (GENKAN_OUTBOUND_CA_FILE).",
            ),
            Self::Proxy(trouble) => Some(trouble.remedy()),
            _ => None,
        }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Whether plain HTTP is accepted for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    HttpsOnly,
    /// The connection's administrator or the development mode allowed `http`.
    HttpAllowed,
}

/// Makes requests to addresses that others chose.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    proxied: Option<ProxyClient>,
    allow_private: bool,
}

/// A request about to be made.
#[derive(Debug)]
pub struct Request<'a> {
    pub method: Method,
    pub url: &'a str,
    pub scheme: Scheme,
    pub headers: Vec<(header::HeaderName, String)>,
    /// An `application/x-www-form-urlencoded` body.
    pub form: Option<String>,
    /// The largest answer that is read.
    pub max_answer_bytes: usize,
}

impl<'a> Request<'a> {
    pub fn get(url: &'a str, scheme: Scheme) -> Self {
        Self {
            method: Method::GET,
            url,
            scheme,
            headers: Vec::new(),
            form: None,
            max_answer_bytes: MAX_ANSWER_BYTES,
        }
    }

    pub fn post_form(url: &'a str, scheme: Scheme, form: String) -> Self {
        Self {
            method: Method::POST,
            url,
            scheme,
            headers: Vec::new(),
            form: Some(form),
            max_answer_bytes: MAX_ANSWER_BYTES,
        }
    }

    pub const fn at_most(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    pub fn header(mut self, name: header::HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Outbound {
    /// Builds the guard. `tls` carries the trusted authorities.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be built.
    pub fn new(allow_private: bool, tls: rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        let client = builder(tls)
            .dns_resolver(GuardedResolver { allow_private })
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            proxied: None,
            allow_private,
        })
    }

    /// The same through a proxy, except for the hosts of `no_proxy`.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be built.
    pub fn through(
        mut self,
        proxy: &ProxyUrl,
        no_proxy: Vec<NoProxy>,
        tls: rustls::ClientConfig,
    ) -> Result<Self, reqwest::Error> {
        self.proxied = Some(ProxyClient::new(proxy.clone(), no_proxy, builder(tls))?);
        Ok(self)
    }

    /// Sends `request` and reads the answer whole.
    ///
    /// # Errors
    ///
    /// [`OutboundError`], before anything is sent if the address is not allowed.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, OutboundError> {
        let url = self.check(request.url, request.scheme)?;
        let proxied = self.proxied.as_ref().filter(|proxied| proxied.is_for(&url));
        if proxied.is_some() {
            self.check_name(&url)?;
        }
        let client = proxied.map_or(&self.client, ProxyClient::client);
        let mut builder = client.request(request.method, url.clone());
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(form) = request.form {
            builder = builder
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        let mut response = match (builder.send().await, proxied) {
            (Ok(response), Some(proxied)) => proxied.answered(response)?,
            (Ok(response), None) => response,
            (Err(error), Some(proxied)) => return Err(proxied.explain(error, &url).await),
            (Err(error), None) => return Err(classify(error)),
        };
        if response.status().is_redirection() {
            return Err(OutboundError::Redirect);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(classify)? {
            if body.len() + chunk.len() > request.max_answer_bytes {
                return Err(OutboundError::TooLarge(request.max_answer_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok(Answer {
            status: response.status(),
            content_type,
            body,
        })
    }

    fn check(&self, url: &str, scheme: Scheme) -> Result<Url, OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::InvalidUrl)?;
        match (url.scheme(), scheme) {
            ("https", _) | ("http", Scheme::HttpAllowed) => {}
            _ => return Err(OutboundError::NotHttps),
        }
        // Names are checked by the resolver; an address literal never reaches it.
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(OutboundError::InvalidUrl),
        };
        match literal {
            Some(ip) if !self.allow_private && !is_public(ip) => Err(OutboundError::PrivateAddress(ip)),
            _ => Ok(url),
        }
    }

    /// Checks a name that the proxy resolves in its own network.
    fn check_name(&self, url: &Url) -> Result<(), OutboundError> {
        match url.host() {
            Some(Host::Domain(name)) if !self.allow_private && !is_public_name(name) => {
                Err(OutboundError::PrivateName(name.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// The common settings, with and without a proxy.
fn builder(tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("Genkan/", env!("CARGO_PKG_VERSION")))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct RefusedAddress(IpAddr);

#[derive(Debug, thiserror::Error)]
#[error("not resolvable")]
struct NotResolvable;

struct GuardedResolver {
    allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|_| NotResolvable)?
                .collect();
            // If one of its addresses is private, the name is refused.
            if !allow_private && let Some(private) = found.iter().find(|addr| !is_public(addr.ip())) {
                return Err(RefusedAddress(private.ip()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands over the error")]
fn classify(error: reqwest::Error) -> OutboundError {
    if error.is_timeout() {
        return OutboundError::Timeout;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut last = String::new();
    while let Some(cause) = source {
        if let Some(RefusedAddress(ip)) = cause.downcast_ref::<RefusedAddress>() {
            return OutboundError::PrivateAddress(*ip);
        }
        if cause.is::<NotResolvable>() {
            return OutboundError::Unresolvable;
        }
        last = cause.to_string();
        source = cause.source();
    }
    // The innermost cause says most ("certificate has expired"); the outer ones repeat the URL.
    if error.is_connect() {
        OutboundError::Connect(last)
    } else {
        OutboundError::Other(last)
    }
}
