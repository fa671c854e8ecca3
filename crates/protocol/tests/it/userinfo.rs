//! Answers at a provider's userinfo endpoint.
//!
//! Source: OIDC Core §5.3.2, §5.6.2.

use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_protocol::jose::verify;
use genkan_protocol::oidc::userinfo::{
    UserInfoError, has_unlisted_groups, is_kept_elsewhere, parse, validate_signed,
};
use serde_json::{Value, json};

use crate::forge::{KEYS, RSA};

const NOW: i64 = 1_800_000_000;

fn signed(claims: &Value) -> Result<Value, UserInfoError> {
    let answer = verify(&RSA.sign("JWT", claims).unwrap(), &KEYS, &["RS256"]).unwrap();
    let times = (Timestamp::from_secs(NOW), Duration::from_secs(60));
    validate_signed(answer, "https://idp.example", "our-client", times).map(Value::Object)
}

#[test]
fn a_signed_answer_is_this_issuers_and_for_us() {
    let good = json!({ "iss": "https://idp.example", "aud": "our-client", "sub": "ada" });
    assert_eq!(signed(&good), Ok(good.clone()));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&claims)
    };
    assert!(with("aud", json!(["other", "our-client"])).is_ok());
    assert!(with("exp", json!(NOW - 59)).is_ok());
    for (name, value, error) in [
        ("iss", json!("https://idp.example/"), UserInfoError::Issuer),
        ("iss", json!(null), UserInfoError::Issuer),
        ("iss", json!(["https://idp.example"]), UserInfoError::Issuer),
        ("aud", json!("other"), UserInfoError::Audience),
        ("aud", json!([]), UserInfoError::Audience),
        ("aud", json!(null), UserInfoError::Audience),
        ("exp", json!(NOW - 60), UserInfoError::Expired),
        ("exp", json!("tomorrow"), UserInfoError::Expired),
        ("exp", json!(null), UserInfoError::Expired),
    ] {
        assert_eq!(with(name, value.clone()), Err(error), "{name}: {value}");
    }
}

#[test]
fn an_answer_says_each_thing_once() {
    assert!(parse(br#"{"sub":"ada"}"#).is_ok());
    for bad in [
        r#"{"email_verified":false,"email_verified":true}"#,
        "[]",
        "",
        "<h1>",
        "null",
    ] {
        assert_eq!(parse(bad.as_bytes()), Err(UserInfoError::Malformed), "{bad}");
    }
}

#[test]
fn an_overage_is_told_from_an_absence() {
    let document = |value: Value| value.as_object().unwrap().clone();
    let distributed = document(json!({
        "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://graph.windows.net/…" } },
    }));
    assert!(is_kept_elsewhere(&distributed, "groups"));
    assert!(!is_kept_elsewhere(&distributed, "roles"));
    for none in [
        json!({}),
        json!({ "_claim_names": "groups" }),
        json!({ "_claim_names": null }),
    ] {
        assert!(!is_kept_elsewhere(&document(none), "groups"));
    }
    for (value, has) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!(1), false),
        (json!(null), false),
    ] {
        assert_eq!(has_unlisted_groups(&document(json!({ "hasgroups": value }))), has);
    }
    assert!(!has_unlisted_groups(&document(json!({}))));
}
