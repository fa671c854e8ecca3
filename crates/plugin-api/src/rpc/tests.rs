//! Exact JSON, and answers of a hostile plugin.

use proptest::prelude::*;

use super::*;
use crate::json::Json;

#[test]
fn registration_is_byte_for_byte_what_hosts_expect() {
    let registration = Registration::auth("@open-neko/plugin-scalekit", "0.2.1", "Scalekit");
    let text = r#"{"ok":true,"result":{"protocol":1,"pluginName":"@open-neko/plugin-scalekit","pluginVersion":"0.2.1","capabilities":{"auth":{"providerLabel":"Scalekit"}}}}"#;
    assert_eq!(success(&registration).unwrap(), text);
    assert_eq!(Registration::answer(text.as_bytes()).unwrap(), registration);
}

#[test]
fn how_parameters_are_given_is_said_only_to_who_asks() {
    let registration = Registration::auth("@a/plugin", "1.0.0", "A");
    let asked = registration.clone().answering(Registration::ASK_PARAMS_BY);
    let text = success(&asked).unwrap();
    assert!(
        text.ends_with(r#""capabilities":{"auth":{"providerLabel":"A"}},"paramsBy":"input"}}"#),
        "{text}"
    );
    assert!(
        Registration::answer(text.as_bytes())
            .unwrap()
            .reads_params_on_input()
    );
    for params in ["{}", "", r#"{"paramsBy":["descriptor"]}"#] {
        assert_eq!(registration.clone().answering(params), registration, "{params}");
    }
    assert!(!registration.reads_params_on_input());
    for other in ["true", r#"["input"]"#, r#""argument""#, "null"] {
        let text = text.replace(r#""input""#, other);
        assert!(
            !Registration::answer(text.as_bytes())
                .unwrap()
                .reads_params_on_input(),
            "{other}"
        );
    }
}

#[test]
fn parameters_are_wrapped_and_offers_come_last() {
    let begin = BeginAuth {
        login_hint: Some("a+b@c.d".to_owned()),
        ..BeginAuth::new("https://a/cb", "s")
    };
    assert_eq!(
        begin.with("nonce", "n").params(),
        r#"{"params":{"redirectUri":"https://a/cb","state":"s","loginHint":"a+b@c.d","nonce":"n"}}"#
    );
    assert_eq!(
        CompleteAuth::new("c", "https://a/cb", "s").params(),
        r#"{"params":{"code":"c","redirectUri":"https://a/cb","state":"s"}}"#
    );
}

#[test]
fn an_identity_is_byte_for_byte_what_hosts_expect() {
    let text = r#"{"sub":"s1","email":"A@x.io","name":null,"orgId":"org_1","groups":["g","h"]}"#;
    let identity: Identity = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&identity).unwrap(), text);
}

#[test]
fn what_later_plugins_say_is_accepted_and_kept() {
    let stdout = br#"{"ok":true,"more":1,"result":{"extra":2,"result":{"idToken":"x.y.z","identity":{"sub":"s","email":"a@b","groups":["a",{"id":"g1","name":"Group"}],"emailVerified":true}}}}"#;
    let answer = CompleteAuth::answer(stdout).unwrap();
    assert_eq!(answer.identity.groups, ["a", "g1"]);
    assert_eq!(answer.extra.get("idToken").and_then(Json::as_str), Some("x.y.z"));
    assert_eq!(
        answer.identity.extra.get("emailVerified"),
        Some(&Json::Bool(true))
    );
}

#[test]
fn the_second_result_is_demanded() {
    let single = br#"{"ok":true,"result":{"authorizationUrl":"https://idp.test/"}}"#;
    assert!(matches!(BeginAuth::answer(single), Err(RpcError::Shape(_))));
}

#[test]
fn an_identity_without_its_person_is_refused() {
    for identity in [
        r#"{"sub":"","email":"a@b"}"#,
        r#"{"sub":"s","email":"ab"}"#,
        r#"{"sub":"s"}"#,
        r#"{"sub":7,"email":"a@b"}"#,
        r#"{"sub":"s","email":"a@b","groups":"admin"}"#,
        r#"{"sub":"s","email":"a@b","groups":[["admin"]]}"#,
        r#"{"sub":"s","sub":"t","email":"a@b"}"#,
        "null",
    ] {
        let stdout = format!(r#"{{"ok":true,"result":{{"result":{{"identity":{identity}}}}}}}"#);
        assert!(
            matches!(
                CompleteAuth::answer(stdout.as_bytes()),
                Err(RpcError::Shape(_) | RpcError::NotAnAnswer(_))
            ),
            "{identity}"
        );
    }
}

#[test]
fn only_the_last_line_counts() {
    let forged = b"{\"ok\":true,\"result\":1}\r\n{\"ok\":false,\"error\":{\"code\":\"MY_CODE\",\"message\":\"no\"}}\r\n\r\n";
    let error = parse_answer(forged).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (Some("MY_CODE"), "MY_CODE no")
    );
}

#[test]
fn an_answer_that_says_neither_is_refused() {
    for stdout in [
        "7",
        "null",
        "{}",
        r#"{"ok":"true"}"#,
        r#"{"ok":false}"#,
        r#"{"ok":false,"error":"x"}"#,
        "<html>",
        "{\"ok\":true",
        "\u{1}",
    ] {
        assert!(
            matches!(parse_answer(stdout.as_bytes()), Err(RpcError::NotAnAnswer(_))),
            "{stdout}"
        );
    }
    assert_eq!(parse_answer(b""), Err(RpcError::Empty));
    assert_eq!(parse_answer(&vec![b' '; MAX_STDOUT + 1]), Err(RpcError::TooLong));
    assert!(matches!(
        parse_answer(&[b'['; 500_000]),
        Err(RpcError::NotAnAnswer(_))
    ));
    assert!(matches!(
        parse_answer(&[0xFF, 0xFE]),
        Err(RpcError::NotAnAnswer(_))
    ));
}

/// Of two members with one name, the host might take another than a reader of the log.
#[test]
fn an_answer_that_says_two_things_is_refused() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for answer in [
        r#"{"ok":false,"ok":true,"result":1}"#.to_owned(),
        r#"{"ok":true,"result":1,"result":2}"#.to_owned(),
        r#"{"ok":true,"note":1,"note":2,"result":1}"#.to_owned(),
        r#"{"ok":true,"result":{"identity":{"sub":"a","s\u0075b":"b"}}}"#.to_owned(),
        r#"{"ok":false,"error":{"code":"A","message":"","code":"B"}}"#.to_owned(),
        format!(r#"{{"ok":true,"result":{deep}}}"#),
        format!(r#"{{"ok":true,"note":{deep},"result":1}}"#),
        format!(r#"{{"ok":true,"result":[0{}]}}"#, ",0".repeat(300_000)),
    ] {
        let refused = parse_answer(answer.as_bytes());
        assert!(matches!(refused, Err(RpcError::NotAnAnswer(_))), "{refused:?}");
    }
}

#[test]
fn a_success_without_a_result_is_null() {
    assert_eq!(parse_answer(br#"{"ok":true}"#), Ok(serde_json::Value::Null));
}

#[test]
fn another_plugin_or_version_or_fewer_abilities_are_seen_at_registration() {
    let registration = Registration::auth("@a/b", "1.0.0", "B");
    let granted = registration.capabilities.clone();
    assert_eq!(registration.check("@a/b", "1.0.0", &granted), Ok(()));
    assert_eq!(
        registration.check("@a/b", "1.0.0", &Capabilities::default()),
        Ok(()),
        "what was not granted is ignored"
    );
    assert!(
        registration
            .check("@a/c", "1.0.0", &granted)
            .unwrap_err()
            .contains("registers as @a/b")
    );
    assert!(
        registration
            .check("@a/b", "1.0.1", &granted)
            .unwrap_err()
            .contains("version 1.0.0")
    );
    let more: Capabilities = serde_json::from_str(r#"{"action":{"kinds":[{"kind":"x"}]}}"#).unwrap();
    assert!(
        registration
            .check("@a/b", "1.0.0", &more)
            .unwrap_err()
            .contains("\"x\"")
    );
    let none = Registration {
        capabilities: more,
        ..registration
    };
    assert_eq!(
        none.check("@a/b", "1.0.0", &granted).unwrap_err(),
        "@a/b reports no auth provider"
    );
}

#[test]
fn another_protocol_is_refused() {
    let stdout =
        br#"{"ok":true,"result":{"protocol":2,"pluginName":"a","pluginVersion":"1.0.0","capabilities":{}}}"#;
    assert!(
        Registration::answer(stdout)
            .unwrap_err()
            .to_string()
            .contains("protocol 2")
    );
}

proptest! {
    #[test]
    fn a_failure_survives_whatever_it_says(code in ".*", message in ".*") {
        let expected = RpcError::Plugin(Failure { code: code.clone(), message: message.clone() });
        prop_assert_eq!(parse_answer(failure(&code, &message).as_bytes()), Err(expected));
    }

    #[test]
    fn no_output_makes_the_reader_panic(stdout: Vec<u8>) {
        let _ = parse_answer(&stdout);
        let _ = CompleteAuth::answer(&stdout);
    }
}
