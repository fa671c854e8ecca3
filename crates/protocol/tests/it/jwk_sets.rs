//! Key sets as identity providers publish them, well and badly.
//!
//! Source: RFC 7517 §4 and §5, RFC 7518 §3.3 and §6.

use genkan_protocol::jose::{Algorithm, JwkSet, JwkSetError, SigningKey, verify};
use serde_json::{Value, json};

use crate::forge::{ANY, EC, RSA, base64url, good, key_set};

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn reason(jwk: Value) -> &'static str {
    let set = key_set([jwk]);
    assert!(set.is_empty(), "the key was taken");
    set.ignored()[0].reason
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_bad_key_is_left_out_with_a_reason_and_the_good_one_still_verifies() {
    let (rsa, ec) = (RSA.public_jwk(), EC.public_jwk());
    let modulus = |bytes: usize| base64url(std::iter::repeat_n(0xff, bytes).collect::<Vec<u8>>());
    let coordinate = ec["x"].as_str().unwrap().to_owned();
    for (name, jwk, expected) in [
        (
            "for encryption",
            with(rsa.clone(), "use", "enc"),
            "the key is not for signatures (\"use\")",
        ),
        (
            "for wrapping",
            with(rsa.clone(), "key_ops", json!(["wrapKey"])),
            "the key is not for verifying (\"key_ops\")",
        ),
        (
            "symmetric",
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            "the key type is not RSA, EC or OKP",
        ),
        (
            "of the future",
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}),
            "the key type is not RSA, EC or OKP",
        ),
        (
            "no type",
            json!({"n": "AQAB", "e": "AQAB"}),
            "a member has the wrong type",
        ),
        ("a string", json!("key"), "a member has the wrong type"),
        (
            "a name that is a number",
            with(rsa.clone(), "kid", 7),
            "a member has the wrong type",
        ),
        (
            "secp256k1",
            with(ec.clone(), "crv", "secp256k1"),
            "the curve is not P-256, P-384 or Ed25519",
        ),
        (
            "no curve",
            json!({"kty": "EC", "x": coordinate, "y": coordinate}),
            "the curve is not P-256, P-384 or Ed25519",
        ),
        (
            "RSA 1024",
            with(rsa.clone(), "n", modulus(128)),
            "the modulus does not have 2048 to 8192 bits (RFC 7518 §3.3)",
        ),
        (
            "RSA 16384",
            with(rsa.clone(), "n", modulus(2048)),
            "the modulus does not have 2048 to 8192 bits (RFC 7518 §3.3)",
        ),
        (
            "exponent one",
            with(rsa.clone(), "e", "AQ"),
            "not an RSA public key",
        ),
        (
            "exponent even",
            with(rsa.clone(), "e", "Ag"),
            "not an RSA public key",
        ),
        (
            "exponent huge",
            with(rsa.clone(), "e", modulus(32)),
            "not an RSA public key",
        ),
        (
            "exponent zero",
            with(rsa.clone(), "e", "AA"),
            "the exponent is not base64url (\"e\")",
        ),
        (
            "modulus padded",
            with(rsa.clone(), "n", "AQAB=="),
            "the modulus is not base64url (\"n\")",
        ),
        (
            "HS256 on RSA",
            with(rsa.clone(), "alg", "HS256"),
            "the algorithm is not supported (\"alg\")",
        ),
        (
            "ES256 on RSA",
            with(rsa.clone(), "alg", "ES256"),
            "the algorithm does not fit the key type (\"alg\")",
        ),
        (
            "off the curve",
            with(ec.clone(), "y", coordinate.as_str()),
            "not a point of the curve",
        ),
        (
            "short coordinate",
            with(ec.clone(), "x", "AQAB"),
            "a coordinate does not have the length of the curve",
        ),
        (
            "private half",
            with(ec.clone(), "d", "AQAB"),
            "the private key is published with it",
        ),
        (
            "long name",
            with(ec.clone(), "kid", "k".repeat(600)),
            "the \"kid\" is too long",
        ),
    ] {
        assert_eq!(reason(jwk.clone()), expected, "{name}");
        let set = key_set([jwk, RSA.public_jwk()]);
        assert!(
            verify(&good(&RSA), &set, ANY).is_ok(),
            "beside the bad key: {name}"
        );
    }
}

#[test]
fn a_document_that_is_no_key_set_is_an_error() {
    for document in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        "<html>",
        r#"{"keys":[]"#,
    ] {
        assert!(
            matches!(JwkSet::parse(document.as_bytes()), Err(JwkSetError::Syntax(_))),
            "{document}"
        );
    }
    let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(256 * 1024));
    assert!(matches!(
        JwkSet::parse(large.as_bytes()),
        Err(JwkSetError::TooLarge)
    ));
    let many = json!({ "keys": vec![json!({}); 101] }).to_string();
    assert!(matches!(
        JwkSet::parse(many.as_bytes()),
        Err(JwkSetError::TooManyKeys)
    ));
    assert!(JwkSet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
}

#[test]
fn a_leading_zero_in_the_modulus_is_forgiven() {
    use base64::Engine;
    let mut jwk = RSA.public_jwk();
    let n = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(jwk["n"].as_str().unwrap())
        .unwrap();
    jwk["n"] = base64url([&[0][..], &n].concat()).into();
    assert!(verify(&good(&RSA), &key_set([jwk]), ANY).is_ok());
}

#[test]
fn two_keys_of_one_name_are_both_tried() {
    // RFC 7517 §4.5 allows it for keys of different types; some providers do worse.
    let (other, _) = SigningKey::generate("rsa-1".into(), Algorithm::Rs256).unwrap();
    let (ec, _) = SigningKey::generate("rsa-1".into(), Algorithm::Es256).unwrap();
    let set = key_set([ec.public_jwk(), other.public_jwk(), RSA.public_jwk()]);
    for key in [&*RSA, &other, &ec] {
        assert!(verify(&good(key), &set, ANY).is_ok());
    }
}

#[test]
fn our_own_set_has_all_our_keys() {
    let set = JwkSet::from_signing_keys([&*RSA, &*EC]);
    assert_eq!((set.len(), set.ignored()), (2, &[][..]));
    assert!(set.contains("rsa-1") && set.contains("ec-1") && !set.contains("rsa-2"));
}

#[test]
fn keys_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<JwkSet>();
    shared::<SigningKey>();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let set = key_set([RSA.public_jwk(), EC.public_jwk()]);
                for key in [&*RSA, &*EC].into_iter().cycle().take(20) {
                    assert!(verify(&good(key), &set, ANY).is_ok());
                }
            });
        }
    });
}
