//! The throw-away keys of the vectors, for the tests beside the code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{DecryptionKey, IdpCertificate, SigningKey, VerificationKey};

/// A private key and its certificate, both DER.
pub(super) fn pair(name: &str) -> (Vec<u8>, Vec<u8>) {
    macro_rules! file {
        ($name:literal) => {
            (
                include_str!(concat!("../../tests/saml_corpus/keys/", $name, ".key.pem")),
                include_str!(concat!("../../tests/saml_corpus/keys/", $name, ".crt.pem")),
            )
        };
    }
    let (key, certificate) = match name {
        "idp" => file!("idp"),
        "idp-next" => file!("idp-next"),
        "idp-p256" => file!("idp-p256"),
        "idp-p384" => file!("idp-p384"),
        "idp-p521" => file!("idp-p521"),
        "attacker" => file!("attacker"),
        "sp" => file!("sp"),
        "sp-old" => file!("sp-old"),
        other => panic!("no key {other}"),
    };
    (der(key), der(certificate))
}

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(base64).unwrap()
}

pub(super) fn signing_key(name: &str) -> SigningKey {
    let (key, certificate) = pair(name);
    SigningKey::from_pkcs8(&key, &certificate).unwrap()
}

pub(super) fn decryption_key(name: &str) -> DecryptionKey {
    let (key, certificate) = pair(name);
    DecryptionKey::from_pkcs8(&key, &certificate).unwrap()
}

pub(super) fn verification_keys(names: &[&str]) -> Vec<VerificationKey> {
    let key = |name: &&str| {
        let certificate = IdpCertificate::from_base64(&STANDARD.encode(pair(name).1)).unwrap();
        VerificationKey::new(certificate).unwrap()
    };
    names.iter().map(key).collect()
}
