//! Signatures and encryption.

use genkan_protocol::saml::idp::Protection;
use genkan_protocol::saml::{Cause, RequiredSignature, encrypt};

use super::super::{decryption_key, der, encrypted, replaced, response, signed_after, signing_key};
use super::{Case, case};

pub(super) fn all() -> Vec<Case> {
    [signatures(), unsigned_and_changed(), encryption()]
        .into_iter()
        .flatten()
        .collect()
}

fn signatures() -> Vec<Case> {
    let good = || signed_after(|xml| xml);
    let edited = |from, to| replaced(&good(), from, to);
    let exclusive = r#"<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">"#;
    let inclusive =
        r#"<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">"#;
    let signature = {
        let xml = good();
        let (_, from) = xml.split_once("<ds:Signature ").unwrap();
        let (signature, _) = from.split_once("</ds:Signature>").unwrap();
        format!("<ds:Signature {signature}</ds:Signature>")
    };
    let reference = {
        let (_, from) = signature.split_once("<ds:Reference ").unwrap();
        let (reference, _) = from.split_once("</ds:Reference>").unwrap();
        format!("<ds:Reference {reference}</ds:Reference>")
    };
    vec![
        case(Cause::CertificateMissing, &good(), "one certificate", "none").at(|it| it.keys.clear()),
        case(
            Cause::SignatureCount,
            &edited(&signature, &format!("{signature}{signature}")),
            "one signature",
            "several",
        ),
        case(
            Cause::SignatureMalformed,
            &edited("<ds:SignedInfo>", "<ds:Object/><ds:SignedInfo>"),
            "SignedInfo",
            "",
        ),
        case(
            Cause::CanonicalizationNotAllowed,
            &edited(exclusive, inclusive),
            "xml-exc-c14n#",
            "REC-xml-c14n",
        ),
        // Row 32: OneLogin, old AD FS.
        case(
            Cause::AlgorithmNotAllowed,
            &edited("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1"),
            "SHA-256",
            "rsa-sha1",
        ),
        case(
            Cause::ReferenceCount,
            &edited(&reference, &format!("{reference}{reference}")),
            "one reference",
            "2",
        ),
        case(
            Cause::ReferenceForeign,
            &edited("URI=\"#_a1\"", "URI=\"#_r1\""),
            "#_a1",
            "#_r1",
        ),
        case(
            Cause::TransformNotAllowed,
            &edited(
                "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
                "http://www.w3.org/TR/1999/REC-xpath-19991116",
            ),
            "enveloped-signature",
            "xpath",
        ),
    ]
}

fn unsigned_and_changed() -> Vec<Case> {
    let good = || signed_after(|xml| xml);
    let edited = |from, to| replaced(&good(), from, to);
    let key = signing_key("attacker");
    let forged = response()
        .render(&Protection {
            assertion_key: Some(&key),
            ..Protection::default()
        })
        .unwrap();
    let unsigned = response().render(&Protection::default()).unwrap();
    vec![
        // Rows 12, 35, 44: the certificate that the message names is another than the registered one.
        case(Cause::SignatureInvalid, &forged, "CN=", "not registered: "),
        case(
            Cause::DigestMismatch,
            &edited(
                "alice@acme.example</saml:NameID>",
                "admin@acme.example</saml:NameID>",
            ),
            "signed",
            "another content",
        ),
        // Rows 23 and 54: Google and others sign the other part.
        case(
            Cause::SignaturePolicy,
            &good(),
            "a signature of the response",
            "the assertion only",
        )
        .at(|it| it.signing = RequiredSignature::Response),
        case(
            Cause::SignatureMissing,
            &unsigned,
            "the response or the assertion",
            "nothing",
        ),
    ]
}

fn encryption() -> Vec<Case> {
    let key = signing_key("idp");
    let signed = Protection {
        assertion_key: Some(&key),
        ..Protection::default()
    };
    let good = || encrypted(signed);
    let of = |text: &str| {
        let xml = good();
        let (head, from) = xml.split_once("<saml:EncryptedAssertion").unwrap();
        let (_, tail) = from.split_once("</saml:EncryptedAssertion>").unwrap();
        format!(
            "{head}{}{tail}",
            encrypt(text.as_bytes(), &der("sp.crt")).unwrap()
        )
    };
    vec![
        // Row 55, both sides.
        case(
            Cause::EncryptionExpected,
            &signed_after(|xml| xml),
            "an encrypted assertion",
            "a plain one",
        )
        .at(|it| it.must_encrypt = true),
        case(Cause::DecryptionKeyMissing, &good(), "a key", "no key").at(|it| it.decryption_keys.clear()),
        // Row 13: Entra, AD FS.
        case(
            Cause::DecryptionNotAllowed,
            &replaced(&good(), "2009/xmlenc11#aes256-gcm", "2001/04/xmlenc#aes256-cbc"),
            "AES-GCM",
            "aes256-cbc",
        )
        // Only the assertion is signed, inside: nothing covers the cipher text.
        .at(|it| it.cbc = true),
        // Row 56: encrypted to a key that is gone.
        case(
            Cause::DecryptionFailed,
            &good(),
            "a certificate of the connection",
            "no key of the connection opens",
        )
        .at(|it| it.decryption_keys = vec![decryption_key("sp-other")]),
        case(
            Cause::DecryptedNotAnAssertion,
            &of(r#"<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>"#),
            "one Assertion",
            "another element",
        ),
        case(
            Cause::DecryptedNotAnAssertion,
            &of("text"),
            "one Assertion",
            "not one element",
        ),
    ]
}
