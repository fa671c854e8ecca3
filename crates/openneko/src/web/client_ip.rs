//! Which address a request comes from, for limits and the record.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The operator's proxies, whose `X-Forwarded-For` is believed. From anywhere
/// else the header is what a client says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix_len: u32,
}

impl TrustedProxies {
    /// Reads addresses and networks: `10.0.0.0/8`, `::1`.
    ///
    /// # Errors
    ///
    /// A sentence that names the one that is neither.
    pub fn parse(networks: &[String]) -> Result<Self, String> {
        let parsed = networks.iter().map(|text| {
            Network::parse(text.trim()).ok_or_else(|| {
                format!("`{text}` is not a network: write an address, or a range such as 10.0.0.0/8")
            })
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Whether a peer is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|network| network.contains(address.to_canonical()))
    }

    /// The client's address.
    ///
    /// Each proxy appends the address it was called from, so the list is read
    /// from the right for as long as the speaker is trusted.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        let hops = lines.iter().rev().flat_map(|line| {
            // The client wrote the left of it: what is no text there must not
            // hide what the proxy added.
            let hops = line.as_bytes().rsplit(|byte| *byte == b',');
            hops.map(|hop| address(std::str::from_utf8(hop).ok()?))
        });
        for hop in hops {
            let (true, Some(address)) = (self.trusts(client), hop) else {
                break;
            };
            client = address;
        }
        client
    }
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`, each quoted or not:
/// some proxies write the port that they were called from.
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

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix_len) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().ok()?;
        let (_, width) = bits(address);
        let prefix_len = match prefix_len {
            Some(text) => text.parse().ok().filter(|len| *len <= width)?,
            None => width,
        };
        Some(Self { address, prefix_len })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let (ours, width) = bits(self.address);
        let (theirs, their_width) = bits(address);
        width == their_width && (ours ^ theirs).leading_zeros() >= self.prefix_len
    }
}

/// An address from the left of 128 bits, and how wide it is.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// Who shares one limit: an IPv4 address, or the /64 that one subscriber has of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Neighbourhood(u128, bool);

impl Neighbourhood {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u128::from(address.to_bits()), true),
            IpAddr::V6(address) => Self(address.to_bits() >> 64, false),
        }
    }
}

/// The client of a request, in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl fmt::Display for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies = TrustedProxies::parse(&trusted).unwrap();
        proxies.client_ip(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_header_from_elsewhere_is_ignored() {
        assert_eq!(client(&[], "127.0.0.1", &["6.6.6.6"]), "127.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &["6.6.6.6"]), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_address_that_is_not_ours_is_the_client() {
        let ours = ["10.0.0.0/8", "::1"];
        assert_eq!(
            client(&ours, "10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.9"]),
            "198.51.100.7"
        );
        assert_eq!(client(&ours, "::1", &["6.6.6.6", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            client(&ours, "::ffff:10.0.0.1", &["198.51.100.7"]),
            "198.51.100.7"
        );
        for nonsense in ["", "unknown", "6.6.6.6, _hidden", "6.6.6.6,"] {
            assert_eq!(client(&ours, "10.0.0.1", &[nonsense]), "10.0.0.1", "{nonsense:?}");
        }
    }

    #[test]
    fn a_proxy_may_write_the_port_and_brackets() {
        let ours = ["10.0.0.0/8"];
        for (written, client_ip) in [
            ("198.51.100.8:51234", "198.51.100.8"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("[::ffff:198.51.100.8]:1", "198.51.100.8"),
            ("6.6.6.6:1, 198.51.100.8:51234, 10.0.0.9:80", "198.51.100.8"),
        ] {
            assert_eq!(client(&ours, "10.0.0.1", &[written]), client_ip, "{written}");
        }
        for nonsense in [
            "[198.51.100.8]x",
            "198.51.100.8:",
            "198.51.100.8:99999",
            "[]:1",
            "::1]:1",
        ] {
            assert_eq!(client(&ours, "10.0.0.1", &[nonsense]), "10.0.0.1", "{nonsense}");
        }
    }

    #[test]
    fn what_a_client_wrote_before_it_does_not_hide_what_the_proxy_added() {
        let mut headers = HeaderMap::new();
        let line = http::HeaderValue::from_bytes(b"Fran\xe7ais, 198.51.100.7").unwrap();
        headers.append("x-forwarded-for", line);
        let proxies = TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).unwrap();
        let client = proxies.client_ip("10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(client.to_string(), "198.51.100.7");
    }

    #[test]
    fn one_subscriber_of_ipv6_has_one_limit() {
        let of = |text: &str| Neighbourhood::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
