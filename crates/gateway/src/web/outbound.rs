//! The one way out: every request that Genkan itself makes goes through here.
//!
//! A customer's administrator chooses the addresses of their identity provider,
//! so each is hostile: only `https` (unless the connection allows plain HTTP),
//! no private, loopback, link-local or metadata address after resolution, no
//! redirects, a size limit and a time limit. The address that was checked is the
//! address that is connected to, so a name cannot change its mind in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, StatusCode, header};
use url::{Host, Url};

/// How long one exchange may take in all. A person waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read. Real discovery documents and key sets stay
/// below 64 KiB.
pub const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// Why a request was not made, or its answer not used. The text is shown to
/// administrators in a login trace, so it names no secret and no body.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the address is not a valid URL")]
    InvalidUrl,
    #[error("the address must start with https://")]
    NotHttps,
    #[error("the address leads to a private network ({0}), which outbound.allow_private_addresses forbids")]
    PrivateAddress(IpAddr),
    #[error("the host name could not be resolved")]
    Unresolvable,
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    #[error("the connection failed: {0}")]
    Connect(String),
    #[error("the answer redirects, which is not followed")]
    Redirect,
    #[error("the answer is larger than {} KiB", MAX_ANSWER_BYTES / 1024)]
    TooLarge,
    #[error("the exchange failed: {0}")]
    Other(String),
}

impl OutboundError {
    /// What an operator can change, where the reason itself tells.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::PrivateAddress(_) => Some(
                "If the provider is really in your own network, set outbound.allow_private_addresses = true \
                 (GENKAN_OUTBOUND_ALLOW_PRIVATE_ADDRESSES=true) and start Genkan again.",
            ),
            Self::NotHttps => Some("Give the provider an address with https://."),
            Self::Connect(reason) if reason.contains("certificate") => Some(
                "Compare the certificate of the provider with its address; if an authority of your own signed it, \
                 name the file of that authority in outbound.ca_file (GENKAN_OUTBOUND_CA_FILE).",
            ),
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

/// Where plain HTTP is acceptable for one request.
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
}

impl<'a> Request<'a> {
    pub fn get(url: &'a str, scheme: Scheme) -> Self {
        Self {
            method: Method::GET,
            url,
            scheme,
            headers: Vec::new(),
            form: None,
        }
    }

    pub fn post_form(url: &'a str, scheme: Scheme, form: String) -> Self {
        Self {
            method: Method::POST,
            url,
            scheme,
            headers: Vec::new(),
            form: Some(form),
        }
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
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(GuardedResolver { allow_private })
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("Genkan/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            allow_private,
        })
    }

    /// Sends `request` and reads the answer whole.
    ///
    /// # Errors
    ///
    /// [`OutboundError`], before anything is sent if the address is not allowed.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, OutboundError> {
        let url = self.check(request.url, request.scheme)?;
        let mut builder = self.client.request(request.method, url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(form) = request.form {
            builder = builder
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        let mut response = builder.send().await.map_err(classify)?;
        if response.status().is_redirection() {
            return Err(OutboundError::Redirect);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(classify)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(OutboundError::TooLarge);
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
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(IpAddr);

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
            // One private address among public ones refuses the name as a whole.
            if !allow_private && let Some(private) = found.iter().find(|addr| !is_public(addr.ip())) {
                return Err(Refused(private.ip()).into());
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
        if let Some(Refused(ip)) = cause.downcast_ref::<Refused>() {
            return OutboundError::PrivateAddress(*ip);
        }
        if cause.is::<NotResolvable>() {
            return OutboundError::Unresolvable;
        }
        last = cause.to_string();
        source = cause.source();
    }
    // The deepest cause says most ("certificate has expired"); the outer ones repeat the URL.
    if error.is_connect() {
        OutboundError::Connect(last)
    } else {
        OutboundError::Other(last)
    }
}

/// Whether an address is part of the public internet. What is not known to be is not.
///
/// Source: the IANA special-purpose address registries (RFC 6890), and the
/// addresses at which clouds serve credentials to whoever asks.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // In the middle of public space, and only virtual machines of Azure reach it.
    const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    let [a, b, c, _] = address.octets();
    let special = match a {
        // "This" network, private, loopback; multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => matches!(
            (b, c),
            // Protocols and documentation; AS112, AMT and 6to4, whose addresses
            // are whoever answers nearest; private.
            (0, 0 | 2) | (31, 196) | (52, 193) | (88, 99) | (175, 48) | (168, _)
        ),
        198 => b & 0xfe == 18 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special && address != AZURE_WIRE_SERVER
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    // RFC 6052: behind NAT64 every IPv4 host has such an address; the host inside counts.
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let ([a, b], [c, d]) = (s[6].to_be_bytes(), s[7].to_be_bytes());
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is handed out. IPv4-mapped and -compatible, unique local,
    // link-local, site-local and multicast addresses all lie outside.
    let global = s[0] & 0xe000 == 0x2000;
    let special = match s[0] {
        // RFC 2928: protocols, Teredo among them; and documentation.
        0x2001 => s[1] < 0x200 || s[1] == 0xdb8,
        // 6to4: its relays are gone, the IPv4 address inside is any.
        0x2002 => true,
        // AS112.
        0x2620 => s[1..3] == [0x4f, 0x8000],
        // RFC 9637: documentation, and what lies beside it.
        0x3fff => true,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow_private: bool) -> Outbound {
        Outbound::new(allow_private, crate::web::tls::client_config(None).unwrap()).unwrap()
    }

    /// The table that the plugins' guard is tested with as well.
    #[test]
    fn special_addresses_are_told_from_public_ones() {
        let table = include_str!("../../../../tests/support/addresses.txt");
        let mut tried = 0;
        for line in table
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let mut words = line.split_ascii_whitespace();
            let (kind, address) = (words.next().unwrap(), words.next().unwrap());
            assert!(matches!(kind, "public" | "special"), "{line}");
            assert_eq!(is_public(address.parse().unwrap()), kind == "public", "{line}");
            tried += 1;
        }
        assert!(tried > 150, "{tried} addresses");
    }

    #[tokio::test]
    async fn address_literals_in_every_notation_are_refused_before_anything_is_sent() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            let refusal = guard(false).send(Request::get(url, Scheme::HttpsOnly)).await;
            assert!(
                matches!(refusal, Err(OutboundError::PrivateAddress(_))),
                "{url}: {refusal:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_refused() {
        let refusal = guard(false)
            .send(Request::get("https://localhost/", Scheme::HttpsOnly))
            .await;
        assert!(
            matches!(refusal, Err(OutboundError::PrivateAddress(_))),
            "{refusal:?}"
        );
    }

    #[tokio::test]
    async fn plain_http_and_other_schemes_are_refused() {
        for url in [
            "http://example.com/",
            "file:///etc/passwd",
            "ftp://example.com/",
            "gopher://x/",
        ] {
            let refusal = guard(true).send(Request::get(url, Scheme::HttpsOnly)).await;
            assert!(matches!(refusal, Err(OutboundError::NotHttps)), "{url}");
        }
    }

    async fn answering(answer: &'static [u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(answer).await;
            let filler = vec![b'x'; 64 * 1024];
            while stream.write_all(&filler).await.is_ok() {}
        });
        url
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let url = answering(
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let refusal = guard(true).send(Request::get(&url, Scheme::HttpAllowed)).await;
        assert!(matches!(refusal, Err(OutboundError::Redirect)));
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let url = answering(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let refusal = guard(true).send(Request::get(&url, Scheme::HttpAllowed)).await;
        assert!(matches!(refusal, Err(OutboundError::TooLarge)), "{refusal:?}");
    }
}
