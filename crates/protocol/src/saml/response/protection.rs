//! What protects an answer: its signatures and its encryption.
//!
//! Source: SAML 2.0 Core §5, §6; Profiles §4.1.4.5.

use zeroize::Zeroizing;

use super::checks::{
    ASSERTION_SIGNATURE, CERTIFICATE, CERTIFICATES, CONTENT, Checks, DECRYPTED, ENCRYPTION, Failed,
    RESPONSE_SIGNATURE, SIGNED_PARTS, duration,
};
use super::{Expected, RequiredSignature};
use crate::Timestamp;
use crate::saml::document::{Document, Element};
use crate::saml::encryption::{DecryptionError, EncryptionPolicy, decrypt, enclose};
use crate::saml::names::{ASSERTION, XML_SIGNATURE};
use crate::saml::scan::{Limits, XmlErrorKind, scan};
use crate::saml::signature::{SignatureError, VerificationKey, Verified, verify};
use crate::saml::{Cause, IdpCertificate};

/// The parts of a check of a signature, in their order.
const PARTS: [&str; 7] = [
    "form",
    "canonicalization",
    "algorithm",
    "reference",
    "transforms",
    "certificate",
    CONTENT,
];

/// Check 15. A connection without a certificate verifies nothing, so it accepts nothing.
pub(super) fn certificates(expected: &Expected<'_>, checks: &mut Checks<'_>) -> Result<(), Cause> {
    let outcome = if expected.keys.is_empty() {
        Err(Failed::missing(
            Cause::CertificateMissing,
            "one certificate at least",
        ))
    } else {
        Ok(shown_keys(expected.keys, expected.now))
    };
    checks.record(CERTIFICATES, outcome)
}

/// Checks 16 to 23 of the Response. A signature that does not hold is fatal, whatever
/// else is signed.
pub(super) fn response_signature<'d>(
    root: Element<'d>,
    expected: &Expected<'_>,
    checks: &mut Checks<'_>,
) -> Result<Option<Verified<'d>>, Cause> {
    signature(root, RESPONSE_SIGNATURE, expected, checks)
}

/// Check 29: the same of the Assertion.
pub(super) fn assertion_signature<'d>(
    assertion: Element<'d>,
    expected: &Expected<'_>,
    checks: &mut Checks<'_>,
) -> Result<Option<Verified<'d>>, Cause> {
    signature(assertion, ASSERTION_SIGNATURE, expected, checks)
}

fn signature<'d>(
    parent: Element<'d>,
    group: &'static str,
    expected: &Expected<'_>,
    checks: &mut Checks<'_>,
) -> Result<Option<Verified<'d>>, Cause> {
    match verify(parent, expected.keys, &expected.algorithms) {
        Ok(None) => {
            checks.pass(group, "none");
            Ok(None)
        }
        Ok(Some(verified)) => {
            let key = expected.keys.get(verified.key);
            let signer = key.map_or_else(String::new, |key| {
                shown_certificate(key.certificate(), expected.now)
            });
            let (_, algorithm) = verified.method.uri().rsplit_once('#').unwrap_or_default();
            for part in PARTS {
                let note = match part {
                    "algorithm" => algorithm,
                    "certificate" => &signer,
                    _ => "",
                };
                checks.pass(&format!("{group}: {part}"), note);
            }
            if let Some(key) = key {
                note_end(key.certificate(), expected.now, checks);
            }
            Ok(Some(verified))
        }
        Err(error) => {
            let (at, failed) = explain(&error, parent, expected);
            for part in PARTS.iter().take_while(|part| **part != at) {
                checks.pass(&format!("{group}: {part}"), "");
            }
            let behind = PARTS.iter().skip_while(|part| **part != at).skip(1);
            let behind: Vec<String> = behind.map(|part| format!("{group}: {part}")).collect();
            Err(checks.fail_within(&format!("{group}: {at}"), &failed, (group, &behind)))
        }
    }
}

/// Metadata Interoperability Profile §2.6.1: only the key counts, so an ended certificate
/// fails nothing. But providers replace it about then.
fn note_end(certificate: &IdpCertificate, now: Timestamp, checks: &mut Checks<'_>) {
    if certificate.expires_at() < now {
        let ended = shown_certificate(certificate, now);
        checks.note(
            CERTIFICATE,
            format!("{} It is {ended}.", Cause::CertificateExpired.sentence()),
        );
    }
}

/// In which part of the check it failed, and how.
fn explain(error: &SignatureError, parent: Element<'_>, expected: &Expected<'_>) -> (&'static str, Failed) {
    let saml_form = "one enveloped signature with SignedInfo, SignatureValue and KeyInfo";
    match error {
        SignatureError::CertificateMissing => (
            "certificate",
            Failed::missing(Cause::CertificateMissing, "one certificate at least"),
        ),
        SignatureError::Count => (
            "form",
            Failed::new(Cause::SignatureCount, "one signature at most", "several"),
        ),
        SignatureError::Malformed(what) => ("form", Failed::new(Cause::SignatureMalformed, saml_form, *what)),
        SignatureError::Canonicalization(uri) => (
            "canonicalization",
            Failed::new(
                Cause::CanonicalizationNotAllowed,
                "http://www.w3.org/2001/10/xml-exc-c14n#",
                uri,
            ),
        ),
        SignatureError::Algorithm(uri) => (
            "algorithm",
            Failed::new(
                Cause::AlgorithmNotAllowed,
                "SHA-256, SHA-384 or SHA-512 with the key of a registered certificate",
                uri,
            ),
        ),
        SignatureError::ReferenceCount(count) => (
            "reference",
            Failed::new(Cause::ReferenceCount, "one reference", count.to_string()),
        ),
        SignatureError::ReferenceForeign(uri) => (
            "reference",
            Failed::new(
                Cause::ReferenceForeign,
                format!("#{}", parent.attribute("ID").unwrap_or_default()),
                uri,
            ),
        ),
        SignatureError::Transform(uri) => (
            "transforms",
            Failed::new(
                Cause::TransformNotAllowed,
                "enveloped-signature and exclusive canonicalization",
                uri,
            ),
        ),
        SignatureError::Invalid => ("certificate", no_key(parent, expected)),
        SignatureError::Digest => (
            CONTENT,
            Failed::new(
                Cause::DigestMismatch,
                "the content that was signed",
                "another content than the one that was signed",
            ),
        ),
    }
}

/// No key made the signature: all that are registered, and the one that the message names.
fn no_key(parent: Element<'_>, expected: &Expected<'_>) -> Failed {
    // It only helps to find the right certificate. A message cannot vouch for itself.
    let named = parent
        .child(XML_SIGNATURE, "Signature")
        .and_then(|signature| signature.child(XML_SIGNATURE, "KeyInfo"))
        .and_then(|info| {
            info.descendants()
                .find(|found| found.is(XML_SIGNATURE, "X509Certificate"))
        })
        .and_then(|certificate| certificate.text().ok())
        .and_then(|text| IdpCertificate::from_base64(&text).ok());
    let received = match named {
        None => "a signature by none of them".to_owned(),
        Some(named) => {
            let is_registered = expected.keys.iter().any(|key| *key.certificate() == named);
            let shown = told_apart(&named, expected.now);
            if is_registered {
                format!("a signature that is not by the certificate that it names: {shown}")
            } else {
                format!("it names a certificate that is not registered: {shown}")
            }
        }
    };
    let registered: Vec<String> = expected
        .keys
        .iter()
        .map(|key| told_apart(key.certificate(), expected.now))
        .collect();
    Failed::new(
        Cause::SignatureInvalid,
        format!(
            "a signature by a registered certificate: {}",
            registered.join("; ")
        ),
        received,
    )
}

/// Two certificates of one provider often have the same names and the same end. The hash comes first, because a long
/// text is cut.
fn told_apart(certificate: &IdpCertificate, now: Timestamp) -> String {
    let shown = shown_certificate(certificate, now);
    format!("SHA-256 {} ({shown})", certificate.fingerprint())
}

fn shown_keys(keys: &[VerificationKey], now: Timestamp) -> String {
    let shown: Vec<String> = keys
        .iter()
        .map(|key| shown_certificate(key.certificate(), now))
        .collect();
    shown.join("; ")
}

fn shown_certificate(certificate: &IdpCertificate, now: Timestamp) -> String {
    let (issuer, end) = (certificate.issuer(), certificate.expires_at());
    let day = end.to_rfc3339();
    let day = day.split_once('T').map_or(day.as_str(), |(day, _)| day);
    if end < now {
        format!("{issuer}, ended {day}, {} ago", duration(now.since(end)))
    } else {
        format!("{issuer}, until {day}")
    }
}

/// Check 24, for an assertion that is not encrypted.
pub(super) fn plain(expected: &Expected<'_>, checks: &mut Checks<'_>) -> Result<(), Cause> {
    let outcome = if expected.encryption.required {
        Err(Failed::new(
            Cause::EncryptionExpected,
            "an encrypted assertion",
            "a plain one",
        ))
    } else {
        Ok("not encrypted")
    };
    checks.record(ENCRYPTION, outcome)?;
    checks.pass(DECRYPTED, "not encrypted");
    Ok(())
}

/// Checks 25 to 28: the text around the decrypted assertion, for [`decrypted`].
///
/// `is_covered`: a verified signature covers the cipher text, and the answer is to a live
/// request. Without both, a padding could be probed.
pub(super) fn open(
    encrypted: Element<'_>,
    is_covered: bool,
    expected: &Expected<'_>,
    checks: &mut Checks<'_>,
) -> Result<Zeroizing<String>, Cause> {
    let policy = EncryptionPolicy {
        cbc: expected.encryption.policy.cbc && is_covered,
    };
    let plain = match decrypt(encrypted, expected.encryption.keys, &policy) {
        Ok(plain) => plain,
        Err(error) => return Err(checks.fail(ENCRYPTION, &refused(&error))),
    };
    checks.pass(ENCRYPTION, "decrypted with our key");
    // Alone, so that the text cannot end the element that is put around it.
    match scan(&plain, &Limits::MESSAGE) {
        Ok(text) => Ok(enclose(encrypted, &text)),
        Err(error) => Err(checks.fail(DECRYPTED, &not_an_assertion(&error.kind))),
    }
}

fn refused(error: &DecryptionError) -> Failed {
    match error {
        DecryptionError::KeyMissing => Failed::new(
            Cause::DecryptionKeyMissing,
            "a key of the connection, or a plain assertion",
            "an encrypted assertion, and no key",
        ),
        DecryptionError::NotAllowed(uri) => Failed::new(
            Cause::DecryptionNotAllowed,
            "AES-GCM with a key by RSA-OAEP, or CBC where the connection allows it and the response is signed",
            uri,
        ),
        // One text for both: what differs between them tells an attacker about the content.
        DecryptionError::Malformed(_) | DecryptionError::Failed => Failed::new(
            Cause::DecryptionFailed,
            "an assertion that is encrypted to a certificate of the connection",
            "something that no key of the connection opens",
        ),
    }
}

fn not_an_assertion(kind: &XmlErrorKind) -> Failed {
    // The text was secret, so nothing of it is shown.
    let received = match kind {
        XmlErrorKind::Encoding => "text that is not UTF-8",
        XmlErrorKind::DocumentType => "a document type",
        XmlErrorKind::Limit(_) => "more parts than an assertion has",
        XmlErrorKind::Malformed(_) => "something that is not one element of XML",
        XmlErrorKind::DuplicateId(_) => "one identifier twice",
    };
    Failed::new(Cause::DecryptedNotAnAssertion, "one Assertion", received)
}

/// Check 28: the element that was encrypted.
pub(super) fn decrypted<'d>(
    document: &'d Result<Document<'_>, crate::saml::XmlError>,
    checks: &mut Checks<'_>,
) -> Result<Element<'d>, Cause> {
    let outcome = match document {
        Err(error) => Err(not_an_assertion(&error.kind)),
        Ok(document) => {
            let mut children = document.root().children();
            let one = children.next().filter(|_| children.next().is_none());
            one.filter(|one| one.is(ASSERTION, "Assertion")).ok_or_else(|| {
                Failed::new(Cause::DecryptedNotAnAssertion, "one Assertion", "another element")
            })
        }
    };
    match outcome {
        Ok(assertion) => {
            checks.pass(DECRYPTED, "one Assertion");
            Ok(assertion)
        }
        Err(failed) => Err(checks.fail(DECRYPTED, &failed)),
    }
}

/// Check 30. Encryption is no signature: everybody has our public key.
pub(super) fn signed_parts(
    is_response_signed: bool,
    is_assertion_signed: bool,
    required: RequiredSignature,
    checks: &mut Checks<'_>,
) -> Result<(), Cause> {
    let received = match (is_response_signed, is_assertion_signed) {
        (true, true) => "the response and the assertion",
        (true, false) => "the response only",
        (false, true) => "the assertion only",
        (false, false) => "nothing",
    };
    let (is_enough, expected) = match required {
        RequiredSignature::Response => (is_response_signed, "the response"),
        RequiredSignature::Assertion => (is_assertion_signed, "the assertion"),
        RequiredSignature::Both => (
            is_response_signed && is_assertion_signed,
            "the response and the assertion",
        ),
        RequiredSignature::Either => (
            is_response_signed || is_assertion_signed,
            "the response or the assertion",
        ),
    };
    let outcome = if !is_response_signed && !is_assertion_signed {
        Err(Failed::new(
            Cause::SignatureMissing,
            format!("a signature of {expected}"),
            received,
        ))
    } else if is_enough {
        Ok(received)
    } else {
        Err(Failed::new(
            Cause::SignaturePolicy,
            format!("a signature of {expected}"),
            received,
        ))
    };
    checks.record(SIGNED_PARTS, outcome)
}
