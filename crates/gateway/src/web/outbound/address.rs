//! Which addresses and names are part of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Whether a name can be one of the public internet. One that cannot is a neighbour of
/// whoever resolves it, and some clouds serve credentials at such a name.
///
/// Source: RFC 6761 §6.3 (`localhost`), RFC 6762 §3 (`local`), RFC 8375 (`home.arpa`);
/// ICANN reserved `internal` for private use in 2024.
pub(super) fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let Some((_, last)) = name.rsplit_once('.') else {
        return false;
    };
    !matches!(
        last,
        "localhost" | "local" | "internal" | "localdomain" | "lan" | "corp" | "home"
    ) && !name.ends_with(".home.arpa")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table that the plugins' guard is tested with as well.
    #[test]
    fn special_addresses_are_told_from_public_ones() {
        let table = include_str!("../../../../../tests/support/addresses.txt");
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

    #[test]
    fn names_of_a_private_network_are_told_from_public_ones() {
        for name in [
            "login.example.com",
            "acme.test",
            "example.com.",
            "xn--bcher-kva.example",
            "local.example.com",
        ] {
            assert!(is_public_name(name), "{name}");
        }
        for name in [
            "localhost",
            "LOCALHOST.",
            "app.localhost",
            "intranet",
            "printer.local",
            "metadata.google.internal",
            "metadata.google.internal.",
            "router.home.arpa",
            "",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
    }
}
