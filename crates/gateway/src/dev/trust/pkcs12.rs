//! A truststore for Java: certificates in PKCS#12, with a MAC.
//!
//! Certificates are public, so nothing is encrypted; the password only makes the MAC that
//! Java checks. It is written here because the libraries bring twenty ciphers for an
//! encryption that a truststore does not need.
//!
//! Source: RFC 7292 §4 (structure), appendix B (the key of the MAC); RFC 2315; X.690 (DER).

use aws_lc_rs::{digest, hmac};
use rustls::pki_types::CertificateDer;

/// 1.2.840.113549.1.7.1 `data`.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// 1.2.840.113549.1.12.10.1.3 `certBag`.
const CERT_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03];
/// 1.2.840.113549.1.9.22.1 `x509Certificate`.
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
/// 1.2.840.113549.1.9.20 `friendlyName`: the alias.
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14];
/// 2.16.840.1.113894.746875.1.1: without it, Java does not trust a certificate.
const TRUSTED_KEY_USAGE: &[u8] = &[
    0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01,
];
/// 2.5.29.37.0 `anyExtendedKeyUsage`.
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
/// 2.16.840.1.101.3.4.2.1 SHA-256.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const INTEGER: u8 = 0x02;
const NULL: u8 = 0x05;
const BMP_STRING: u8 = 0x1e;
/// `[0] EXPLICIT`.
const CONTEXT_0: u8 = 0xa0;

/// About as many as NSS, OpenSSL and Java write. They slow the guessing of a password that
/// everybody knows, so readers only have to accept the number.
const ITERATIONS: u16 = 10_000;

/// A truststore of `certificates`; nothing if there are none.
pub(super) fn truststore(certificates: &[CertificateDer<'_>], password: &str) -> Option<Vec<u8>> {
    if certificates.is_empty() {
        return None;
    }
    let bags: Vec<Vec<u8>> = certificates
        .iter()
        .enumerate()
        .map(|(index, der)| bag(index, der))
        .collect();
    let safe_contents = der(SEQUENCE, &bags.concat());
    let authenticated_safe = der(SEQUENCE, &content_info(&safe_contents));
    // The salt comes from the content, so the same certificates make the same file.
    let salt = digest::digest(&digest::SHA256, &authenticated_safe);
    let key = mac_key(password, salt.as_ref(), ITERATIONS);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &authenticated_safe);
    let algorithm = der(SEQUENCE, &[oid(SHA256), der(NULL, &[])].concat());
    let digest_info = der(SEQUENCE, &[algorithm, der(OCTET_STRING, mac.as_ref())].concat());
    let mac_data = der(
        SEQUENCE,
        &[
            digest_info,
            der(OCTET_STRING, salt.as_ref()),
            der(INTEGER, &ITERATIONS.to_be_bytes()),
        ]
        .concat(),
    );
    let version = der(INTEGER, &[3]);
    Some(der(
        SEQUENCE,
        &[version, content_info(&authenticated_safe), mac_data].concat(),
    ))
}

/// A certificate that Java trusts for everything.
fn bag(index: usize, certificate: &[u8]) -> Vec<u8> {
    let value = der(CONTEXT_0, &der(OCTET_STRING, certificate));
    let cert_bag = der(SEQUENCE, &[oid(X509_CERTIFICATE), value].concat());
    // The first one is ours. Aliases must only differ from each other.
    let alias = if index == 0 {
        "genkan".to_owned()
    } else {
        format!("system-{index}")
    };
    let alias: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let attributes = [
        attribute(FRIENDLY_NAME, &der(BMP_STRING, &alias)),
        attribute(TRUSTED_KEY_USAGE, &oid(ANY_USAGE)),
    ];
    let parts = [
        oid(CERT_BAG),
        der(CONTEXT_0, &cert_bag),
        der(SET, &attributes.concat()),
    ];
    der(SEQUENCE, &parts.concat())
}

fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[oid(kind), der(SET, value)].concat())
}

fn content_info(content: &[u8]) -> Vec<u8> {
    let content = der(CONTEXT_0, &der(OCTET_STRING, content));
    der(SEQUENCE, &[oid(DATA), content].concat())
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    der(OBJECT_IDENTIFIER, bytes)
}

/// Tag, length, value.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = value.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    match significant {
        [] => out.push(0),
        [short @ ..0x80] => out.push(*short),
        long => {
            // At most eight bytes of a usize.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(value);
    out
}

/// The key of the MAC: RFC 7292 appendix B.2 with SHA-256 and `ID` 3, one round, since
/// the key is as long as the hash.
fn mac_key(password: &str, salt: &[u8], iterations: u16) -> Vec<u8> {
    const BLOCK: usize = 64;
    // B.1: UTF-16, the final zero included.
    let password: Vec<u8> = password
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_be_bytes)
        .collect();
    let fill = |bytes: &[u8]| -> Vec<u8> {
        let length = bytes.len().div_ceil(BLOCK) * BLOCK;
        bytes.iter().copied().cycle().take(length).collect()
    };
    let input = [vec![3; BLOCK], fill(salt), fill(&password)].concat();
    let mut key = digest::digest(&digest::SHA256, &input);
    for _ in 1..iterations {
        key = digest::digest(&digest::SHA256, key.as_ref());
    }
    key.as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_der() {
        assert_eq!(der(NULL, &[]), [5, 0]);
        assert_eq!(der(OCTET_STRING, &[7; 127])[..2], [4, 127]);
        assert_eq!(der(OCTET_STRING, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(der(OCTET_STRING, &[7; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn no_certificates_make_no_truststore() {
        assert_eq!(truststore(&[], "changeit"), None);
    }

    /// The programs that read such files, if they are installed, agree with us.
    #[test]
    fn openssl_and_java_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = crate::dev_ca::ensure(
            folder.path(),
            "localhost",
            genkan_protocol::Timestamp::from_secs(1_790_000_000),
        )
        .unwrap();
        let trust = crate::dev::trust::ensure(folder.path()).unwrap();
        assert_eq!(trust.ca_file, files.ca_file);
        let store = trust.truststore_file.to_str().unwrap();
        let run = |program: &str, args: &[&str]| {
            let output = std::process::Command::new(program).args(args).output().ok()?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((
                output.status.success(),
                text(&output.stdout) + &text(&output.stderr),
            ))
        };
        if let Some((read, text)) = run(
            "openssl",
            &["pkcs12", "-in", store, "-nokeys", "-passin", "pass:changeit"],
        ) {
            assert!(read && text.contains("genkan"), "{text}");
            let (wrong, _) = run(
                "openssl",
                &["pkcs12", "-in", store, "-nokeys", "-passin", "pass:other"],
            )
            .unwrap();
            assert!(!wrong, "the MAC was not checked");
        }
        let list = [
            "-list",
            "-keystore",
            store,
            "-storepass",
            "changeit",
            "-alias",
            "genkan",
        ];
        if let Some((read, text)) = run("keytool", &list) {
            assert!(read && text.contains("trustedCertEntry"), "{text}");
        }
    }
}
