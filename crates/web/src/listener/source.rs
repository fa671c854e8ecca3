//! Which clients a limit counts as one.
//!
//! Source: RFC 6177 §2 (a site has a /64 at least), RFC 6052 and RFC 8215 (NAT64).

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::FromRequestParts;
use http::request::Parts;

/// A client, as limits see it; found in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    V4(Ipv4Addr),
    /// The first 64 bits: one subscriber has all the addresses below.
    V6(u64),
    /// All untrusted peers that send forwarded headers, together. Behind such a peer there
    /// may be many people, or one person who invents headers; we cannot tell. So they
    /// share one source, apart from all other clients.
    Forwarder,
}

impl Source {
    /// The source of `address`. If it holds an IPv4 address, that one counts.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4),
            IpAddr::V6(v6) => match translated(v6) {
                Some(v4) => Self::V4(v4),
                None => Self::V6(u64::try_from(v6.to_bits() >> 64).unwrap_or_default()),
            },
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V4(v4) => write!(f, "{v4}"),
            Self::V6(prefix) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*prefix) << 64)),
            Self::Forwarder => f.write_str("forwarders"),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Without a listener there is no client; such requests share one address.
        let nobody = Self::V4(Ipv4Addr::UNSPECIFIED);
        Ok(parts.extensions.get().copied().unwrap_or(nobody))
    }
}

/// The IPv4 address that a translator wrote into an IPv6 one.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = u32::try_from(address.to_bits() & u128::from(u32::MAX)).unwrap_or_default();
    match address.segments() {
        // RFC 6052 §2.1, the well-known prefix 64:ff9b::/96.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(Ipv4Addr::from_bits(low)),
        // RFC 8215, 64:ff9b:1::/48. RFC 6052 §2.2 puts the address behind a prefix
        // of 48 bits around the octet 64 to 71, which is zero, and nothing
        // follows; behind the longer prefixes that are made of it, it comes last.
        [0x64, 0xff9b, 1, high, middle, tail, 0, 0] if middle <= 0xff && tail & 0xff == 0 => {
            let [a, b] = high.to_be_bytes();
            let [_, c] = middle.to_be_bytes();
            let [d, _] = tail.to_be_bytes();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        [0x64, 0xff9b, 1, ..] => Some(Ipv4Addr::from_bits(low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn one_subscriber_is_one_however_they_write_themselves() {
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::9"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
        for same in [
            "::ffff:192.0.2.33",
            "64:ff9b::192.0.2.33",
            // RFC 6052 §2.4 gives this example for 48 bits.
            "64:ff9b:1:c000:2:2100::",
            "64:ff9b:1:abcd::192.0.2.33",
            "64:ff9b:1::192.0.2.33",
        ] {
            assert_eq!(source(same), source("192.0.2.33"), "{same}");
        }
        assert_ne!(source("64:ff9b::192.0.2.33"), source("64:ff9b::192.0.2.34"));
    }

    #[test]
    fn a_source_is_named_by_what_counts() {
        assert_eq!(source("2001:db8:0:1::77").to_string(), "2001:db8:0:1::/64");
        assert_eq!(source("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }
}
