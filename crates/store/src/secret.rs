//! Secrets: shown once, stored as a hash.

use std::fmt;

use aws_lc_rs::{constant_time, digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// A value that gives its holder rights: a code, a token, a client secret, a session cookie.
///
/// It cannot be printed and is wiped from memory. The store keeps only its [`SecretHash`]. The value has
/// 256 random bits, so a plain SHA-256 cannot be reversed and no slow hash is needed.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// 256 random bits in base64url.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn generate() -> Self {
        Self::generate_with_prefix("")
    }

    /// 256 random bits in base64url after a prefix. By the prefix, people and scanners for leaked secrets
    /// recognise it.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness.
    pub fn generate_with_prefix(prefix: &str) -> Self {
        let mut bits = Zeroizing::new([0; 32]);
        rand::fill(bits.as_mut()).expect("the operating system has randomness");
        // 43 characters, reserved first, because a growing string would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + 43));
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bits.as_ref(), &mut text);
        Self(text)
    }

    /// A secret that somebody presented, or that has to be sent on.
    pub fn from_presented(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The value itself. A review should look at every call.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash to store.
    pub fn sha256(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }

    /// The last four characters, by which people tell their secrets apart.
    pub fn suffix(&self) -> &str {
        let start = self.0.char_indices().rev().nth(3).map_or(0, |(index, _)| index);
        &self.0[start..]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a [`Secret`]. The comparison takes constant time.
#[derive(Clone, Copy, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes the bytes of a secret.
    pub fn of(secret: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self(hash)
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

/// Shows nothing, because a hash in a log would lead to its row.
impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl<'a> From<&'a SecretHash> for genkan_db::Value<'a> {
    fn from(hash: &'a SecretHash) -> Self {
        Self::Bytes(&hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_256_bits_and_never_repeats() {
        let (one, other) = (Secret::generate(), Secret::generate());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.expose()).unwrap().len(), 32);
        assert_ne!(one.expose(), other.expose());
        assert_ne!(one.sha256(), other.sha256());
    }

    #[test]
    fn a_secret_is_found_again_by_its_hash() {
        let secret = Secret::generate_with_prefix("test_");
        assert!(secret.expose().starts_with("test_"));
        assert_eq!(Secret::from_presented(secret.expose()).sha256(), secret.sha256());
    }

    #[test]
    fn the_hash_is_sha256() {
        // FIPS 180-4, the example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hash = Secret::from_presented("abc").sha256();
        let hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn debug_shows_neither_secret_nor_hash() {
        let secret = Secret::from_presented("hunter2-hunter2");
        let shown = format!("{secret:?} {:?}", secret.sha256());
        assert_eq!(shown, "Secret(…) SecretHash(…)");
    }

    #[test]
    fn the_suffix_is_four_characters_whatever_they_are() {
        for (text, suffix) in [("abcdef", "cdef"), ("ab", "ab"), ("", ""), ("aé中🦀z", "é中🦀z")] {
            assert_eq!(Secret::from_presented(text).suffix(), suffix);
        }
    }
}
