//! What `@open-neko/plugin-scalekit` 0.2.1 answers, byte for byte.

use super::provider::{Answer, COMPLETE, Provider, complete, json, plugin_error, run, run_by_input, token};

fn foo() -> Vec<(&'static str, String)> {
    vec![
        ("SCALEKIT_ENVIRONMENT_URL", "https://foo.scalekit.com/".to_owned()),
        ("SCALEKIT_CLIENT_ID", "cid".to_owned()),
        ("SCALEKIT_CLIENT_SECRET", "secret".to_owned()),
    ]
}

fn with_url(url: &str) -> Vec<(&'static str, String)> {
    let mut env = foo();
    env[0].1 = url.to_owned();
    env
}

const BEGIN: &str = r#"{"params":{"redirectUri":"https://a/cb","state":"s","loginHint":"a+b@c.d"}}"#;

#[test]
fn register_needs_no_environment() {
    let expected = r#"{"ok":true,"result":{"protocol":1,"pluginName":"@open-neko/plugin-scalekit","pluginVersion":"0.2.1","capabilities":{"auth":{"providerLabel":"Scalekit"}}}}"#;
    assert_eq!(run(&["register", "{}"], &[]), (expected.to_owned(), 0));
    assert_eq!(run(&["register"], &[]), (expected.to_owned(), 0));
}

#[test]
fn parameters_on_standard_input_get_the_same_answers() {
    for params in [
        BEGIN,
        "{}",
        "",
        "{\"params\":{\"redirectUri\":\"https://a/ü\",\"state\":\"s\"}}",
    ] {
        let by_argument = run(&["begin_auth", params], &foo());
        assert_eq!(
            run_by_input("begin_auth", params, &foo()),
            by_argument,
            "{params}"
        );
    }
    let asked = run(&["register", r#"{"paramsBy":["input"]}"#], &[]);
    assert!(asked.0.ends_with(r#","paramsBy":"input"}}"#), "{asked:?}");
}

#[test]
fn a_call_without_a_method_is_told_so() {
    let expected =
        r#"{"ok":false,"error":{"code":"MISSING_METHOD","message":"method name argv[2] required"}}"#;
    assert_eq!(run(&[], &[]), (expected.to_owned(), 2));
    assert_eq!(run(&[""], &[]), (expected.to_owned(), 2));
}

#[test]
fn a_method_that_is_unknown_is_told_so() {
    let expected = r#"{"ok":false,"error":{"code":"UNKNOWN_METHOD","message":"unknown RPC method: nope"}}"#;
    assert_eq!(run(&["nope", "{}"], &[]), (expected.to_owned(), 1));
}

#[test]
fn methods_of_other_surfaces_are_refused() {
    for method in ["begin_connect", "complete_connect", "refresh_connect"] {
        assert_eq!(
            run(&[method, "{}"], &[]),
            (plugin_error("plugin does not implement a connect capability"), 1)
        );
    }
    let request = r#"{"request":{"id":"1","orgId":"o","scope":"s","kind":"x","target":null,"summary":null,"payload":null,"riskLevel":null}}"#;
    assert_eq!(
        run(&["execute_action", request], &[]),
        (plugin_error("plugin does not handle action kind \"x\""), 1)
    );
}

#[test]
fn missing_values_are_named_and_the_first_is_in_the_hint() {
    let hint = |keys: &str, first: &str| {
        plugin_error(&format!(
            "{keys} not set (run `openneko secrets set @open-neko/plugin-scalekit {first}`)"
        ))
    };
    let all = "SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET";
    assert_eq!(
        run(&["begin_auth", BEGIN], &[]),
        (hint(all, "SCALEKIT_ENVIRONMENT_URL"), 1)
    );
    let mut env = foo();
    env[2].1 = String::new();
    assert_eq!(
        run(&["begin_auth", BEGIN], &env),
        (hint("SCALEKIT_CLIENT_SECRET", "SCALEKIT_CLIENT_SECRET"), 1)
    );
}

#[test]
fn begin_auth_sends_the_browser_to_the_provider() {
    let expected = r#"{"ok":true,"result":{"result":{"authorizationUrl":"https://foo.scalekit.com/oauth/authorize?response_type=code&client_id=cid&redirect_uri=https%3A%2F%2Fa%2Fcb&state=s&scope=openid+profile+email&login_hint=a%2Bb%40c.d"}}}"#;
    assert_eq!(run(&["begin_auth", BEGIN], &foo()), (expected.to_owned(), 0));
    assert_eq!(
        run(
            &["begin_auth", BEGIN],
            &with_url("https://foo.scalekit.com/dropped/path")
        ),
        (expected.to_owned(), 0)
    );
    let without = expected.replace("&login_hint=a%2Bb%40c.d", "");
    for hint in ["null", "\"\""] {
        let params = BEGIN.replace("\"a+b@c.d\"", hint);
        assert_eq!(run(&["begin_auth", &params], &foo()), (without.clone(), 0));
    }
}

#[test]
fn the_environment_url_must_be_https() {
    let answer = run(&["begin_auth", BEGIN], &with_url("http://foo.scalekit.com/"));
    assert_eq!(
        answer,
        (
            plugin_error("SCALEKIT_ENVIRONMENT_URL must be an https URL (got http://foo.scalekit.com)"),
            1
        )
    );
    assert_eq!(
        run(&["begin_auth", BEGIN], &with_url("   ")),
        (plugin_error("SCALEKIT_ENVIRONMENT_URL is empty"), 1)
    );
}

#[test]
fn malformed_parameters_are_refused_as_zod_does() {
    let missing = "[\n  {\n    \"expected\": \"object\",\n    \"code\": \"invalid_type\",\n    \"path\": [\n      \"params\"\n    ],\n    \"message\": \"Invalid input: expected object, received undefined\"\n  }\n]";
    assert_eq!(run(&["begin_auth", "{}"], &foo()), (plugin_error(missing), 1));
    let too_small = "[\n  {\n    \"origin\": \"string\",\n    \"code\": \"too_small\",\n    \"minimum\": 1,\n    \"inclusive\": true,\n    \"path\": [\n      \"params\",\n      \"state\"\n    ],\n    \"message\": \"Too small: expected string to have >=1 characters\"\n  }\n]";
    // The schema comes before the environment.
    assert_eq!(
        run(
            &[
                "begin_auth",
                r#"{"params":{"redirectUri":"https://a/cb","state":""}}"#
            ],
            &[]
        ),
        (plugin_error(too_small), 1)
    );
}

fn identity(userinfo: &str) -> (String, i32) {
    complete(&[("/oauth/token", token()), ("/userinfo", json(200, userinfo))])
}

fn identified(identity: &str) -> (String, i32) {
    (
        format!(r#"{{"ok":true,"result":{{"result":{{"identity":{identity}}}}}}}"#),
        0,
    )
}

#[test]
fn complete_auth_maps_the_claims() {
    let answer = identity(
        r#"{"sub":"s1","email":"A@x.io","given_name":"A","family_name":"B","organization_id":"org_1","groups":["g",3,"","h"],"roles":["h","r"],"email_verified":true}"#,
    );
    assert_eq!(
        answer,
        identified(r#"{"sub":"s1","email":"A@x.io","name":"A B","orgId":"org_1","groups":["g","h","r"]}"#)
    );
}

#[test]
fn an_empty_name_is_no_name() {
    let answer = identity(r#"{"sub":"s1","email":"a@x.io","name":"","given_name":"Z"}"#);
    assert_eq!(
        answer,
        identified(r#"{"sub":"s1","email":"a@x.io","name":null,"orgId":null,"groups":[]}"#)
    );
}

#[test]
fn a_string_of_groups_becomes_its_characters() {
    let answer = identity(r#"{"sub":"s1","email":"a@x.io","groups":"notarray"}"#);
    assert_eq!(
        answer,
        identified(
            r#"{"sub":"s1","email":"a@x.io","name":null,"orgId":null,"groups":["n","o","t","a","r","y"]}"#
        )
    );
}

#[test]
fn an_address_that_is_too_short_is_refused_as_zod_does() {
    let issue = "[\n  {\n    \"origin\": \"string\",\n    \"code\": \"too_small\",\n    \"minimum\": 3,\n    \"inclusive\": true,\n    \"path\": [\n      \"result\",\n      \"identity\",\n      \"email\"\n    ],\n    \"message\": \"Too small: expected string to have >=3 characters\"\n  }\n]";
    assert_eq!(identity(r#"{"sub":"s1","email":"ab"}"#), (plugin_error(issue), 1));
}

#[test]
fn a_person_without_id_or_address_is_refused() {
    assert_eq!(
        identity(r#"{"email":"a@x.io"}"#),
        (plugin_error("Scalekit userinfo returned no sub"), 1)
    );
    assert_eq!(
        identity(r#"{"sub":"s1"}"#),
        (
            plugin_error("Scalekit userinfo returned no email — check the IdP's released scopes"),
            1
        )
    );
}

#[test]
fn what_the_provider_says_about_a_failure_is_passed_on() {
    let html = Answer {
        status: 502,
        headers: String::new(),
        body: b"<html>oops</html>".to_vec(),
    };
    for (answer, message) in [
        (
            json(400, r#"{"error":"invalid_grant","error_description":"expired"}"#),
            "Scalekit token exchange returned HTTP 400 (invalid_grant: expired)",
        ),
        (
            json(401, "{}"),
            "Scalekit token exchange returned HTTP 401 (no error code)",
        ),
        (
            html,
            "Scalekit token exchange returned non-JSON (HTTP 502): <html>oops</html>",
        ),
        (json(200, ""), "Scalekit token exchange returned no access_token"),
        (
            json(200, "null"),
            "Scalekit token exchange returned no access_token",
        ),
    ] {
        assert_eq!(complete(&[("/oauth/token", answer)]), (plugin_error(message), 1));
    }
    let answer = complete(&[
        ("/oauth/token", token()),
        ("/userinfo", json(403, r#"{"error":"denied"}"#)),
    ]);
    assert_eq!(
        answer,
        (plugin_error("Scalekit userinfo returned HTTP 403 (denied)"), 1)
    );
}

#[test]
fn the_wire_is_as_scalekit_expects() {
    let provider = Provider::start(&[
        ("/oauth/token", token()),
        ("/userinfo", json(200, r#"{"sub":"s1","email":"a@x.io"}"#)),
    ]);
    let (_, exit) = run(&["complete_auth", COMPLETE], &provider.env());
    assert_eq!(exit, 0);
    let requests = provider.requests();
    let [exchange, userinfo] = &requests[..] else {
        panic!("{requests:?}");
    };
    let (head, body) = exchange.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /oauth/token HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    // The identifier and the secret go as they are, not percent-encoded.
    assert!(exchange.contains("Basic aWQ6MTpzKy89\r\n"), "{exchange}");
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded\r\n"),
        "{head}"
    );
    assert!(head.contains("accept: application/json"), "{head}");
    assert_eq!(
        body,
        "grant_type=authorization_code&code=u1&redirect_uri=https%3A%2F%2Fa%2Fcb"
    );
    assert!(userinfo.starts_with("GET /userinfo HTTP/1.1\r\n"), "{userinfo}");
    assert!(userinfo.contains("Bearer at-1\r\n"), "{userinfo}");
}

#[test]
fn a_provider_that_cannot_be_reached_is_a_network_error() {
    let answer = run(&["complete_auth", COMPLETE], &with_url("https://127.0.0.1:1"));
    assert_eq!(
        answer,
        (
            plugin_error("Scalekit token exchange network error: fetch failed"),
            1
        )
    );
}
