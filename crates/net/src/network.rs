//! Ranges of addresses, as operators write them.
//!
//! Source: RFC 4632 §3.1, RFC 4291 §2.3.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A range of addresses in CIDR notation: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// A network that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidNetwork(String);

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a network: write an address, or a range such as 10.0.0.0/8 or fd00::/8",
            self.0
        )
    }
}

impl Error for InvalidNetwork {}

impl Network {
    /// Whether the network holds `address`. It never holds one of the other family.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    /// `ipnet` parses `010.0.0.1`, which is 8.0.0.1 to some programs and 10.0.0.1 to
    /// others. The standard library refuses it, so its parser reads the address.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix_len) = match text.split_once('/') {
            Some((address, prefix_len)) => (address, Some(prefix_len)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| invalid())?;
        let Some(prefix_len) = prefix_len else {
            return Ok(Self(address.into()));
        };
        let prefix_len = prefix_len.parse().map_err(|_| invalid())?;
        IpNet::new(address, prefix_len).map(Self).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_parsed_and_bounded() {
        let contains = |network: &str, address: &str| {
            network
                .parse::<Network>()
                .unwrap()
                .contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.1", "192.0.2.1") && !contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::/8", "fd12::1") && !contains("fd00::/8", "fe80::1"));
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/x",
            "example.com",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_that_two_programs_read_as_two_networks_is_refused() {
        for text in [
            "010.0.0.0/8",
            "10.0.0.01",
            "0x0a.0.0.0/8",
            "10.1/16",
            "167772160/8",
            "10.0.0.0/8/8",
            "10.0.0.0/",
            "/8",
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
            "[fd00::]/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn bits_of_the_host_and_mapped_addresses_widen_nothing() {
        let contains = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.contains(address.parse().unwrap())
        };
        assert!(contains("10.1.2.3/8", "10.0.0.0") && !contains("10.1.2.3/8", "11.0.0.0"));
        assert!(contains("10.1.2.3/8", "10.255.255.255") && contains("0.0.0.0/0", "255.255.255.255"));
        assert!(!contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(!contains("::/0", "10.0.0.1") && !contains("::ffff:10.0.0.0/104", "10.0.0.1"));
    }
}
