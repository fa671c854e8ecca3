//! Sealing: values that must be readable again (signing keys, secrets at identity providers) are encrypted
//! under the instance key.
//!
//! Source: NIST SP 800-38D (AES-GCM), RFC 5869 (HKDF).

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac, rand};
use zeroize::Zeroizing;

use crate::SecretHash;

const VERSION: u8 = 1;
const SALT_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const HEADER_LEN: usize = 1 + SALT_LEN + NONCE_LEN;

/// The key of this instance. Without it, a copy of the database opens nothing.
///
/// Every message is encrypted under a key of its own, which is derived from a random salt. Random 96-bit
/// nonces under a single key would have to stop after 2
/// 32 messages (NIST SP 800-38D §8.3), and a busy gateway reaches that in a year.
pub struct InstanceKey(Zeroizing<[u8; 32]>);

/// The place of a sealed value. It is authenticated with the value, so an attacker who can write to the
/// database cannot move the value to another row or column.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    /// The table and column, such as `connections.client_secret`.
    pub column: &'static str,
    /// The primary key of the row.
    pub id: &'a str,
}

/// A sealed value cannot be opened: it was sealed under another instance key or for another place, or
/// somebody changed it. The error does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value cannot be opened with this instance key")]
pub struct OpenError;

impl InstanceKey {
    pub const fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// A new key. The operator of the new instance must store it.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut()).expect("the operating system has randomness");
        Self(bytes)
    }

    /// The key itself, to write it to its file.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts `plaintext` for `place`: version, salt, nonce, ciphertext and tag.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn seal(&self, place: SealContext<'_>, plaintext: &[u8]) -> Vec<u8> {
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt).expect("the operating system has randomness");
        let mut message = Vec::with_capacity(HEADER_LEN + plaintext.len() + AES_256_GCM.tag_len());
        message.resize(HEADER_LEN, VERSION);
        message[1..=SALT_LEN].copy_from_slice(&salt);
        message.extend_from_slice(plaintext);
        let (nonce, tag) = self
            .message_key(&salt)
            .seal_in_place_separate_tag(Aad::from(place.associated_data()), &mut message[HEADER_LEN..])
            .expect("AES-GCM encrypts any message that fits in memory");
        message[1 + SALT_LEN..HEADER_LEN].copy_from_slice(nonce.as_ref());
        message.extend_from_slice(tag.as_ref());
        message
    }

    /// Decrypts a value that was sealed for `place`.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the message was sealed under another key or for another
    /// place, or was changed.
    pub fn open(&self, place: SealContext<'_>, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (header, sealed) = message.split_at_checked(HEADER_LEN).ok_or(OpenError)?;
        let [version, rest @ ..] = header else {
            return Err(OpenError);
        };
        if *version != VERSION {
            return Err(OpenError);
        }
        let (salt, nonce) = rest.split_at(SALT_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError)?;
        let mut plaintext = Zeroizing::new(sealed.to_vec());
        let len = self
            .message_key(salt)
            .open_in_place(nonce, Aad::from(place.associated_data()), &mut plaintext)
            .map_err(|_| OpenError)?
            .len();
        plaintext.truncate(len);
        Ok(plaintext)
    }

    /// A keyed hash of `message` for `place`. It is for values that are too short for a plain hash: without
    /// this key, a copy of the database does not reveal six digits.
    ///
    /// Source: RFC 2104.
    pub fn mac(&self, place: SealContext<'_>, message: &[u8]) -> SecretHash {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"genkan mac")
            .extract(self.0.as_ref())
            .expand(&[b"genkan mac"], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("HKDF gives 32 bytes");
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()));
        let place = place.associated_data();
        // The length separates place and message.
        context.update(&u64::try_from(place.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(&place);
        context.update(message);
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        SecretHash::from_bytes(mac)
    }

    fn message_key(&self, salt: &[u8]) -> RandomizedNonceKey {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(self.0.as_ref())
            .expand(&[b"genkan seal"], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(key.as_mut()))
            .expect("HKDF gives 32 bytes");
        RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).expect("the key has 32 bytes")
    }
}

impl SealContext<'_> {
    /// No column holds a slash, so no two places have the same text.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(1 + self.column.len() + 1 + self.id.len());
        data.push(VERSION);
        data.extend_from_slice(self.column.as_bytes());
        data.push(b'/');
        data.extend_from_slice(self.id.as_bytes());
        data
    }
}

impl std::fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InstanceKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: SealContext<'static> = SealContext {
        column: "connections.client_secret",
        id: "conn_1",
    };

    #[test]
    fn what_is_sealed_opens_again() {
        let key = InstanceKey::generate();
        for plaintext in [&b""[..], b"s3cret", &[7; 5000]] {
            let sealed = key.seal(PLACE, plaintext);
            assert_eq!(key.open(PLACE, &sealed).unwrap().as_slice(), plaintext);
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way() {
        let key = InstanceKey::generate();
        assert_ne!(key.seal(PLACE, b"s3cret"), key.seal(PLACE, b"s3cret"));
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let key = InstanceKey::generate();
        let sealed = key.seal(PLACE, b"s3cret");
        let other_row = SealContext {
            id: "conn_2",
            ..PLACE
        };
        let other_column = SealContext {
            column: "signing_keys.private_key",
            ..PLACE
        };
        assert_eq!(key.open(other_row, &sealed).unwrap_err(), OpenError);
        assert_eq!(key.open(other_column, &sealed).unwrap_err(), OpenError);
        assert_eq!(
            InstanceKey::generate().open(PLACE, &sealed).unwrap_err(),
            OpenError
        );
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let key = InstanceKey::generate();
        let sealed = key.seal(PLACE, b"s3cret");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key.open(PLACE, &changed).unwrap_err(), OpenError, "byte {index}");
            assert_eq!(
                key.open(PLACE, &sealed[..index]).unwrap_err(),
                OpenError,
                "{index} bytes"
            );
        }
    }

    #[test]
    fn a_keyed_hash_needs_the_key_the_place_and_the_message() {
        let key = InstanceKey::generate();
        let mac = key.mac(PLACE, b"271828");
        assert_eq!(mac, key.mac(PLACE, b"271828"));
        let other_row = SealContext {
            id: "conn_2",
            ..PLACE
        };
        let moved = SealContext {
            id: "conn_127",
            ..PLACE
        };
        for other in [
            InstanceKey::generate().mac(PLACE, b"271828"),
            key.mac(other_row, b"271828"),
            key.mac(PLACE, b"271829"),
            key.mac(moved, b"1828"),
        ] {
            assert_ne!(mac, other);
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", InstanceKey::generate()), "InstanceKey(…)");
    }
}
