//! Which addresses are part of the public internet.
//!
//! Source: the IANA special-purpose address registries (RFC 6890), and the
//! addresses at which clouds serve credentials to whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to the public internet.
///
/// What is not known to be public is not.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Whether an address is private in a way that an operator can allow:
/// loopback, RFC 1918, shared address space and unique local addresses.
///
/// Link-local and cloud metadata addresses are not: no gateway lives there.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            (v4.is_loopback() || v4.is_private() || shared) && !is_metadata_v4(v4)
        }
        IpAddr::V6(v6) => v6.is_loopback() || (v6.segments()[0] & 0xfe00 == 0xfc00 && !is_metadata_v6(v6)),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
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
    !special && !is_metadata_v4(address)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    // RFC 6052: behind NAT64 every IPv4 host has such an address; the host inside counts.
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [a, b] = s[6].to_be_bytes();
        let [c, d] = s[7].to_be_bytes();
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

/// Metadata and wire servers outside 169.254.0.0/16.
fn is_metadata_v4(address: Ipv4Addr) -> bool {
    const AZURE: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    address == AZURE || address == ALIBABA
}

fn is_metadata_v6(address: Ipv6Addr) -> bool {
    const AWS: [u16; 3] = [0xfd00, 0xec2, 0];
    const GOOGLE: [u16; 3] = [0xfd20, 0xce, 0];
    let s = address.segments();
    s[..3] == AWS || s[..3] == GOOGLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn special_addresses_are_told_from_public_ones() {
        let table = include_str!("../../../tests/support/addresses.txt");
        let mut tried = 0;
        for line in table
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let mut words = line.split_ascii_whitespace();
            let (kind, address) = (words.next().unwrap(), ip(words.next().unwrap()));
            assert!(matches!(kind, "public" | "special"), "{line}");
            assert_eq!(is_public(address), kind == "public", "{line}");
            assert!(kind == "special" || !is_private(address), "{line}");
            tried += 1;
        }
        assert!(tried > 150, "{tried} addresses");
    }

    #[test]
    fn an_operator_can_allow_private_addresses_but_not_metadata() {
        for text in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "172.20.0.1",
            "192.168.0.5",
            "100.64.0.1",
            "fd12:3456::1",
        ] {
            assert!(is_private(ip(text)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "169.254.169.254",
            "168.63.129.16",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "::",
            "224.0.0.1",
            "::ffff:127.0.0.1",
            "198.18.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_private(ip(text)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_embedded_address_is_never_more_public_than_itself(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            prop_assert!(!is_public(v4.to_ipv6_mapped().into()));
            prop_assert!(!is_public(Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low).into()));
            prop_assert!(!is_public(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1).into()));
            let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
            prop_assert_eq!(is_public(nat64.into()), is_public(v4.into()));
        }

        #[test]
        fn nothing_is_public_and_private(bits: u128) {
            let v6 = IpAddr::from(Ipv6Addr::from(bits));
            prop_assert!(!(is_public(v6) && is_private(v6)));
        }
    }
}
