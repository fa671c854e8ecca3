//! Which addresses are part of the public internet.
//!
//! Source: the IANA special-purpose address registries (RFC 6890), and the
//! addresses at which clouds serve credentials to every caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Networks that are no part of the public internet.
const SPECIAL_V4: [Ipv4Net; 17] = [
    // "This" network, private, loopback; link-local.
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
    v4([169, 254, 0, 0], 16),
    // Protocols, documentation, measurements.
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([198, 18, 0, 0], 15),
    // AS112, AMT and 6to4: the nearest host answers at these addresses.
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 175, 48, 0], 24),
    // Multicast, reserved and broadcast.
    v4([224, 0, 0, 0], 3),
];

/// The special networks that an operator can allow: private and shared ones, and this machine.
const PRIVATE_V4: [Ipv4Net; 5] = [
    v4([127, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
];

/// Metadata and wire servers outside 169.254.0.0/16: Azure's, Alibaba's.
const METADATA_V4: [Ipv4Net; 2] = [v4([168, 63, 129, 16], 32), v4([100, 100, 100, 200], 32)];

/// RFC 6052: behind NAT64 every IPv4 host has such an address.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);

/// All global unicast addresses. IPv4-mapped and -compatible, unique local, link-local,
/// site-local and multicast addresses lie outside.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// The special networks within [`GLOBAL_V6`].
const SPECIAL_V6: [Ipv6Net; 5] = [
    // RFC 2928: protocols, Teredo among them; and documentation.
    v6([0x2001, 0, 0], 23),
    v6([0x2001, 0xdb8, 0], 32),
    // 6to4: its relays are gone, the IPv4 address inside is any.
    v6([0x2002, 0, 0], 16),
    // AS112.
    v6([0x2620, 0x4f, 0x8000], 48),
    // RFC 9637: documentation, and what lies beside it.
    v6([0x3fff, 0, 0], 16),
];

const UNIQUE_LOCAL_V6: Ipv6Net = v6([0xfc00, 0, 0], 7);

/// Metadata servers among the unique local addresses: Amazon's, Google's.
const METADATA_V6: [Ipv6Net; 2] = [v6([0xfd00, 0xec2, 0], 48), v6([0xfd20, 0xce, 0], 48)];

const fn v4([a, b, c, d]: [u8; 4], prefix_len: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len)
}

/// From the first 48 bits; the others are zero.
const fn v6([a, b, c]: [u16; 3], prefix_len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix_len)
}

fn is_any_v4(networks: &[Ipv4Net], address: Ipv4Addr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

fn is_any_v6(networks: &[Ipv6Net], address: Ipv6Addr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Whether an address belongs to the public internet.
///
/// An unknown address is not public.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        // The IPv4 address inside decides.
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(v6) => GLOBAL_V6.contains(&v6) && !is_any_v6(&SPECIAL_V6, v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !is_any_v4(&SPECIAL_V4, address) && !is_any_v4(&METADATA_V4, address)
}

/// Whether an address is private in a way that an operator can allow:
/// loopback, RFC 1918, shared address space and unique local addresses.
///
/// Link-local and cloud metadata addresses are not: no gateway lives there.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_any_v4(&PRIVATE_V4, v4) && !is_any_v4(&METADATA_V4, v4),
        IpAddr::V6(v6) => v6.is_loopback() || (UNIQUE_LOCAL_V6.contains(&v6) && !is_any_v6(&METADATA_V6, v6)),
    }
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
