//! The part of DNS that a guest's resolver needs: one question, one answer.
//!
//! Source: RFC 1035 §4.

use std::net::Ipv4Addr;

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
const NAME_ERROR: u8 = 3;

/// A question of a guest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    id: [u8; 2],
    recursion_desired: u8,
    /// Name, type and class as they were sent.
    raw: Vec<u8>,
    /// Labels joined by dots; octets that are not ASCII are replaced.
    pub(super) name: String,
    kind: u16,
    class: u16,
}

impl Question {
    /// Reads a query; `None` unless it is a standard query with one question.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let header = message.get(..HEADER)?;
        // A query, opcode 0, and one question.
        if header[2] & 0xf8 != 0 || header[4..6] != [0, 1] {
            return None;
        }
        let mut labels: Vec<String> = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            // RFC 1035 §4.1.4: a pointer has nothing to point to in a first question.
            if length > 63 {
                return None;
            }
            let label = message.get(at..at + length)?;
            let plain = |&byte: &u8| {
                if byte.is_ascii() && byte != b'.' {
                    char::from(byte)
                } else {
                    '?'
                }
            };
            labels.push(label.iter().map(plain).collect());
            at += length;
        }
        let fixed = message.get(at..at + 4)?;
        let raw = &message[HEADER..at + 4];
        // RFC 1035 §2.3.4: 255 octets with type and class left out.
        if raw.len() > 255 + 4 {
            return None;
        }
        Some(Self {
            id: [header[0], header[1]],
            recursion_desired: header[2] & 1,
            raw: raw.to_vec(),
            name: labels.join("."),
            kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
        })
    }

    /// The answer: an address, nothing of that type, or no such name.
    pub(super) fn answer(&self, address: Option<Ipv4Addr>) -> Vec<u8> {
        let given = address.filter(|_| self.kind == TYPE_A && self.class == CLASS_IN);
        let code = if address.is_some() { 0 } else { NAME_ERROR };
        let mut message = Vec::with_capacity(HEADER + self.raw.len() + 16);
        message.extend_from_slice(&self.id);
        // A response; recursion as desired, and available.
        message.extend_from_slice(&[0x80 | self.recursion_desired, 0x80 | code]);
        message.extend_from_slice(&[0, 1, 0, u8::from(given.is_some()), 0, 0, 0, 0]);
        message.extend_from_slice(&self.raw);
        if let Some(address) = given {
            // The question's name, type A, class IN, one minute, four bytes.
            message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            message.extend_from_slice(&address.octets());
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(labels: &[&[u8]], kind: u16) -> Vec<u8> {
        let mut message = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            message.push(label.len() as u8);
            message.extend_from_slice(label);
        }
        message.push(0);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        message
    }

    #[test]
    fn an_address_is_answered_where_one_is_asked_for() {
        let question = Question::read(&query(&[b"App", b"example", b"com"], 1)).unwrap();
        assert_eq!(question.name, "App.example.com");
        let answer = question.answer(Some([198, 18, 0, 1].into()));
        assert_eq!(answer[..8], [7, 8, 0x81, 0x80, 0, 1, 0, 1]);
        assert_eq!(answer[answer.len() - 4..], [198, 18, 0, 1]);
        let question = Question::read(&query(&[b"app", b"example", b"com"], 28)).unwrap();
        let answer = question.answer(Some([198, 18, 0, 1].into()));
        assert_eq!(
            answer[2..8],
            [0x81, 0x80, 0, 1, 0, 0],
            "no IPv6, but the name exists"
        );
        assert_eq!(question.answer(None)[3], 0x83, "no such name");
    }

    #[test]
    fn a_label_with_a_dot_in_it_is_no_two_labels() {
        let question = Question::read(&query(&[b"evil.app", b"example"], 1)).unwrap();
        assert_eq!(question.name, "evil?app.example");
    }

    #[test]
    fn pointers_answers_and_two_questions_are_refused() {
        let mut pointer = query(&[b"a"], 1);
        pointer[HEADER] = 0xc0;
        assert_eq!(Question::read(&pointer), None);
        let mut response = query(&[b"a"], 1);
        response[2] |= 0x80;
        assert_eq!(Question::read(&response), None);
        let mut two = query(&[b"a"], 1);
        two[5] = 2;
        assert_eq!(Question::read(&two), None);
        assert_eq!(Question::read(&query(&[[b'x'; 63].as_slice(); 5], 1)), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_answers_fit(mut bytes in prop::collection::vec(any::<u8>(), 0..512), valid: bool) {
            if valid && bytes.len() > HEADER {
                bytes[2..6].copy_from_slice(&[1, 0, 0, 1]);
            }
            if let Some(question) = Question::read(&bytes) {
                prop_assert!(question.answer(Some(Ipv4Addr::LOCALHOST)).len() <= 512);
            }
        }
    }
}
