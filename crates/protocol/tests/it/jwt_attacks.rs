//! Forged tokens by name: each is refused, for the right reason.
//!
//! Source: RFC 8725 §2 (the attacks), RFC 7515 §5.2 (the rules).

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use genkan_protocol::jose::{Algorithm, JwtError, SigningKey, verify};
use genkan_protocol::oidc::Cause;
use serde_json::{Value, json};

use crate::forge::{self, ANY, EC, KEYS, RSA, base64url, good, token};

const CLAIMS: &str = r#"{"sub":"usr_1"}"#;

fn cause(token: &str) -> &'static str {
    let error = verify(token, &KEYS, ANY).expect_err("a forged token was accepted");
    Cause::from(&error).code()
}

/// A signer whose header can be chosen freely, for headers that are signed and still wrong.
struct Forger {
    pair: RsaKeyPair,
    keys: genkan_protocol::jose::JwkSet,
}

impl Forger {
    fn new() -> Self {
        let (key, pkcs8) = SigningKey::generate("rsa-1".into(), Algorithm::Rs256).unwrap();
        Self {
            pair: RsaKeyPair::from_pkcs8(&pkcs8).unwrap(),
            keys: forge::key_set([key.public_jwk()]),
        }
    }

    fn token(&self, header: &str, claims: &str) -> String {
        token(header, claims, |message| {
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair
                .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                .unwrap();
            signature
        })
    }

    fn cause(&self, header: &str, claims: &str) -> &'static str {
        let forged = verify(&self.token(header, claims), &self.keys, ANY);
        Cause::from(&forged.expect_err("a forged token was accepted")).code()
    }
}

#[test]
fn the_forger_could_be_believed() {
    let forger = Forger::new();
    let honest = forger.token(r#"{"alg":"RS256","kid":"rsa-1"}"#, CLAIMS);
    assert_eq!(verify(&honest, &forger.keys, ANY).unwrap().claims["sub"], "usr_1");
}

#[test]
fn alg_none_in_any_spelling_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE", "", " none"] {
        for kid in ["", r#","kid":"rsa-1""#] {
            let header = format!(r#"{{"alg":"{alg}"{kid}}}"#);
            let unsigned = token(&header, CLAIMS, |_| Vec::new());
            assert_eq!(cause(&unsigned), "algorithm_not_allowed", "{header}");
            let with_a_borrowed_signature = token(&header, CLAIMS, |_| vec![0; 256]);
            assert_eq!(
                cause(&with_a_borrowed_signature),
                "algorithm_not_allowed",
                "{header}"
            );
        }
    }
}

#[test]
fn the_public_key_is_no_shared_secret() {
    // The attack on libraries that take the algorithm from the token: the attacker
    // also knows any bytes that a verifier might take for the secret.
    let jwk = RSA.public_jwk();
    let secrets: Vec<Vec<u8>> = vec![
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
        b"rsa-1".to_vec(),
        Vec::new(),
    ];
    for (alg, algorithm) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ] {
        for secret in &secrets {
            let header = format!(r#"{{"alg":"{alg}","kid":"rsa-1"}}"#);
            let key = hmac::Key::new(algorithm, secret);
            let forged = token(&header, CLAIMS, |message| {
                hmac::sign(&key, message).as_ref().to_vec()
            });
            assert_eq!(cause(&forged), "algorithm_not_allowed");
        }
    }
}

#[test]
fn the_algorithm_must_fit_the_key() {
    for (kid, algs) in [
        (
            "rsa-1",
            &["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS512"][..],
        ),
        ("ec-1", &["RS256", "PS256", "ES384", "EdDSA"][..]),
    ] {
        for alg in algs {
            let forged = token(&format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#), CLAIMS, |_| {
                vec![1; 64]
            });
            assert_eq!(cause(&forged), "signing_key_mismatch", "{alg} with {kid}");
        }
    }
}

#[test]
fn only_the_allowed_algorithms_are_verified() {
    for allowed in [&["ES256"][..], &[], &["rs256"], &["RS256 "]] {
        let error = verify(&good(&RSA), &KEYS, allowed).unwrap_err();
        assert_eq!(error, JwtError::AlgorithmNotAllowed { alg: "RS256".into() });
    }
    assert!(verify(&good(&RSA), &KEYS, &["ES256", "RS256"]).is_ok());
}

#[test]
fn garbage_for_an_elliptic_signature_is_refused() {
    // The order of P-256: s and r must be below it and not zero (CVE-2022-21449).
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let one = std::iter::repeat_n(0, 31).chain([1]).collect::<Vec<u8>>();
    let signatures: [(&str, Vec<u8>); 10] = [
        ("r = s = 0", vec![0; 64]),
        ("r = 0", [vec![0; 32], one.clone()].concat()),
        ("s = 0", [one.clone(), vec![0; 32]].concat()),
        ("r = s = n", [order, order].concat()),
        ("r = s = 1", [one.clone(), one].concat()),
        ("all ones", vec![0xff; 64]),
        ("one byte short", vec![1; 63]),
        ("one byte long", vec![1; 65]),
        ("empty", vec![]),
        ("the size of ES384", vec![1; 96]),
    ];
    for (name, signature) in signatures {
        let forged = token(r#"{"alg":"ES256","kid":"ec-1"}"#, CLAIMS, |_| signature);
        assert_eq!(cause(&forged), "signature_invalid", "{name}");
    }
}

#[test]
fn an_elliptic_signature_in_der_is_refused() {
    // RFC 7518 §3.4: r and s side by side. A second encoding would be a second spelling.
    let (key, pkcs8) = SigningKey::generate("k".into(), Algorithm::Es256).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
    let forged = token(r#"{"alg":"ES256","kid":"k"}"#, CLAIMS, |message| {
        pair.sign(&SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    });
    let keys = forge::key_set([key.public_jwk()]);
    assert_eq!(verify(&forged, &keys, ANY).unwrap_err(), JwtError::Signature);
}

#[test]
fn an_rsa_signature_of_another_length_is_refused() {
    let honest = good(&RSA);
    let (message, signature) = honest.rsplit_once('.').unwrap();
    let octets = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap()
    };
    let signature = octets(signature);
    for (name, changed) in [
        ("a zero in front", [&[0][..], &signature].concat()),
        ("a zero behind", [&signature[..], &[0]].concat()),
        ("the first byte gone", signature[1..].to_vec()),
        ("the last byte gone", signature[..255].to_vec()),
        ("nothing", Vec::new()),
        ("zero", vec![0; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
        ("all ones", vec![0xff; 256]),
    ] {
        assert_eq!(
            cause(&format!("{message}.{}", base64url(changed))),
            "signature_invalid",
            "{name}"
        );
    }
}

#[test]
fn a_token_cannot_bring_its_own_key() {
    // RFC 8725 §3.5: the attacker signs well, with a key of their own, and says where it is.
    let attacker = Forger::new();
    let (jwk, _) = SigningKey::generate("rsa-1".into(), Algorithm::Rs256).unwrap();
    for extra in [
        format!(r#""jwk":{}"#, jwk.public_jwk()),
        r#""jku":"https://evil.example/keys""#.to_owned(),
        r#""x5u":"https://evil.example/cert""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
        r#""x5t":"abc""#.to_owned(),
    ] {
        let forged = attacker.token(&format!(r#"{{"alg":"RS256","kid":"rsa-1",{extra}}}"#), CLAIMS);
        assert_eq!(cause(&forged), "signature_invalid", "{extra}");
        let nameless = attacker.token(&format!(r#"{{"alg":"RS256",{extra}}}"#), CLAIMS);
        assert_eq!(cause(&nameless), "signature_invalid", "{extra}");
    }
}

#[test]
fn a_key_name_is_only_ever_a_name() {
    for kid in [
        "../../../../etc/passwd",
        "/dev/null",
        "..\\\\..\\\\windows\\\\win.ini",
        "' OR '1'='1",
        "rsa-1' UNION SELECT 'x",
        "rsa-1\\u0000",
        "rsa-1 ",
        "RSA-1",
        "http://evil.example/key",
        "$(id)",
        "",
    ] {
        let forged = token(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), CLAIMS, |_| {
            vec![1; 256]
        });
        assert_eq!(cause(&forged), "signing_key_unknown", "{kid}");
    }
    let long = token(
        &format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(513)),
        CLAIMS,
        |_| vec![1; 256],
    );
    assert_eq!(cause(&long), "token_malformed");
}

#[test]
fn an_unknown_key_is_told_apart_so_that_the_keys_can_be_fetched_again() {
    let (rotated, _) = SigningKey::generate("rsa-2".into(), Algorithm::Rs256).unwrap();
    let error = verify(&good(&rotated), &KEYS, ANY).unwrap_err();
    assert_eq!(
        error,
        JwtError::UnknownKey {
            kid: Some("rsa-2".into())
        }
    );
}

#[test]
fn without_a_key_name_there_must_be_no_choice() {
    let forger = Forger::new();
    let nameless = forger.token(r#"{"alg":"RS256"}"#, CLAIMS);
    assert!(verify(&nameless, &forger.keys, ANY).is_ok());

    let (other, _) = SigningKey::generate("other".into(), Algorithm::Rs256).unwrap();
    let (own, _) = SigningKey::generate("own".into(), Algorithm::Rs256).unwrap();
    let two = forge::key_set([other.public_jwk(), own.public_jwk()]);
    assert_eq!(
        verify(&nameless, &two, ANY).unwrap_err(),
        JwtError::UnknownKey { kid: None }
    );
    assert_eq!(
        verify(&nameless, &forge::key_set([]), ANY).unwrap_err(),
        JwtError::UnknownKey { kid: None }
    );
}

#[test]
fn critical_extensions_are_refused_even_when_signed() {
    let forger = Forger::new();
    for extra in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"exp""#,
        r#""b64":false"#,
        r#""b64":true"#,
    ] {
        let header = format!(r#"{{"alg":"RS256","kid":"rsa-1",{extra}}}"#);
        assert_eq!(
            forger.cause(&header, CLAIMS),
            "critical_header_unsupported",
            "{extra}"
        );
    }
}

#[test]
fn a_header_that_two_parsers_read_differently_is_refused() {
    let forger = Forger::new();
    for header in [
        r#"{"alg":"RS256","kid":"rsa-1","alg":"none"}"#,
        r#"{"alg":"none","alg":"RS256","kid":"rsa-1"}"#,
        r#"{"alg":"RS256","\u0061lg":"none","kid":"rsa-1"}"#,
        r#"{"alg":"RS256","kid":"a","kid":"rsa-1"}"#,
        r#"{"alg":["RS256"],"kid":"rsa-1"}"#,
        r#"{"alg":null,"kid":"rsa-1"}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256","kid":"rsa-1","typ":{}}"#,
        r#"{"kid":"rsa-1"}"#,
        r#"["RS256"]"#,
        r#""RS256""#,
        "",
        "{",
        "{\"alg\":\"RS256\",\"kid\":\"rsa-1\"} x",
        "\u{feff}{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}",
    ] {
        assert_eq!(forger.cause(header, CLAIMS), "token_malformed", "{header}");
    }
}

#[test]
fn claims_that_two_parsers_read_differently_are_refused_even_when_signed() {
    let forger = Forger::new();
    let header = r#"{"alg":"RS256","kid":"rsa-1"}"#;
    for claims in [
        r#"{"sub":"usr_1","sub":"usr_2"}"#,
        r#"{"sub":"usr_1","s\u0075b":"usr_2"}"#,
        r#"{"realm_access":{"roles":[],"roles":["admin"]}}"#,
        r#"[{"sub":"usr_1"}]"#,
        r#""usr_1""#,
        "null",
        "",
        r#"{"sub":"usr_1"}{"sub":"usr_2"}"#,
        "{\"sub\":\"usr_1\" /* */}",
        "{'sub':'usr_1'}",
        "{\"sub\":\"\\ud800\"}",
        "{\"exp\":1e999}",
        "{\"exp\":NaN}",
    ] {
        assert_eq!(forger.cause(header, claims), "token_malformed", "{claims}");
    }
    let not_utf8 = {
        let message = format!("{}.{}", base64url(header), base64url(b"{\"sub\":\"\xff\"}"));
        let mut signature = vec![0; 256];
        let random = SystemRandom::new();
        forger
            .pair
            .sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
            .unwrap();
        format!("{message}.{}", base64url(signature))
    };
    assert_eq!(
        Cause::from(&verify(&not_utf8, &forger.keys, ANY).unwrap_err()).code(),
        "token_malformed"
    );
}

#[test]
fn a_token_has_one_spelling() {
    // Each changes the text and not the octets, or adds what a lenient decoder skips.
    for honest in [good(&RSA), good(&EC)] {
        let parts: Vec<&str> = honest.split('.').collect();
        let mut spellings: Vec<(&str, String)> = vec![
            ("padded signature", format!("{honest}=")),
            ("padded signature, twice", format!("{honest}==")),
            (
                "padded header",
                format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
            ),
            (
                "padded claims",
                format!("{}.{}==.{}", parts[0], parts[1], parts[2]),
            ),
            ("line break behind", format!("{honest}\n")),
            ("space in front", format!(" {honest}")),
            ("space inside", format!("{}. {}.{}", parts[0], parts[1], parts[2])),
            ("NUL behind", format!("{honest}\0")),
            ("a fourth part", format!("{honest}.")),
            ("a fifth part, as in JWE", format!("{honest}.a.b")),
            ("an empty part in front", format!(".{honest}")),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("one part", parts[0].to_owned()),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
            (
                "the JSON serialization",
                json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string(),
            ),
        ];
        if let Some(last) = loose_bits(parts[2]) {
            spellings.push(("trailing bits", format!("{}.{}.{last}", parts[0], parts[1])));
        }
        for (name, spelling) in spellings {
            // The signature covers the text of the claims, so it is what fails there.
            let covered = ["padded claims", "space inside"].contains(&name);
            let expected = if covered {
                "signature_invalid"
            } else {
                "token_malformed"
            };
            assert_eq!(cause(&spelling), expected, "{name}");
        }
    }
    // The standard alphabet instead of the one for URLs.
    let with_symbols = (0..999)
        .map(|_| good(&EC))
        .find(|token| token.contains('-') && token.contains('_'))
        .unwrap();
    let standard = with_symbols.replace('-', "+").replace('_', "/");
    assert_eq!(cause(&standard), "token_malformed");
}

#[test]
fn claims_in_a_loose_spelling_are_refused_even_when_signed() {
    let forger = Forger::new();
    let header = base64url(r#"{"alg":"RS256","kid":"rsa-1"}"#);
    let claims = base64url(CLAIMS);
    for spelling in [
        format!("{claims}="),
        format!("{claims}=="),
        format!(" {claims}"),
        format!("{claims}\n"),
    ] {
        let message = format!("{header}.{spelling}");
        let mut signature = vec![0; 256];
        let random = SystemRandom::new();
        forger
            .pair
            .sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
            .unwrap();
        let signed = format!("{message}.{}", base64url(signature));
        assert_eq!(
            Cause::from(&verify(&signed, &forger.keys, ANY).unwrap_err()).code(),
            "token_malformed",
            "{spelling:?}"
        );
    }
}

/// The same octets with unused bits set in the last character.
fn loose_bits(part: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if part.len().is_multiple_of(4) {
        return None;
    }
    let at = ALPHABET.iter().position(|c| Some(c) == part.as_bytes().last())?;
    Some(format!(
        "{}{}",
        &part[..part.len() - 1],
        char::from(ALPHABET[at + 1])
    ))
}

#[test]
fn a_token_that_was_cut_or_changed_anywhere_is_refused() {
    let honest = good(&EC);
    for at in 0..honest.len() {
        assert!(verify(&honest[..at], &KEYS, ANY).is_err(), "cut at {at}");
        let mut changed = honest.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(verify(&changed, &KEYS, ANY).is_err(), "changed at {at}");
    }
    // The parts of two good tokens.
    let other = EC.sign("JWT", &json!({ "sub": "usr_2" })).unwrap();
    let (a, b): (Vec<&str>, Vec<&str>) = (honest.split('.').collect(), other.split('.').collect());
    assert_eq!(cause(&format!("{}.{}.{}", a[0], b[1], a[2])), "signature_invalid");
}

#[test]
fn a_huge_token_is_not_looked_at() {
    assert_eq!(cause(&"a".repeat(64 * 1024 + 1)), "token_too_long");
    assert_eq!(cause(&".".repeat(64 * 1024)), "token_malformed");
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(cause(&token(&deep, CLAIMS, |_| vec![])), "token_malformed");
    let many_names: Value = (0..2_000)
        .map(|i| (format!("n{i}"), json!(i)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(
        cause(&token(&many_names.to_string(), CLAIMS, |_| vec![])),
        "token_malformed"
    );
}

#[test]
fn an_error_never_repeats_the_token() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
    for forged in [
        format!("{secret}.{secret}.{secret}"),
        token(r#"{"alg":"RS256","kid":"nobody"}"#, CLAIMS, |_| secret.into()),
        token(r#"{"alg":"RS256","kid":"rsa-1"}"#, CLAIMS, |_| secret.into()),
    ] {
        let error = verify(&forged, &KEYS, ANY).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret));
    }
}
