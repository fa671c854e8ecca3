//! The keys of our own that a connection shows to its identity provider, each in a certificate of its own.
//!
//! Providers register certificates and read nothing but the key from them, so nobody else signs these.
//!
//! Source: RFC 5280 §4.1, RFC 8017 §8.2 (RSASSA-PKCS1-v1_5), Metadata Interoperability Profile §2.5.1.

use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{Any, BitString, GeneralizedTime, OctetString, UtcTime};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use zeroize::Zeroizing;

use crate::Timestamp;

/// How long a certificate says that it counts. Its end stops nothing (Metadata Interoperability Profile
/// §2.6.1), but some providers warn about it, and some refuse to register an old one.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_hours(3653 * 24);

/// The clock of a provider may be this far behind ours when it registers the certificate.
const BACKDATED: Duration = Duration::from_hours(24);

/// The most characters of a common name (RFC 5280 appendix A.1, ub-common-name).
const MAX_COMMON_NAME: usize = 64;

const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// What a key is for. One key never does both: an answer to a decryption must not be a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// We sign our requests with it.
    Signing,
    /// The provider encrypts assertions to it.
    Decryption,
}

/// A new RSA key of 2048 bits, and its certificate.
pub struct OwnKey {
    /// The private key, as PKCS#8.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// The certificate, as DER.
    pub certificate: Vec<u8>,
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnKey").finish_non_exhaustive()
    }
}

/// The cryptographic library failed, or a time is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key could be made")]
pub struct OwnKeyError;

impl OwnKey {
    /// Makes a key. `host` is our name in its certificate. It takes a tenth of a second and more.
    ///
    /// # Errors
    ///
    /// [`OwnKeyError`] if the cryptographic library fails, or `now` is out of range.
    pub fn generate(host: &str, purpose: KeyPurpose, now: Timestamp) -> Result<Self, OwnKeyError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| OwnKeyError)?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| OwnKeyError)?;
        Ok(Self {
            pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
            certificate: certify(&pair, host, purpose, now).map_err(|Unencodable| OwnKeyError)?,
        })
    }
}

/// Every cause has the same text for people.
struct Unencodable;

impl From<x509_cert::der::Error> for Unencodable {
    fn from(_: x509_cert::der::Error) -> Self {
        Self
    }
}

impl From<aws_lc_rs::error::Unspecified> for Unencodable {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// A certificate that the key itself signs.
fn certify(
    pair: &RsaKeyPair,
    host: &str,
    purpose: KeyPurpose,
    now: Timestamp,
) -> Result<Vec<u8>, Unencodable> {
    let key: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    let name = name(host)?;
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: serial_number(key.as_ref())?,
        signature: sha256_with_rsa(),
        issuer: name.clone(),
        validity: Validity {
            not_before: time(now - BACKDATED)?,
            not_after: time(now + CERTIFICATE_LIFETIME)?,
        },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(key.as_ref())?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions(purpose)?),
    };
    let mut signature = vec![0; pair.public_modulus_len()];
    let message = tbs_certificate.to_der()?;
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature)?;
    let certificate = Certificate {
        tbs_certificate,
        signature_algorithm: sha256_with_rsa(),
        signature: BitString::from_bytes(&signature)?,
    };
    Ok(certificate.to_der()?)
}

/// RFC 4055 §5: its parameters are NULL.
fn sha256_with_rsa() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: SHA256_WITH_RSA,
        parameters: Some(Any::null()),
    }
}

/// Our host as the only part of a name. A host has no character that RFC 4514 §2.4 would escape.
fn name(host: &str) -> Result<Name, Unencodable> {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':');
    let host: String = host.chars().filter(plain).take(MAX_COMMON_NAME).collect();
    Ok(Name::from_str(&format!("CN={host}"))?)
}

/// RFC 5280 §4.1.2.2: positive, at most 20 octets. Of the key, so that it is another for each.
fn serial_number(key: &[u8]) -> Result<SerialNumber, Unencodable> {
    let mut serial: Vec<u8> = digest(&SHA256, key).as_ref().iter().copied().take(16).collect();
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::new(&serial)?)
}

/// RFC 5280 §4.1.2.5: as `UTCTime` through 2049, and later as `GeneralizedTime`.
fn time(at: Timestamp) -> Result<Time, Unencodable> {
    let secs = u64::try_from(at.as_secs()).map_err(|_| Unencodable)?;
    let since_epoch = Duration::from_secs(secs);
    Ok(match UtcTime::from_unix_duration(since_epoch) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_unix_duration(since_epoch)?),
    })
}

/// RFC 5280 §4.2.1.9: it is no authority. §4.2.1.3: what its key does.
fn extensions(purpose: KeyPurpose) -> Result<Vec<Extension>, Unencodable> {
    let constraints = BasicConstraints {
        ca: false,
        path_len_constraint: None,
    };
    let usage = match purpose {
        KeyPurpose::Signing => KeyUsage(KeyUsages::DigitalSignature.into()),
        KeyPurpose::Decryption => KeyUsage(KeyUsages::KeyEncipherment.into()),
    };
    let extension = |extn_id, value: Vec<u8>| -> Result<Extension, Unencodable> {
        Ok(Extension {
            extn_id,
            critical: true,
            extn_value: OctetString::new(value)?,
        })
    };
    Ok(vec![
        extension(BASIC_CONSTRAINTS, constraints.to_der()?)?,
        extension(KEY_USAGE, usage.to_der()?)?,
    ])
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};

    use super::*;
    use crate::saml::IdpCertificate;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn parsed(key: &OwnKey) -> Certificate {
        Certificate::from_der(&key.certificate).unwrap()
    }

    #[test]
    fn a_certificate_carries_its_own_key_and_our_host_for_ten_years() {
        let key = OwnKey::generate("login.example.com", KeyPurpose::Signing, NOW).unwrap();
        let certificate = parsed(&key);
        let tbs = &certificate.tbs_certificate;
        assert_eq!(tbs.subject.to_string(), "CN=login.example.com");
        assert_eq!(tbs.subject, tbs.issuer);
        let until = tbs.validity.not_after.to_unix_duration().as_secs();
        assert_eq!(until, 1_790_000_000 + 3653 * 86_400);

        let pair = RsaKeyPair::from_pkcs8(&key.pkcs8).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        assert_eq!(tbs.subject_public_key_info.to_der().unwrap(), spki.as_ref());
    }

    #[test]
    fn a_certificate_is_signed_by_the_key_that_it_carries() {
        let key = OwnKey::generate("login.example.com", KeyPurpose::Decryption, NOW).unwrap();
        let certificate = parsed(&key);
        let spki = certificate
            .tbs_certificate
            .subject_public_key_info
            .to_der()
            .unwrap();
        let message = certificate.tbs_certificate.to_der().unwrap();
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki).unwrap();
        public
            .verify_sig(&message, certificate.signature.raw_bytes())
            .unwrap();
    }

    #[test]
    fn the_rules_for_certificates_of_providers_hold_for_ours_too() {
        let key = OwnKey::generate("login.example.com", KeyPurpose::Signing, NOW).unwrap();
        let pem = IdpCertificate::from_der(&key.certificate).unwrap().to_pem();
        let read = IdpCertificate::parse_all(&pem).unwrap();
        assert_eq!(read[0].der(), key.certificate);
    }

    #[test]
    fn two_keys_differ_in_everything_that_names_them() {
        let [one, other] = [KeyPurpose::Signing, KeyPurpose::Decryption]
            .map(|purpose| OwnKey::generate("login.example.com", purpose, NOW).unwrap());
        assert_ne!(*one.pkcs8, *other.pkcs8);
        let serial = |key| parsed(key).tbs_certificate.serial_number;
        assert_ne!(serial(&one), serial(&other));
    }

    #[test]
    fn an_odd_host_and_a_far_time_make_a_certificate_all_the_same() {
        let long = "a".repeat(200);
        for host in [long.as_str(), "[::1]", "münchen,O=Evil", ""] {
            let key = OwnKey::generate(host, KeyPurpose::Signing, Timestamp::from_secs(2_400_000_000));
            let certificate = parsed(&key.unwrap());
            let subject = certificate.tbs_certificate.subject.to_string();
            assert!(subject.len() <= 67 && !subject.contains(','), "{subject}");
        }
    }

    #[test]
    fn the_private_key_is_not_printed() {
        let key = OwnKey::generate("login.example.com", KeyPurpose::Signing, NOW).unwrap();
        assert_eq!(format!("{key:?}"), "OwnKey { .. }");
    }
}
