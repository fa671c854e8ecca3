//! Encryption of assertions: what an identity provider does. The simulator is one.
//!
//! Source: XML Encryption 1.1 §3, §4.1; SAML 2.0 Core §2.3.4.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use zeroize::Zeroizing;

use super::algorithm::{MGF1_SHA1, MGF1_SHA256, SHA1, SHA256};
use super::{ContentEncryption, ELEMENT, KeyTransport, XML_ENCRYPTION, XML_ENCRYPTION_11};
use crate::saml::names::{ASSERTION, XML_SIGNATURE};

/// Something cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The certificate cannot be read, or has no RSA key.
    #[error("the certificate has no RSA key")]
    Certificate,
    /// The cryptographic library could not encrypt.
    #[error("the element could not be encrypted")]
    Failed,
}

impl From<Unspecified> for EncryptionError {
    fn from(_: Unspecified) -> Self {
        Self::Failed
    }
}

/// Encrypts an assertion to the owner of a certificate, as an `EncryptedAssertion`, with
/// AES-256-GCM and RSA-OAEP as every recipient knows them.
///
/// # Errors
///
/// [`EncryptionError`] if the certificate cannot be used.
pub fn encrypt(plain: &[u8], certificate_der: &[u8]) -> Result<String, EncryptionError> {
    encrypt_as(
        plain,
        certificate_der,
        ContentEncryption::Aes256Gcm,
        KeyTransport::OaepMgf1p,
    )
}

/// Encrypts an assertion with these algorithms.
///
/// # Errors
///
/// [`EncryptionError`] if the certificate cannot be used.
pub fn encrypt_as(
    plain: &[u8],
    certificate_der: &[u8],
    content: ContentEncryption,
    transport: KeyTransport,
) -> Result<String, EncryptionError> {
    let mut key = Zeroizing::new(vec![0; content.key_len()]);
    rand::fill(&mut key)?;
    let wrapped = STANDARD.encode(wrap(&key, certificate_der, transport)?);
    let sealed = STANDARD.encode(seal(content, &key, plain)?);
    let (digest, mask) = match transport {
        KeyTransport::OaepMgf1p | KeyTransport::OaepSha1 => (SHA1, MGF1_SHA1),
        KeyTransport::OaepSha256 => (SHA256, MGF1_SHA256),
    };
    let mask = match transport {
        KeyTransport::OaepMgf1p => String::new(),
        KeyTransport::OaepSha1 | KeyTransport::OaepSha256 => {
            format!("<xenc11:MGF xmlns:xenc11=\"{XML_ENCRYPTION_11}\" Algorithm=\"{mask}\"/>")
        }
    };
    let (content, transport) = (content.uri(), transport.uri());
    Ok(format!(
        "<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\">\
         <xenc:EncryptedData xmlns:xenc=\"{XML_ENCRYPTION}\" Type=\"{ELEMENT}\">\
         <xenc:EncryptionMethod Algorithm=\"{content}\"/>\
         <ds:KeyInfo xmlns:ds=\"{XML_SIGNATURE}\"><xenc:EncryptedKey>\
         <xenc:EncryptionMethod Algorithm=\"{transport}\">\
         <ds:DigestMethod Algorithm=\"{digest}\"/>{mask}</xenc:EncryptionMethod>\
         <xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedKey></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue>{sealed}</xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedData></saml:EncryptedAssertion>"
    ))
}

fn wrap(key: &[u8], certificate_der: &[u8], transport: KeyTransport) -> Result<Vec<u8>, EncryptionError> {
    let certificate = Certificate::from_der(certificate_der).map_err(|_| EncryptionError::Certificate)?;
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der();
    let spki = spki.map_err(|_| EncryptionError::Certificate)?;
    let recipient = PublicEncryptingKey::from_der(&spki).map_err(|_| EncryptionError::Certificate)?;
    let recipient = OaepPublicEncryptingKey::new(recipient)?;
    let mut wrapped = vec![0; recipient.ciphertext_size()];
    let length = recipient
        .encrypt(transport.algorithm(), key, &mut wrapped, None)?
        .len();
    wrapped.truncate(length);
    Ok(wrapped)
}

fn seal(content: ContentEncryption, key: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
    match content {
        ContentEncryption::Aes128Gcm => seal_gcm(&aead::AES_128_GCM, key, plain),
        ContentEncryption::Aes256Gcm => seal_gcm(&aead::AES_256_GCM, key, plain),
        ContentEncryption::Aes128Cbc => seal_cbc(&cipher::AES_128, key, plain),
        ContentEncryption::Aes256Cbc => seal_cbc(&cipher::AES_256, key, plain),
    }
}

fn seal_gcm(algorithm: &'static aead::Algorithm, key: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce)?;
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// The padding of PKCS #7 is one of those that XML Encryption §5.2 allows.
fn seal_cbc(algorithm: &'static cipher::Algorithm, key: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key)?)?;
    let mut sealed = plain.to_vec();
    let context = key.encrypt(&mut sealed)?;
    let vector: &[u8] = (&context).try_into()?;
    Ok([vector, &sealed].concat())
}
