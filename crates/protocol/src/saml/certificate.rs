//! Certificates that carry an identity provider's signing key.
//!
//! Source: RFC 5280 §4.1; RFC 7468 §5 (PEM).

use aws_lc_rs::digest;
use aws_lc_rs::rsa::PublicEncryptingKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::spki::ObjectIdentifier;

use crate::Timestamp;

/// More certificates than this are not read: a provider has one, and two while it rotates.
const MAX_CERTIFICATES: usize = 10;
/// A certificate is no longer, in base64.
const MAX_BASE64: usize = 16 * 1024;

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const CURVES: [ObjectIdentifier; 3] = [P256, P384, P521];

/// A certificate whose key an identity provider signs with.
///
/// Only the key counts: the certificate's end and its issuer are information for people
/// (Metadata Interoperability Profile §2.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpCertificate {
    der: Vec<u8>,
    subject: String,
    issuer: String,
    expires_at: Timestamp,
    is_authority: bool,
}

/// A text holds no usable certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is nothing between the marks, or nothing at all.
    #[error("holds no certificate")]
    Empty,
    /// More than a provider needs.
    #[error("holds more than {MAX_CERTIFICATES} certificates")]
    TooMany,
    /// Neither PEM nor the base64 of a certificate.
    #[error("is not a certificate: enter PEM, or the base64 between its marks")]
    Malformed,
    /// A private key was entered: its owner should replace it.
    #[error("is a private key: enter the certificate, and replace the key, which has been seen here")]
    PrivateKey,
    /// The key's type or length is not safe.
    #[error("has a key that cannot be relied on: RSA of 2048 bits and more, and P-256, P-384 and P-521 can")]
    Key,
}

impl IdpCertificate {
    /// Reads one certificate or several: PEM, or the bare base64 of one.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if any of them cannot be used.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, CertificateError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(CertificateError::PrivateKey);
        }
        let mut certificates = Vec::new();
        for block in blocks(text)? {
            if certificates.len() == MAX_CERTIFICATES {
                return Err(CertificateError::TooMany);
            }
            let certificate = Self::from_base64(block)?;
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(CertificateError::Empty);
        }
        Ok(certificates)
    }

    /// Reads the base64 of a certificate, white space ignored.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none, or its key is too weak.
    pub fn from_base64(text: &str) -> Result<Self, CertificateError> {
        let certificate = Self::of_any_key(text)?;
        certificate.check_key()?;
        Ok(certificate)
    }

    /// As [`Self::from_base64`], for a certificate that perhaps stands in a chain only: what its key is worth
    /// is seen by [`Self::check_key`].
    pub(super) fn of_any_key(text: &str) -> Result<Self, CertificateError> {
        if text.len() > MAX_BASE64 {
            return Err(CertificateError::Malformed);
        }
        let base64: String = text
            .chars()
            .filter(|letter| !letter.is_ascii_whitespace())
            .collect();
        if base64.is_empty() {
            return Err(CertificateError::Empty);
        }
        let der = STANDARD.decode(base64).map_err(|_| CertificateError::Malformed)?;
        Self::parse(&der)
    }

    /// Whether signatures of its key can be relied on.
    pub(super) fn check_key(&self) -> Result<(), CertificateError> {
        let certificate = Certificate::from_der(&self.der).map_err(|_| CertificateError::Malformed)?;
        refuse_weak_key(&certificate)
    }

    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none, or its key is too weak.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Self::parse(der)?;
        certificate.check_key()?;
        Ok(certificate)
    }

    fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        let tbs = &certificate.tbs_certificate;
        let end = tbs.validity.not_after.to_unix_duration().as_secs();
        let end = i64::try_from(end).map_err(|_| CertificateError::Malformed)?;
        let constraints = tbs.get::<BasicConstraints>();
        Ok(Self {
            // RFC 5280 §4.2.1.9. One that cannot be read, or stands twice, makes no authority of it.
            is_authority: constraints.is_ok_and(|found| found.is_some_and(|(_, found)| found.ca)),
            subject: tbs.subject.to_string(),
            issuer: tbs.issuer.to_string(),
            expires_at: Timestamp::from_secs(end),
            der: der.to_vec(),
        })
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose it is (RFC 4514).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether it may issue others.
    pub(super) const fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// Whether it has issued `other`, by their names. One that signed itself has the name of its successor.
    pub(super) fn has_issued(&self, other: &Self) -> bool {
        other.issuer != other.subject && other.issuer == self.subject
    }

    /// Who issued it (RFC 4514), mostly the provider itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When it ends; its key is accepted beyond.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The SHA-256 of the DER as people compare it: pairs of hexadecimal digits, as `openssl x509 -fingerprint` and
    /// the consoles of providers print it.
    pub fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, &self.der);
        let pairs: Vec<String> = hash.as_ref().iter().map(|octet| format!("{octet:02X}")).collect();
        pairs.join(":")
    }

    /// As PEM, for people and their tools.
    pub fn to_pem(&self) -> String {
        let base64 = STANDARD.encode(&self.der);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        // RFC 7468 §2: 64 characters a line.
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}

/// The text between the marks of PEM, or the whole text if it has none.
fn blocks(text: &str) -> Result<Vec<&str>, CertificateError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if !text.contains("-----") {
        return Ok(vec![text]);
    }
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (block, more) = after.split_once(END).ok_or(CertificateError::Malformed)?;
        blocks.push(block);
        rest = more;
    }
    Ok(blocks)
}

fn refuse_weak_key(certificate: &Certificate) -> Result<(), CertificateError> {
    let key = &certificate.tbs_certificate.subject_public_key_info;
    let is_strong = match key.algorithm.oid {
        RSA => {
            let der = key.to_der().map_err(|_| CertificateError::Malformed)?;
            PublicEncryptingKey::from_der(&der).is_ok_and(|key| key.key_size_bits() >= 2048)
        }
        EC => {
            let curve = key.algorithm.parameters.as_ref();
            let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            curve.is_some_and(|curve| CURVES.contains(&curve))
        }
        _ => false,
    };
    if is_strong {
        Ok(())
    } else {
        Err(CertificateError::Key)
    }
}
