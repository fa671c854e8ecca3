//! Unanswered packets on the loopback device of a jail: attempts.
//!
//! Source: RFC 791, RFC 8200, RFC 9293, RFC 768.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SYN: u8 = 2;
const ACK: u8 = 16;
const DNS: u16 = 53;

/// An attempt to reach an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) to: IpAddr,
    pub(super) port: Option<u16>,
    /// A new connection; otherwise a datagram.
    pub(super) tcp: bool,
}

/// The bytes of a packet that are read: the headers of IPv6 and TCP fit.
pub(super) const HEADERS: usize = 128;

/// The attempt that a packet begins, if it begins one.
pub(super) fn parse(packet: &[u8]) -> Option<Attempt> {
    let first = *packet.first()?;
    let (from, to, protocol, rest) = match first >> 4 {
        4 => {
            let header: &[u8; 20] = packet.get(..20)?.try_into().ok()?;
            let from = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
            let to = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
            // Only a first fragment has ports.
            let later = header[6] & 0x1f != 0 || header[7] != 0;
            let rest = packet.get(usize::from(first & 15) * 4..)?;
            (
                IpAddr::V4(from),
                IpAddr::V4(to),
                header[9],
                (!later).then_some(rest)?,
            )
        }
        6 => {
            let header = packet.get(..40)?;
            let address = |bytes: &[u8]| Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)));
            (
                address(&header[8..24])?,
                address(&header[24..40])?,
                header[6],
                &packet[40..],
            )
        }
        _ => return None,
    };
    let port = |offset: usize| Some(u16::from_be_bytes([*rest.get(offset)?, *rest.get(offset + 1)?]));
    let attempt = |port, tcp| Some(Attempt { to, port, tcp });
    match protocol {
        TCP if rest.get(13)? & (SYN | ACK) == SYN => attempt(port(2), true),
        // A later packet of a connection.
        TCP => None,
        // The host's own name server, and its answers.
        UDP if to == IpAddr::V4(Ipv4Addr::LOCALHOST) && port(2) == Some(DNS) => None,
        UDP if from == IpAddr::V4(Ipv4Addr::LOCALHOST) && port(0) == Some(DNS) => None,
        UDP => attempt(port(2), false),
        // The kernel's own: unreachable, neighbour discovery.
        ICMP | ICMPV6 | 0 => None,
        _ => attempt(None, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(protocol: u8, from: [u8; 4], to: [u8; 4], rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend_from_slice(&from);
        packet.extend_from_slice(&to);
        packet.extend_from_slice(rest);
        packet
    }

    fn tcp(port: u16, flags: u8) -> Vec<u8> {
        let mut segment = vec![0; 20];
        segment[2..4].copy_from_slice(&port.to_be_bytes());
        segment[13] = flags;
        segment
    }

    #[test]
    fn a_new_connection_is_an_attempt_and_its_rest_is_not() {
        let here = [127, 0, 0, 1];
        let attempt = parse(&v4(TCP, here, [1, 1, 1, 1], &tcp(25, SYN))).unwrap();
        assert_eq!(
            (attempt.to.to_string().as_str(), attempt.port, attempt.tcp),
            ("1.1.1.1", Some(25), true)
        );
        assert_eq!(parse(&v4(TCP, here, [1, 1, 1, 1], &tcp(25, SYN | ACK))), None);
        assert_eq!(parse(&v4(TCP, here, [1, 1, 1, 1], &tcp(25, ACK))), None);
        let mut v6 = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
        v6.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        v6.extend_from_slice(&"2606:4700::1111".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend_from_slice(&tcp(443, SYN));
        let attempt = parse(&v6).unwrap();
        assert_eq!(
            (attempt.to.to_string().as_str(), attempt.port),
            ("2606:4700::1111", Some(443))
        );
    }

    #[test]
    fn dns_is_answered_elsewhere_but_any_other_datagram_is_an_attempt() {
        let here = [127, 0, 0, 1];
        let query = [200, 0, 0, 53, 0, 8, 0, 0];
        assert_eq!(parse(&v4(UDP, here, here, &query)), None);
        assert_eq!(parse(&v4(UDP, here, here, &[0, 53, 200, 0, 0, 8, 0, 0])), None);
        let attempt = parse(&v4(UDP, here, [8, 8, 8, 8], &query)).unwrap();
        assert_eq!((attempt.port, attempt.tcp), (Some(53), false));
        assert_eq!(parse(&v4(132, here, [8, 8, 8, 8], &[])).unwrap().port, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let _ = parse(&bytes);
        }
    }
}
