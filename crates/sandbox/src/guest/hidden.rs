//! Whether a ClientHello hides its real name.
//!
//! With Encrypted ClientHello (RFC 9849) the readable name is that of a front, and the
//! real one is encrypted. A name that we cannot read is not granted.
//!
//! Source: RFC 8446 §4.1.2 and §5.1.

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// Whether a whole ClientHello has the extension. If it cannot be read to its end, it counts
/// as hidden.
pub(super) fn hides_its_name(records: &[u8]) -> bool {
    find(&handshake(records)).unwrap_or(true)
}

/// The content of the records, of which a ClientHello may take several.
fn handshake(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let [HANDSHAKE, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        message.extend_from_slice(&rest[..length]);
        records = &rest[length..];
    }
    message
}

fn find(message: &[u8]) -> Option<bool> {
    let (&kind, rest) = message.split_first()?;
    if kind != CLIENT_HELLO {
        return None;
    }
    let (mut body, _) = vector(rest, 3)?;
    // Version and randomness, session, suites, compressions.
    body = body.get(34..)?;
    for size in [1, 2, 1] {
        body = vector(body, size)?.1;
    }
    let (mut extensions, _) = vector(body, 2)?;
    while !extensions.is_empty() {
        let kind = u16::from_be_bytes([*extensions.first()?, *extensions.get(1)?]);
        if kind == ENCRYPTED_CLIENT_HELLO {
            return Some(true);
        }
        extensions = vector(extensions.get(2..)?, 2)?.1;
    }
    Some(false)
}

/// The bytes that a length in front announces, and the rest after them.
fn vector(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(size)?;
    let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::egress::{Egress, Hello, SystemResolver, TrustRoots};

    fn hello() -> Vec<u8> {
        let resolver = std::sync::Arc::new(SystemResolver);
        let config = Egress::new(Vec::new(), TrustRoots::public(), resolver).tls();
        let name = "app.example.com".try_into().unwrap();
        let mut connection = rustls::ClientConnection::new(config, name).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// Adds one extension behind all others and corrects the lengths.
    fn with_extension(kind: u16) -> Vec<u8> {
        let mut bytes = hello();
        let sessions = 5 + 4 + 34;
        let suites = sessions + 1 + usize::from(bytes[sessions]);
        let length = |bytes: &[u8], at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        let extensions = suites + 2 + length(&bytes, suites) + 2;
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 1, 0]);
        for at in [3, 7, extensions] {
            let longer = u16::try_from(length(&bytes, at) + 5).unwrap();
            bytes[at..at + 2].copy_from_slice(&longer.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn a_sealed_name_is_found_and_others_are_not_suspected() {
        assert!(!hides_its_name(&hello()));
        let unknown = with_extension(0xfafa);
        assert!(
            matches!(Hello::read(&unknown), Hello::Complete { .. }),
            "the lengths are right"
        );
        assert!(!hides_its_name(&unknown));
        let sealed = with_extension(ENCRYPTED_CLIENT_HELLO);
        assert!(hides_its_name(&sealed));
    }

    #[test]
    fn a_clienthello_in_several_records_is_read_as_one() {
        let sealed = with_extension(ENCRYPTED_CLIENT_HELLO);
        let mut split = Vec::new();
        for part in sealed[5..].chunks(50) {
            split.extend_from_slice(&[22, 3, 1, 0, part.len() as u8]);
            split.extend_from_slice(part);
        }
        assert!(hides_its_name(&split));
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_suspected() {
        let hello = hello();
        for length in 0..hello.len() {
            assert!(hides_its_name(&hello[..length]), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = hides_its_name(&bytes);
        }
    }
}
