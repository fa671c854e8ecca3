//! Calls through a company's proxy: an `https` exchange goes through a tunnel (CONNECT); a
//! plain one goes to the proxy as a whole.
//!
//! Source: RFC 9110 §9.3.6 (CONNECT), §11.7 (proxy authentication), §15.5.8 (407).

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};

use super::{CONNECT_TIMEOUT, OutboundError, classify};
use crate::config::{NoProxy, ProxyUrl};

/// How long a silent proxy may take to accept another connection.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// The largest head of an answer to CONNECT that is read for its status.
const MAX_HEAD: u64 = 8 * 1024;

/// A failure between us and the proxy. It names no credentials.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("the proxy {address} cannot be reached: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("the proxy {address} wants a user and a password that it knows")]
    Unauthorized { address: String },
    #[error("the proxy {address} refuses the way to {host}{}", in_brackets(*status))]
    Refused {
        address: String,
        host: String,
        status: Option<u16>,
    },
    #[error("the proxy {address} finds no way to {host}{}", in_brackets(*status))]
    NoWay {
        address: String,
        host: String,
        status: Option<u16>,
    },
}

fn in_brackets(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}

impl ProxyError {
    /// What an operator can change.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "Check outbound.proxy (GENKAN_OUTBOUND_PROXY): its host and port, that the proxy runs, and that it \
                 lets this machine in."
            }
            Self::Unauthorized { .. } => {
                "Write the user and the password for the proxy into outbound.proxy as http://user:password@host:port, \
                 percent-encoded, better by GENKAN_OUTBOUND_PROXY than in the file, and start Genkan again."
            }
            Self::Refused { .. } => {
                "Let the proxy allow this machine the way to that host and port, or name the host in \
                 outbound.no_proxy if this machine reaches it without the proxy."
            }
            Self::NoWay { .. } => {
                "The proxy has to resolve and reach that host: compare the address with the provider's, and ask the \
                 people who run the proxy. A host that this machine reaches without it belongs into \
                 outbound.no_proxy."
            }
        }
    }
}

/// The way through the proxy.
#[derive(Debug, Clone)]
pub(super) struct ProxyClient {
    proxy: ProxyUrl,
    no_proxy: Vec<NoProxy>,
    /// Resolves only the name of the proxy, which the operator chose.
    client: Client,
}

impl ProxyClient {
    pub(super) fn new(
        proxy: ProxyUrl,
        no_proxy: Vec<NoProxy>,
        builder: ClientBuilder,
    ) -> Result<Self, reqwest::Error> {
        let mut through = reqwest::Proxy::all(proxy.address())?;
        if let Some((user, password)) = proxy.credentials() {
            through = through.basic_auth(&user, &password);
        }
        Ok(Self {
            client: builder.proxy(through).build()?,
            proxy,
            no_proxy,
        })
    }

    /// Whether calls to `url` go through the proxy.
    pub(super) fn is_for(&self, url: &Url) -> bool {
        let Some(host) = url.host() else {
            return true;
        };
        !self.no_proxy.iter().any(|exception| exception.names(&host))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// An answer to a plain exchange may be the proxy's own.
    pub(super) fn answered(&self, response: Response) -> Result<Response, OutboundError> {
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let address = self.proxy.address();
            return Err(ProxyError::Unauthorized { address }.into());
        }
        Ok(response)
    }

    /// Why there was no answer. The client hides the status of a refused CONNECT, so we ask for
    /// it once more.
    pub(super) async fn explain(&self, error: reqwest::Error, url: &Url) -> OutboundError {
        if error.is_timeout() {
            // The client does not say either who was silent.
            let reached = reach(&self.proxy, SECOND_LOOK).await;
            return reached.map_or_else(OutboundError::from, |()| classify(error));
        }
        let address = self.proxy.address();
        let mut causes = Vec::new();
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        let has = |text: &str| causes.iter().any(|cause| cause.ends_with(text));
        let is_plain = url.scheme() == "http";
        if has("proxy authorization required") {
            ProxyError::Unauthorized { address }.into()
        } else if has("tunnel error: unsuccessful") || has("tunnel error: unexpected end of file") {
            self.refused(url).await.into()
        } else if has("failed to create underlying connection") || (is_plain && error.is_connect()) {
            let reason = causes.pop().unwrap_or_default();
            ProxyError::Unreachable { address, reason }.into()
        } else {
            classify(error)
        }
    }

    async fn refused(&self, url: &Url) -> ProxyError {
        let address = self.proxy.address();
        let host = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or(443)
        );
        let status = timeout(CONNECT_TIMEOUT, self.ask_again(&host)).await;
        let status = status.ok().flatten();
        match status {
            // tinyproxy answers 401 to credentials that it does not know.
            Some(401 | 407) => ProxyError::Unauthorized { address },
            // 5xx: RFC 9110 §15.6.3 and §15.6.5, and the answer of proxies for an unknown name.
            Some(500..=599) => ProxyError::NoWay {
                address,
                host,
                status,
            },
            _ => ProxyError::Refused {
                address,
                host,
                status,
            },
        }
    }

    /// The status of an answer to CONNECT, from a proxy that speaks in the clear.
    async fn ask_again(&self, host: &str) -> Option<u16> {
        let (name, port) = self.proxy.plain_host_and_port()?;
        let mut stream = TcpStream::connect((name, port)).await.ok()?;
        let mut request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n");
        if let Some((user, password)) = self.proxy.credentials() {
            let credentials = BASE64_STANDARD.encode(format!("{user}:{}", &*password));
            request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut line = Vec::new();
        let mut answer = stream.take(MAX_HEAD);
        while !line.ends_with(b"\n") {
            line.push(answer.read_u8().await.ok()?);
        }
        // RFC 9112 §4: version, status, reason.
        let line = String::from_utf8_lossy(&line);
        line.strip_prefix("HTTP/1.")?
            .split(' ')
            .nth(1)?
            .trim()
            .parse()
            .ok()
    }
}

/// Whether the proxy accepts connections, for `doctor`.
///
/// # Errors
///
/// [`ProxyError::Unreachable`], with the reason.
pub async fn reach(proxy: &ProxyUrl, patience: Duration) -> Result<(), ProxyError> {
    let unreachable = |reason: String| ProxyError::Unreachable {
        address: proxy.address(),
        reason,
    };
    match timeout(patience, TcpStream::connect(proxy.host_and_port())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable("no answer in time".to_owned())),
    }
}

impl NoProxy {
    /// Whether it names `host`.
    fn names(&self, host: &Host<&str>) -> bool {
        match host {
            Host::Domain(name) => self.names_domain(name),
            Host::Ipv4(address) => self.names_address((*address).into()),
            Host::Ipv6(address) => self.names_address((*address).into()),
        }
    }
}
