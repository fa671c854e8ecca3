//! Faulty ID tokens of identity providers, and their traces.
//!
//! Source: OIDC Core §3.1.3.7 and §3.1.3.8.

use std::time::Duration;

use aws_lc_rs::digest;
use genkan_protocol::jose::{Verified, verify};
use genkan_protocol::oidc::id_token::{IdTokenExpectations, auth_time, validate};
use genkan_protocol::oidc::{ExpectedNonce, IdTokenError, left_half};
use genkan_protocol::trace::CheckOutcome;
use genkan_protocol::{Timestamp, Trace};
use serde_json::{Value, json};

use crate::forge::{KEYS, RSA};

const NOW: i64 = 1_800_000_000;
const CLIENT: &str = "our-client";

const EXPECTED: IdTokenExpectations<'static> = IdTokenExpectations {
    issuer: "https://idp.example",
    client_id: CLIENT,
    nonce: Some(ExpectedNonce::Plain("n-0S6_WzA2Mj")),
    now: Timestamp::from_secs(NOW),
    skew: Duration::from_secs(60),
    access_token: Some("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
    max_age: None,
};

fn good() -> Value {
    json!({
        "iss": "https://idp.example",
        "aud": CLIENT,
        "sub": "248289761001",
        "exp": NOW + 300,
        "iat": NOW - 2,
        "nonce": "n-0S6_WzA2Mj",
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
        "email": "ada@example.com",
    })
}

fn verified(claims: &Value) -> Verified {
    verify(&RSA.sign("JWT", claims).unwrap(), &KEYS, &["RS256"]).unwrap()
}

fn check(claims: &Value, expected: &IdTokenExpectations<'_>) -> (Result<(), IdTokenError>, Trace) {
    let mut trace = Trace::default();
    let result =
        validate(&verified(claims), expected, &mut trace).map(|claims| assert!(claims.contains_key("sub")));
    (result, trace)
}

/// The good token with one claim changed, or taken away.
fn with(name: &str, value: impl Into<Option<Value>>) -> Value {
    let mut claims = good();
    match value.into() {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    claims
}

#[track_caller]
fn refused(claims: &Value, expected: &IdTokenExpectations<'_>) -> IdTokenError {
    let (result, trace) = check(claims, expected);
    let error = result.expect_err("a bad ID token was taken");
    let failure = trace.failure().unwrap();
    assert_eq!(failure.received.as_ref(), Some(&error.received));
    assert_eq!(
        trace
            .checks()
            .iter()
            .filter(|check| check.outcome == CheckOutcome::Failed)
            .count(),
        1
    );
    assert_eq!(trace.checks().len(), 10);
    error
}

#[test]
fn a_good_token_passes_every_check() {
    let (result, trace) = check(&good(), &EXPECTED);
    assert_eq!(result, Ok(()));
    let names: Vec<&str> = trace.checks().iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Issuer",
            "Audience",
            "Authorized party",
            "Expiry",
            "Time of issue",
            "Not before",
            "Nonce",
            "Access token hash",
            "Time of authentication",
            "Subject"
        ]
    );
    assert!(trace.failure().is_none());
}

#[test]
fn each_wrong_claim_has_its_own_cause() {
    for (claims, cause) in [
        (
            with("iss", json!("https://idp.example/")),
            "id_token_issuer_mismatch",
        ),
        (
            with("iss", json!("https://evil.example")),
            "id_token_issuer_mismatch",
        ),
        (
            with("iss", json!(["https://idp.example"])),
            "id_token_issuer_mismatch",
        ),
        (with("iss", None), "id_token_issuer_mismatch"),
        (with("aud", json!("another")), "id_token_audience_mismatch"),
        (with("aud", json!([])), "id_token_audience_mismatch"),
        (with("aud", json!(["another"])), "id_token_audience_mismatch"),
        (with("aud", json!([CLIENT, 7])), "id_token_audience_mismatch"),
        (with("aud", json!({ CLIENT: true })), "id_token_audience_mismatch"),
        (
            with("aud", json!(format!("{CLIENT} another"))),
            "id_token_audience_mismatch",
        ),
        (with("aud", None), "id_token_audience_mismatch"),
        (
            with("aud", json!([CLIENT, "another"])),
            "id_token_authorized_party_mismatch",
        ),
        (
            with("azp", json!("another")),
            "id_token_authorized_party_mismatch",
        ),
        (with("azp", json!(null)), "id_token_authorized_party_mismatch"),
        (with("exp", json!(NOW - 60)), "id_token_expired"),
        (with("exp", json!(0)), "id_token_expired"),
        (with("exp", json!("2100-01-01")), "id_token_expired"),
        (with("exp", json!((NOW + 300).to_string())), "id_token_expired"),
        (with("exp", json!(1e300)), "id_token_expired"),
        (with("exp", json!(u64::MAX)), "id_token_expired"),
        (with("exp", json!(-1)), "id_token_expired"),
        (with("exp", None), "id_token_expired"),
        (with("iat", json!(NOW + 61)), "id_token_issued_at_implausible"),
        (with("iat", json!(NOW - 90_000)), "id_token_issued_at_implausible"),
        (with("iat", json!(true)), "id_token_issued_at_implausible"),
        (with("iat", None), "id_token_issued_at_implausible"),
        (with("nbf", json!(NOW + 61)), "id_token_not_yet_valid"),
        (with("nbf", json!("soon")), "id_token_not_yet_valid"),
        (with("nonce", json!("another")), "id_token_nonce_mismatch"),
        (with("nonce", json!("")), "id_token_nonce_mismatch"),
        (with("nonce", json!(["n-0S6_WzA2Mj"])), "id_token_nonce_mismatch"),
        (with("nonce", None), "id_token_nonce_mismatch"),
        (
            with("at_hash", json!("77QmUPtjPfzWtF2AnpK9RA")),
            "id_token_access_token_hash_mismatch",
        ),
        (with("at_hash", json!("")), "id_token_access_token_hash_mismatch"),
        (with("at_hash", json!(1)), "id_token_access_token_hash_mismatch"),
        (with("sub", json!("")), "id_token_subject_unusable"),
        (with("sub", json!("   ")), "id_token_subject_unusable"),
        (with("sub", json!("a\u{0}b")), "id_token_subject_unusable"),
        (with("sub", json!("s".repeat(256))), "id_token_subject_unusable"),
        (with("sub", json!(42)), "id_token_subject_unusable"),
        (with("sub", None), "id_token_subject_unusable"),
    ] {
        assert_eq!(refused(&claims, &EXPECTED).cause.code(), cause, "{claims}");
    }
}

#[test]
fn what_the_standard_allows_is_taken() {
    for claims in [
        with("aud", json!([CLIENT])),
        with("azp", json!(CLIENT)),
        with("at_hash", None),
        with("nbf", json!(NOW + 60)),
        with("exp", json!(NOW - 59)),
        with("iat", json!(NOW + 60)),
        with("exp", json!(NOW as f64 + 300.5)),
        with("sub", json!("s".repeat(255))),
    ] {
        assert_eq!(check(&claims, &EXPECTED).0, Ok(()), "{claims}");
    }
    let mut several = with("aud", json!(["another", CLIENT]));
    several["azp"] = CLIENT.into();
    assert_eq!(check(&several, &EXPECTED).0, Ok(()));
}

#[test]
fn the_hash_of_a_nonce_is_enough_to_know_it() {
    let hash = digest::digest(&digest::SHA256, b"n-0S6_WzA2Mj");
    let expected = IdTokenExpectations {
        nonce: Some(ExpectedNonce::Sha256(hash.as_ref())),
        ..EXPECTED
    };
    assert_eq!(check(&good(), &expected).0, Ok(()));
    assert_eq!(
        refused(&with("nonce", json!("another")), &expected).cause.code(),
        "id_token_nonce_mismatch"
    );
    for broken in [&hash.as_ref()[..31], &[], b"n-0S6_WzA2Mj"] {
        let expected = IdTokenExpectations {
            nonce: Some(ExpectedNonce::Sha256(broken)),
            ..EXPECTED
        };
        assert_eq!(
            refused(&good(), &expected).cause.code(),
            "id_token_nonce_mismatch"
        );
    }
}

#[test]
fn a_fresh_authentication_is_proved_when_it_was_asked_for() {
    let expected = IdTokenExpectations {
        max_age: Some(Duration::from_secs(300)),
        ..EXPECTED
    };
    assert_eq!(check(&with("auth_time", json!(NOW - 300)), &expected).0, Ok(()));
    for value in [
        json!(NOW - 361),
        json!(NOW + 61),
        json!("now"),
        json!(NOW.to_string()),
        json!(-1),
        json!(1e30),
        json!([NOW]),
        json!(true),
    ] {
        assert_eq!(
            refused(&with("auth_time", value), &expected).cause.code(),
            "id_token_authentication_too_old"
        );
    }
    for absent in [None, Some(Value::Null)] {
        assert_eq!(
            refused(&with("auth_time", absent), &expected).cause.code(),
            "id_token_authentication_time_missing"
        );
    }
    let longest = IdTokenExpectations {
        max_age: Some(Duration::MAX),
        ..EXPECTED
    };
    assert_eq!(check(&with("auth_time", json!(0)), &longest).0, Ok(()));
}

#[test]
fn a_time_of_authentication_counts_only_if_it_is_one() {
    let told = |value: Value| {
        let (now, skew) = (EXPECTED.now, EXPECTED.skew);
        auth_time(with("auth_time", value).as_object().unwrap(), now, skew).map(Timestamp::as_secs)
    };
    assert_eq!(told(json!(NOW - 7200)), Some(NOW - 7200));
    assert_eq!(told(json!(0)), Some(0));
    assert_eq!(told(json!(1.9)), Some(1));
    assert_eq!(told(json!(NOW + 60)), Some(NOW + 60));
    for none in [
        json!(null),
        json!(-1),
        json!(NOW + 61),
        json!(1e30),
        json!("1795932282"),
        json!("yesterday"),
        json!([NOW]),
        json!({ "at": NOW }),
        json!(true),
    ] {
        assert_eq!(told(none.clone()), None, "{none}");
    }
    assert_eq!(
        auth_time(&serde_json::Map::new(), EXPECTED.now, EXPECTED.skew),
        None
    );
}

#[test]
fn a_trace_says_what_came_and_never_the_nonce() {
    let error = refused(&with("aud", json!(["client-a", "client-b"])), &EXPECTED);
    assert_eq!(
        (error.expected.as_str(), error.received.as_str()),
        (CLIENT, r#"["client-a","client-b"]"#)
    );

    let (_, trace) = check(&with("nonce", json!("a-nonce-of-another-login")), &EXPECTED);
    let shown = format!("{trace:?}");
    assert!(
        !shown.contains("another-login") && !shown.contains("n-0S6_WzA2Mj"),
        "{shown}"
    );

    // Times as people read them, and how far they are from now.
    let now = Timestamp::from_secs(NOW).to_rfc3339();
    let then = Timestamp::from_secs(NOW - 180).to_rfc3339();
    let expired = refused(&with("exp", json!(NOW - 180)), &EXPECTED);
    assert_eq!(
        (expired.expected, expired.received),
        (format!("later than {now}"), format!("{then}, 3 minutes ago"))
    );
    let ahead = refused(&with("iat", json!(NOW + 7200)), &EXPECTED);
    assert!(ahead.received.ends_with("Z, in 2 hours"), "{}", ahead.received);
    let none = refused(&with("exp", None), &EXPECTED);
    assert_eq!(none.received, "no exp");
    let (_, trace) = check(&good(), &EXPECTED);
    assert!(format!("{trace:?}").contains("Z, 2 seconds ago"), "{trace:?}");

    let long = refused(&with("iss", json!("x".repeat(40_000))), &EXPECTED);
    assert!(long.received.chars().count() <= 513);
}

#[test]
fn the_hashes_are_those_of_the_standard() {
    use genkan_protocol::jose::SignatureAlgorithm as Alg;
    // OIDC Core appendix A.4.
    assert_eq!(
        left_half(
            Alg::Rs256,
            "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
        ),
        "LDktKdoQak3Pk0cnXxCltA"
    );
    for (algorithm, length) in [
        (Alg::Es256, 22),
        (Alg::Ps384, 32),
        (Alg::Es384, 32),
        (Alg::Rs512, 43),
        (Alg::EdDsa, 43),
    ] {
        assert_eq!(left_half(algorithm, "x").len(), length);
    }
}
