//! `enc:v1`: one sealed value as text.
//!
//! AES-256-GCM; the text is `enc:v1:` and the base64 of nonce, tag and ciphertext
//! in this order. There is no additional data, so the format does not bind a value
//! to a plugin and its key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openneko_sandbox::Secret;
use zeroize::Zeroizing;

use super::key::Key;

pub(super) const PREFIX: &str = "enc:v1:";
const TAG_LEN: usize = 16;

/// Sealed with another key, changed, or never a sealed value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnsealError;

/// Seals `value` under a fresh nonce. `None` only without randomness.
pub(super) fn seal(key: &Key, value: &str) -> Option<String> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).ok()?;
    let mut text = Zeroizing::new(value.as_bytes().to_vec());
    let tag = cipher(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
        .ok()?;
    let wire = [&nonce[..], tag.as_ref(), &text].concat();
    Some(format!("{PREFIX}{}", STANDARD.encode(wire)))
}

/// Opens a value that begins with [`PREFIX`].
pub(super) fn open(key: &Key, sealed: &str) -> Result<Secret, UnsealError> {
    let wire = sealed.strip_prefix(PREFIX).ok_or(UnsealError)?;
    let wire = STANDARD.decode(wire).map_err(|_| UnsealError)?;
    let (nonce, rest) = wire.split_first_chunk::<NONCE_LEN>().ok_or(UnsealError)?;
    let (tag, ciphertext) = rest.split_first_chunk::<TAG_LEN>().ok_or(UnsealError)?;
    let mut text = Zeroizing::new(vec![0; ciphertext.len()]);
    cipher(key)
        .open_separate_gather(
            Nonce::assume_unique_for_key(*nonce),
            Aad::empty(),
            ciphertext,
            tag,
            &mut text,
        )
        .map_err(|_| UnsealError)?;
    // Checked first, so that a failure leaves nothing unwiped.
    std::str::from_utf8(&text).map_err(|_| UnsealError)?;
    let text = String::from_utf8(std::mem::take(&mut *text)).map_err(|_| UnsealError)?;
    Ok(Secret::new(text))
}

fn cipher(key: &Key) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key.bytes()).expect("AES-256 keys have 32 bytes");
    LessSafeKey::new(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fixture-secret-key-do-not-use-in-prod";
    /// Made by the TypeScript and the Go implementation of the original.
    const VECTORS: [(&str, &str); 3] = [
        (
            "enc:v1:hvcSe2nh3pk4NRr+v//ejHeqpfsglBDUUD7Klxlq5fabgAEhHYG7q27lTJPO8w==",
            "xoxb-fixture-token",
        ),
        (
            "enc:v1:4zE3pih4vPA4GO4hqL6QTYuG3ndcdaRHAeAoogztyWR2hsrwLylOKytXhw==",
            "pg-fixture-pass",
        ),
        (
            "enc:v1:NUHQdIPgY89FKDK8Z50peWd2419p4EBE6aZHYcvnwoXsx3mSlKrxWRGwKgq2cjNfEvISg24N",
            "go-encrypted-fixture-value",
        ),
    ];

    #[test]
    fn values_of_the_other_implementations_open() {
        let key = Key::of_text(TEXT);
        for (sealed, expected) in VECTORS {
            assert_eq!(open(&key, sealed).unwrap().expose(), expected);
        }
    }

    #[test]
    fn the_same_nonce_seals_to_the_same_bytes_as_the_other_implementations() {
        for (sealed, plaintext) in VECTORS {
            let wire = STANDARD.decode(sealed.strip_prefix(PREFIX).unwrap()).unwrap();
            let (nonce, rest) = wire.split_first_chunk::<NONCE_LEN>().unwrap();
            let mut text = plaintext.as_bytes().to_vec();
            let tag = cipher(&Key::of_text(TEXT))
                .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text)
                .unwrap();
            assert_eq!([tag.as_ref(), &text].concat(), rest);
        }
    }

    #[test]
    fn what_is_sealed_opens_and_never_looks_the_same() {
        let key = Key::of_text(&format!(" {TEXT}\r\n"));
        for value in ["", "ä", "enc:v1:", &"x".repeat(70_000)] {
            let (one, other) = (seal(&key, value).unwrap(), seal(&key, value).unwrap());
            assert_ne!(one, other);
            assert_eq!(open(&Key::of_text(TEXT), &one).unwrap().expose(), value);
        }
    }

    #[test]
    fn a_changed_value_or_another_key_does_not_open() {
        let key = Key::of_text(TEXT);
        let sealed = VECTORS[0].0;
        let other = Key::of_text("another");
        assert!(open(&other, sealed).is_err());
        let bytes = STANDARD.decode(sealed.strip_prefix(PREFIX).unwrap()).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = format!("{PREFIX}{}", STANDARD.encode(changed));
            assert!(open(&key, &changed).is_err(), "byte {place}");
        }
        for length in 0..bytes.len() {
            let cut = format!("{PREFIX}{}", STANDARD.encode(&bytes[..length]));
            assert!(open(&key, &cut).is_err(), "length {length}");
        }
        for wrong in ["enc:v1:", "enc:v1:!", "enc:v2:AAAA", "plain"] {
            assert!(open(&key, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn derived_keys_are_those_of_the_other_implementations() {
        let derived = Key::of_text(TEXT).derive("session-cookie:v1");
        assert_eq!(
            STANDARD.encode(derived.as_slice()),
            "b5VrGRUw5e9AbOrs4fZfwQ40J4THnIIe7rT8mvJRuDc="
        );
    }
}
