//! Official vectors, and a second opinion by the `jsonwebtoken` crate.
//!
//! Source: RFC 7515 appendix A.2 and A.3, RFC 8037 appendix A.4.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;
use genkan_protocol::jose::{Algorithm, JwtError, SigningKey, verify};
use serde_json::json;

use crate::forge::{ANY, EC, KEYS, RSA, base64url, good, key_set, token};

#[test]
fn rfc_7515_appendix_a_2_verifies() {
    let keys = key_set([json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
    })]);
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let verified = verify(token, &keys, &["RS256"]).unwrap();
    assert_eq!(verified.claims["iss"], "joe");
    assert_eq!(verified.claims["exp"], 1_300_819_380);
}

#[test]
fn rfc_7515_appendix_a_3_verifies() {
    let keys = key_set([json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })]);
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(verify(token, &keys, &["ES256"]).unwrap().claims["iss"], "joe");
}

#[test]
fn rfc_8037_appendix_a_4_verifies_and_is_no_jwt() {
    let keys = key_set([
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
    ]);
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    // The signature holds; the payload is a sentence, not claims.
    let error = verify(token, &keys, &["EdDSA"]).unwrap_err();
    assert!(
        matches!(error, JwtError::Malformed("the claims are not a JSON object")),
        "{error}"
    );
}

#[test]
fn every_algorithm_of_identity_providers_verifies() {
    let random = SystemRandom::new();
    let rsa = lc::RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
    let public = rsa.public_key();
    let jwk = json!({
        "kty": "RSA", "kid": "k",
        "n": base64url(public.modulus().big_endian_without_leading_zero()),
        "e": base64url(public.exponent().big_endian_without_leading_zero()),
    });
    let encodings: [(&str, &'static dyn lc::RsaEncoding); 6] = [
        ("RS256", &lc::RSA_PKCS1_SHA256),
        ("RS384", &lc::RSA_PKCS1_SHA384),
        ("RS512", &lc::RSA_PKCS1_SHA512),
        ("PS256", &lc::RSA_PSS_SHA256),
        ("PS384", &lc::RSA_PSS_SHA384),
        ("PS512", &lc::RSA_PSS_SHA512),
    ];
    for (alg, encoding) in encodings {
        let signed = token(
            &format!(r#"{{"alg":"{alg}","kid":"k"}}"#),
            r#"{"a":1}"#,
            |message| {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            },
        );
        // A key without `alg` is good for all six, a key with one for that alone.
        assert_eq!(
            verify(&signed, &key_set([jwk.clone()]), &[alg])
                .unwrap()
                .header
                .alg
                .as_str(),
            alg
        );
        for (other, _) in encodings {
            let mut bound = jwk.clone();
            bound["alg"] = other.into();
            assert_eq!(
                verify(&signed, &key_set([bound]), ANY).is_ok(),
                alg == other,
                "{alg} by a key for {other}"
            );
        }
    }

    let p384 = lc::EcdsaKeyPair::generate(&lc::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let point = p384.public_key().as_ref();
    let jwk =
        json!({ "kty": "EC", "crv": "P-384", "x": base64url(&point[1..49]), "y": base64url(&point[49..]) });
    let signed = token(r#"{"alg":"ES384"}"#, r#"{"a":1}"#, |message| {
        p384.sign(&random, message).unwrap().as_ref().to_vec()
    });
    assert!(verify(&signed, &key_set([jwk]), &["ES384"]).is_ok());

    let ed25519 = lc::Ed25519KeyPair::generate().unwrap();
    for alg in ["EdDSA", "Ed25519"] {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "alg": alg, "x": base64url(ed25519.public_key().as_ref()) });
        let signed = token(&format!(r#"{{"alg":"{alg}"}}"#), r#"{"a":1}"#, |message| {
            ed25519.sign(message).as_ref().to_vec()
        });
        assert!(verify(&signed, &key_set([jwk]), &[alg]).is_ok(), "{alg}");
    }
    let seed = ed25519.seed().unwrap().as_be_bytes().unwrap();
    assert_eq!(seed.as_ref().len(), 32);
}

#[test]
fn our_tokens_verify_in_another_library() {
    for key in [&*RSA, &*EC] {
        let jwk = serde_json::from_value(key.public_jwk()).unwrap();
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let algorithm = key.algorithm().as_str().parse().unwrap();
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let token = good(key);
        let theirs = jsonwebtoken::decode::<serde_json::Value>(&token, &decoding, &validation).unwrap();
        assert_eq!(theirs.header.kid.as_deref(), Some(key.kid()));
        assert_eq!(theirs.header.typ.as_deref(), Some("JWT"));
        assert_eq!(theirs.claims["sub"], "usr_1");
        let ours = verify(&token, &KEYS, &[key.algorithm().as_str()]).unwrap();
        assert_eq!(serde_json::Value::Object(ours.claims), theirs.claims);
    }
}

#[test]
fn the_published_key_has_the_members_of_the_contract() {
    let jwk = RSA.public_jwk();
    let names: Vec<&String> = jwk.as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(
        (&jwk["alg"], &jwk["kty"], &jwk["use"], &jwk["e"]),
        (&json!("RS256"), &json!("RSA"), &json!("sig"), &json!("AQAB"))
    );
    let jwk = EC.public_jwk();
    let names: Vec<&String> = jwk.as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!((&jwk["alg"], &jwk["crv"]), (&json!("ES256"), &json!("P-256")));
}

#[test]
fn a_stored_key_signs_what_the_new_one_signed() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let (new, pkcs8) = SigningKey::generate("snk_1".into(), algorithm).unwrap();
        let stored = SigningKey::from_pkcs8("snk_1".into(), algorithm, &pkcs8).unwrap();
        assert_eq!(new.public_jwk(), stored.public_jwk());
        let keys = key_set([new.public_jwk()]);
        assert!(verify(&good(&stored), &keys, &[algorithm.as_str()]).is_ok());

        let other = if algorithm == Algorithm::Rs256 {
            Algorithm::Es256
        } else {
            Algorithm::Rs256
        };
        assert!(SigningKey::from_pkcs8("snk_1".into(), other, &pkcs8).is_err());
        for cut in [0, 1, pkcs8.len() / 2, pkcs8.len() - 1] {
            assert!(SigningKey::from_pkcs8("snk_1".into(), algorithm, &pkcs8[..cut]).is_err());
        }
        assert!(!format!("{stored:?}").contains("pair"));
    }
}

#[test]
fn a_weak_rsa_key_does_not_sign() {
    // openssl genrsa 1024 | openssl pkcs8 -topk8 -nocrypt -outform DER | base64
    const WEAK: &str = "MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBAK2V7KFrzKVZQujoGbYvlz9LdsEFHRq6bz43ys0XDP\
         XOkj/dIsjg8yEXQY9DTmVJljyhon/GLrKTG8QQFWbtYUViRuZ+JVKe7U2u/bxZPRDrYLrrXYdf5HVt4Tk3AAIoq3G9\
         z3KkRRVYa2NT6XqcjvxnEgw5tsTrsEeuoY5doT9dAgMBAAECgYEAoALfyj0QvCr4HrI1YVelWFc79Nm95nGNMhFEBK\
         IG9F+jOPOjqQCTniFN8b3dekjHEMT+gkIxsbMhmS4qTGLtkf5+tUhcy4HIdX30IKI7VqR5xESFyYdEcZRUd43EpIBp\
         QWw5GzztOrvFUfo9zn6beePbHyOJ155X/TBivLt3cZECQQDg1eGwtseY+iJ9OwgwLZQMkj9SC7HeuyfMRY4CphFmPB\
         822qT0uHIPGxC1Q4+IYYIRACa1bDfZnDyzyyT5y8LrAkEAxaV7Fd5Upxz89fQASoDl+tLaUwSmlOrAzhxfaQyE2X8p\
         wWg0BduyAw39KIXHBhm+4s3CvY/hmdFYdTxc42ak1wJBANuC1luCyLLpnByqMt9e0InJi3reIiX0kfGVAwZA/wHSty\
         MGK0Emh22KHjDrKkqb8LIKdMByTMDwEi/zqUEdGEsCQQC6DDKX/EhdYqkv8LaRa1KRUAgZ26ffSDekDQs2/ITVo6Ev\
         oSJPXWXtAC8NBRi6wmNwZdXp0NXBkFGfUenyWT3TAkAgro49iSBJyNxkKtv9JuZjYTFlQ9hGjV7HgdWqUXwXlYJ0u8\
         nbw7V1MSFek2JqEdlkWWi6/gIEwI4DaMuxN+rx";
    use base64::Engine;
    let pkcs8 = base64::engine::general_purpose::STANDARD.decode(WEAK).unwrap();
    // RFC 7518 §3.3: at least 2048 bits.
    assert!(SigningKey::from_pkcs8("snk_1".into(), Algorithm::Rs256, &pkcs8).is_err());
}

#[test]
fn only_an_object_is_signed() {
    assert!(EC.sign("JWT", &"claims").is_err());
    assert!(EC.sign("JWT", &vec![1]).is_err());
    assert!(EC.sign("JWT", &json!(null)).is_err());
}
