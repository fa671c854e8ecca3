//! Each type of key, and the keys of ours.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};

use super::*;
use crate::saml::test_keys::pair;

fn rsa_with(encoding: &'static dyn RsaEncoding) -> impl Fn(&[u8]) -> Vec<u8> {
    let pair = RsaKeyPair::from_pkcs8(&pair("idp").0).unwrap();
    move |message| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        signature
    }
}

fn curve_with(name: &str, algorithm: &'static EcdsaSigningAlgorithm) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pair(name).0).unwrap();
    move |message| {
        pair.sign(&SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

#[test]
fn every_method_of_the_table_verifies() {
    let keys = ["idp", "idp-p256", "idp-p384", "idp-p521"];
    let registered = verification_keys(&keys);
    let cases: [(&str, usize, Sign); 6] = [
        ("rsa-sha256", 0, Box::new(rsa_with(&RSA_PKCS1_SHA256))),
        ("rsa-sha384", 0, Box::new(rsa_with(&RSA_PKCS1_SHA384))),
        ("rsa-sha512", 0, Box::new(rsa_with(&RSA_PKCS1_SHA512))),
        (
            "ecdsa-sha256",
            1,
            Box::new(curve_with("idp-p256", &ECDSA_P256_SHA256_FIXED_SIGNING)),
        ),
        (
            "ecdsa-sha384",
            2,
            Box::new(curve_with("idp-p384", &ECDSA_P384_SHA384_FIXED_SIGNING)),
        ),
        (
            "ecdsa-sha512",
            3,
            Box::new(curve_with("idp-p521", &ECDSA_P521_SHA512_FIXED_SIGNING)),
        ),
    ];
    for (name, key, sign) in cases {
        let signature = SIGNATURE.replace("rsa-sha256", name);
        let text = forge_with(MESSAGE, &signature, sign);
        assert_eq!(check(&text, &registered, STRICT), Ok(Some(key)), "{name}");
        // Another key of the same type has not made it.
        let others = verification_keys(&["idp-next"]);
        assert!(check(&text, &others, STRICT).is_err(), "{name}");
    }
}

/// RFC 9231 §2.3.6: two numbers side by side; DER, zeros and other lengths are none.
#[test]
fn signatures_on_curves_have_one_spelling() {
    let signature = SIGNATURE.replace("rsa-sha256", "ecdsa-sha256");
    let keys = verification_keys(&["idp-p256"]);
    let fixed = curve_with("idp-p256", &ECDSA_P256_SHA256_FIXED_SIGNING);
    let der = curve_with("idp-p256", &ECDSA_P256_SHA256_ASN1_SIGNING);
    let wrong: [Sign; 5] = [
        Box::new(der),
        Box::new(|_| vec![0; 64]),
        Box::new(|_| vec![0; 1]),
        Box::new(move |message| [fixed(message), vec![0]].concat()),
        Box::new(|_| vec![0xff; 64]),
    ];
    for sign in wrong {
        let text = forge_with(MESSAGE, &signature, sign);
        assert_eq!(check(&text, &keys, STRICT), Err(SignatureError::Invalid));
    }
}

#[test]
fn the_signature_of_a_query_is_over_its_octets() {
    let octets = b"SAMLResponse=fVJN&RelayState=a%2fb&SigAlg=x";
    let signature = signing_key("idp").sign_query(octets).unwrap();
    let keys = verification_keys(&["idp-next", "idp"]);
    let check = |octets: &[u8], alg: &str, keys: &[VerificationKey]| {
        verify_query(octets, alg, &signature, keys, &STRICT)
    };
    assert_eq!(check(octets, RSA_SHA256, &keys), Ok(1));
    assert_eq!(
        check(b"SAMLResponse=fVJN&RelayState=a%2Fb&SigAlg=x", RSA_SHA256, &keys),
        Err(SignatureError::Invalid)
    );
    assert_eq!(
        check(octets, RSA_SHA256, &[]),
        Err(SignatureError::CertificateMissing)
    );
    assert_eq!(
        check(octets, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", &keys),
        Err(SignatureError::Algorithm(
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1".into()
        ))
    );
    assert_eq!(
        check(octets, SignatureMethod::EcdsaSha256.uri(), &keys),
        Err(SignatureError::Algorithm(
            SignatureMethod::EcdsaSha256.uri().into()
        ))
    );
}

#[test]
fn a_key_and_its_certificate_belong_together() {
    let (idp, idp_certificate) = pair("idp");
    let (_, other_certificate) = pair("idp-next");
    let (curve, curve_certificate) = pair("idp-p256");
    assert!(SigningKey::from_pkcs8(&idp, &idp_certificate).is_ok());
    for (key, certificate, error) in [
        (&idp, &other_certificate, KeyError::Mismatch),
        (&idp, &curve_certificate, KeyError::Mismatch),
        (&idp, &idp, KeyError::Certificate),
        (&curve, &curve_certificate, KeyError::Rejected),
        (&idp_certificate, &idp_certificate, KeyError::Rejected),
    ] {
        assert_eq!(SigningKey::from_pkcs8(key, certificate).unwrap_err(), error);
    }
    assert_eq!(format!("{:?}", signing_key("idp")), "SigningKey { .. }");
}
