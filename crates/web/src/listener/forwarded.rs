//! Who is at the other end: the peer of the socket, and the client behind the
//! operator's proxies.
//!
//! Source: RFC 7239 (`Forwarded`); `X-Forwarded-For` has no standard.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use genkan_net::Network;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};

use super::Source;

/// The other end of the connection; found in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerInfo {
    /// The socket's peer: a proxy, if there is one.
    pub addr: SocketAddr,
    /// Whether this connection speaks TLS. A proxy's client may speak something else.
    pub tls: bool,
}

/// The address of the client, for rate limits and the audit log.
///
/// Forwarded headers are believed only from the operator's own proxies
/// ([`TrustedProxies`]); from anywhere else they are what a client says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientIp(pub IpAddr);

impl fmt::Display for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Without a listener there is no client; such requests share one address.
        let nobody = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(parts.extensions.get().copied().unwrap_or(nobody))
    }
}

/// Which header the proxies write.
///
/// One only: a proxy that appends to `X-Forwarded-For` hands a client's own
/// `Forwarded` through untouched, so believing both believes the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedHeader {
    #[default]
    XForwardedFor,
    Forwarded,
}

/// The headers that proxies write about their clients. Nobody else has a reason to.
const FORWARDING: [HeaderName; 3] = [
    HeaderName::from_static("x-forwarded-for"),
    header::FORWARDED,
    HeaderName::from_static("x-real-ip"),
];

/// The operator's proxies, whose headers about the client are believed. Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    pub networks: Vec<Network>,
    pub header: ForwardedHeader,
}

impl TrustedProxies {
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The client's address.
    ///
    /// Each proxy appends the address it was called from. So the list is read from the
    /// right, beginning at the socket, while the speaker is trusted. The first address
    /// that is not a proxy's is the client. The client wrote everything to the left of it.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        for hop in self.hops(headers).into_iter().rev() {
            // "unknown", an obfuscated name or nonsense: the proxy that wrote it is all we know.
            let Some(address) = hop else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// Puts the sender into a request: [`PeerInfo`], [`ClientIp`] and [`Source`].
    pub fn introduce(&self, peer: PeerInfo, parts: &mut Parts) -> Source {
        let address = peer.addr.ip();
        let client = self.client_ip(address, &parts.headers);
        let source = self.source(address, client, &parts.headers);
        parts.extensions.insert(peer);
        parts.extensions.insert(ClientIp(client));
        parts.extensions.insert(source);
        source
    }

    /// The source that limits count for a request of `peer` whose client is `client`.
    fn source(&self, peer: IpAddr, client: IpAddr, headers: &HeaderMap) -> Source {
        let forwards = || FORWARDING.iter().any(|name| headers.contains_key(name));
        if !self.trusts(peer.to_canonical()) && forwards() {
            Source::Forwarder
        } else {
            Source::of(client)
        }
    }

    /// The addresses that the proxies wrote, oldest first; `None` for text that is no address.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.header {
            ForwardedHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        // Several header lines are one list (RFC 9110 §5.3).
        let mut hops = Vec::new();
        for line in headers.get_all(name) {
            // The client wrote the left part: octets there that are not text must not
            // hide what the proxy added.
            let line = String::from_utf8_lossy(line.as_bytes());
            match self.header {
                ForwardedHeader::XForwardedFor => hops.extend(line.split(',').map(address)),
                ForwardedHeader::Forwarded => hops.extend(outside_quotes(&line, ',').map(forwarded_for)),
            }
        }
        hops
    }
}

/// The `for` parameter of one `Forwarded` element.
///
/// Source: RFC 7239 §4, §5.2.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    outside_quotes(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value))
    })?
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`, each quoted or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse()
        .or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Splits at a separator that is not inside a quoted string (RFC 9110 §5.6.4).
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character| {
        let literal = escaped;
        escaped = quoted && character == '\\' && !literal;
        quoted ^= character == '"' && !literal;
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str], header: ForwardedHeader) -> TrustedProxies {
        TrustedProxies {
            networks: networks.iter().map(|n| n.parse().unwrap()).collect(),
            header,
        }
    }

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        proxies.client_ip(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_header_from_elsewhere_is_ignored() {
        let header = [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")];
        let nobody = TrustedProxies::default();
        assert_eq!(client(&nobody, "127.0.0.1", &header), "127.0.0.1");
        let ours = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        assert_eq!(client(&ours, "192.0.2.1", &header), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let ours = proxies(&["10.0.0.0/8", "::1"], ForwardedHeader::XForwardedFor);
        let spoofed = [("x-forwarded-for", "6.6.6.6, 198.51.100.7, 10.0.0.9")];
        assert_eq!(client(&ours, "10.0.0.1", &spoofed), "198.51.100.7");
        let lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        assert_eq!(client(&ours, "::1", &lines), "198.51.100.7");
        // All ours: the one that is farthest away.
        assert_eq!(
            client(&ours, "10.0.0.1", &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]),
            "10.0.0.3"
        );
        assert_eq!(client(&ours, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn nonsense_ends_the_walk() {
        let ours = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        for nonsense in [
            "",
            "unknown",
            "6.6.6.6, _hidden",
            "6.6.6.6, 1.2.3",
            "6.6.6.6,",
            "6.6.6.6, \u{fc}",
        ] {
            let lines = [("x-forwarded-for", nonsense)];
            assert_eq!(client(&ours, "10.0.0.1", &lines), "10.0.0.1", "{nonsense:?}");
        }
    }

    #[test]
    fn what_a_client_wrote_before_it_does_not_hide_what_the_proxy_added() {
        let ours = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        for text in ["Fran\u{e7}ais".as_bytes(), b"Fran\xe7ais"] {
            let line = [text, b"198.51.100.7"].join(&b", "[..]);
            let line = http::HeaderValue::from_bytes(&line).unwrap();
            let headers = HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), line)]);
            let client = ours.client_ip("10.0.0.1".parse().unwrap(), &headers);
            assert_eq!(client.to_string(), "198.51.100.7");
        }
    }

    #[test]
    fn only_the_configured_header_counts() {
        let lines = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "198.51.100.7")];
        let legacy = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        assert_eq!(client(&legacy, "10.0.0.1", &lines), "198.51.100.7");
        let standard = proxies(&["10.0.0.0/8"], ForwardedHeader::Forwarded);
        assert_eq!(client(&standard, "10.0.0.1", &lines), "6.6.6.6");
    }

    #[test]
    fn forwarded_is_read_as_the_standard_writes_it() {
        let ours = proxies(&["10.0.0.0/8", "fd00::/8"], ForwardedHeader::Forwarded);
        for (value, expected) in [
            (r#"for=192.0.2.60;proto=http;by=203.0.113.43"#, "192.0.2.60"),
            (r#"For="[2001:db8:cafe::17]:4711""#, "2001:db8:cafe::17"),
            (r#"for=192.0.2.43, for="[fd00::1]""#, "192.0.2.43"),
            (r#"host="a,b;for=6.6.6.6";for=192.0.2.1"#, "192.0.2.1"),
            (r#"host="\",for=6.6.6.6\"";for=192.0.2.2"#, "192.0.2.2"),
            ("for=192.0.2.43, for=unknown", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(
                client(&ours, "10.0.0.1", &[("forwarded", value)]),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn ports_and_mapped_addresses_are_understood() {
        let ours = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        for (value, expected) in [
            ("192.0.2.1:51234", "192.0.2.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(
                client(&ours, "::ffff:10.0.0.1", &[("x-forwarded-for", value)]),
                expected
            );
        }
    }

    #[test]
    fn peers_that_forward_without_being_trusted_are_counted_together() {
        let ours = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        let source = |peer: &str, header: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(header, "198.51.100.7".parse().unwrap());
            }
            let peer = peer.parse().unwrap();
            ours.source(peer, ours.client_ip(peer, &headers), &headers)
        };
        for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            assert_eq!(source("192.0.2.1", Some(header)), Source::Forwarder);
            assert_eq!(source("192.0.2.2", Some(header)), Source::Forwarder);
        }
        assert_eq!(
            source("192.0.2.1", None),
            Source::of("192.0.2.1".parse().unwrap())
        );
        assert_eq!(
            source("10.0.0.1", Some("x-forwarded-for")),
            Source::of("198.51.100.7".parse().unwrap())
        );
    }
}
