//! The algorithms of encryption: our table, which no message can widen.
//!
//! Source: XML Encryption 1.1 §5.2, §5.5.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::{FixedLength, IV_LEN_128_BIT};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm};

/// What a connection accepts beyond the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncryptionPolicy {
    /// Cipher block chaining, which does not notice changes of the cipher text. Only if a
    /// connection says so by name, and only where a signature covers the cipher text.
    pub cbc: bool,
}

/// How the content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ContentEncryption {
    Aes128Gcm,
    Aes256Gcm,
    Aes128Cbc,
    Aes256Cbc,
}

/// How the key of the content is encrypted. RSA of PKCS #1 version 1.5 is none of them:
/// its padding is an oracle (XML Encryption §5.5.1 warns of it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyTransport {
    /// `rsa-oaep-mgf1p`, SHA-1 twice.
    OaepMgf1p,
    /// `rsa-oaep` of version 1.1, SHA-1 twice.
    OaepSha1,
    /// `rsa-oaep` of version 1.1, SHA-256 twice.
    OaepSha256,
}

impl ContentEncryption {
    const ALL: [Self; 4] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::Aes128Cbc, Self::Aes256Cbc];

    /// Its identifier.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            Self::Aes256Gcm => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            Self::Aes128Cbc => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes256Cbc => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }

    /// The encryption of an identifier, if this policy allows it.
    pub(super) fn find(uri: &str, policy: EncryptionPolicy) -> Option<Self> {
        Self::ALL
            .into_iter()
            .filter(|content| policy.cbc || !matches!(content, Self::Aes128Cbc | Self::Aes256Cbc))
            .find(|content| content.uri() == uri)
    }

    pub(super) const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    /// Opens octets in their place. What is left of them is the plain text.
    pub(super) fn open(self, key: &[u8], octets: &mut Vec<u8>) -> Result<(), Unspecified> {
        match self {
            Self::Aes128Gcm => open_gcm(&aead::AES_128_GCM, key, octets),
            Self::Aes256Gcm => open_gcm(&aead::AES_256_GCM, key, octets),
            Self::Aes128Cbc => open_cbc(&cipher::AES_128, key, octets),
            Self::Aes256Cbc => open_cbc(&cipher::AES_256, key, octets),
        }
    }
}

/// XML Encryption §5.2.4: 96 bits of nonce, the cipher text, 128 bits of tag.
fn open_gcm(
    algorithm: &'static aead::Algorithm,
    key: &[u8],
    octets: &mut Vec<u8>,
) -> Result<(), Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
    let (nonce, sealed) = octets.split_at_mut_checked(NONCE_LEN).ok_or(Unspecified)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    let length = key.open_in_place(nonce, Aad::empty(), sealed)?.len();
    octets.truncate(NONCE_LEN + length);
    octets.drain(..NONCE_LEN);
    Ok(())
}

/// XML Encryption §5.2: 128 bits of initialization vector, then blocks; the last octet tells
/// how many are padding, and the others of the padding may be anything.
fn open_cbc(
    algorithm: &'static cipher::Algorithm,
    key: &[u8],
    octets: &mut Vec<u8>,
) -> Result<(), Unspecified> {
    let key = PaddedBlockDecryptingKey::cbc_iso10126(UnboundCipherKey::new(algorithm, key)?)?;
    let (vector, blocks) = octets
        .split_first_chunk_mut::<IV_LEN_128_BIT>()
        .ok_or(Unspecified)?;
    let context = DecryptionContext::Iv128(FixedLength::from(&*vector));
    let length = key.decrypt(blocks, context)?.len();
    octets.truncate(IV_LEN_128_BIT + length);
    octets.drain(..IV_LEN_128_BIT);
    Ok(())
}

/// XML Encryption §5.5.2.
pub(super) const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
pub(super) const OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
pub(super) const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
pub(super) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub(super) const MGF1_SHA1: &str = "http://www.w3.org/2009/xmlenc11#mgf1sha1";
pub(super) const MGF1_SHA256: &str = "http://www.w3.org/2009/xmlenc11#mgf1sha256";

impl KeyTransport {
    /// Its identifier. Two of them have the same, and differ in their parameters.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::OaepMgf1p => OAEP_MGF1P,
            Self::OaepSha1 | Self::OaepSha256 => OAEP,
        }
    }

    /// The transport of an identifier and its parameters, or the name of what is not supported.
    ///
    /// The library knows no padding with two different hashes.
    pub(super) fn find(uri: &str, digest: Option<&str>, mask: Option<&str>) -> Result<Self, String> {
        let digest = digest.unwrap_or(SHA1);
        match uri {
            // §5.5.2: this one always masks with SHA-1.
            OAEP_MGF1P if digest == SHA1 && mask.is_none_or(|mask| mask == MGF1_SHA1) => Ok(Self::OaepMgf1p),
            OAEP => match (digest, mask.unwrap_or(MGF1_SHA1)) {
                (SHA1, MGF1_SHA1) => Ok(Self::OaepSha1),
                (SHA256, MGF1_SHA256) => Ok(Self::OaepSha256),
                (digest, mask) => Err(format!("{uri} {digest} {mask}")),
            },
            OAEP_MGF1P => Err(format!("{uri} {digest} {}", mask.unwrap_or(MGF1_SHA1))),
            _ => Err(uri.to_owned()),
        }
    }

    pub(super) const fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::OaepMgf1p | Self::OaepSha1 => &OAEP_SHA1_MGF1SHA1,
            Self::OaepSha256 => &OAEP_SHA256_MGF1SHA256,
        }
    }
}
