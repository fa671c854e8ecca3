//! What the plugin does beyond protocol 1 when the host offers it, and only then.

use openneko_plugin::json::Json;
use openneko_plugin::rpc::{BeginAuth, CompleteAuth};

use super::provider::{Provider, json, run, token};

#[test]
fn begin_auth_takes_a_challenge_and_a_nonce() {
    let provider = Provider::start(&[]);
    let call = BeginAuth::new("https://a/cb", "s")
        .with("codeChallenge", "E9Me")
        .with("codeChallengeMethod", "S256")
        .with("nonce", "n-1");
    let (stdout, _) = run(&["begin_auth", &call.params()], &provider.env());
    let url = BeginAuth::answer(stdout.as_bytes()).unwrap().authorization_url;
    assert!(
        url.ends_with("&scope=openid+profile+email&code_challenge=E9Me&code_challenge_method=S256&nonce=n-1"),
        "{url}"
    );
}

#[test]
fn complete_auth_sends_the_verifier_and_hands_the_id_token_over() {
    let provider = Provider::start(&[
        ("/oauth/token", token()),
        (
            "/userinfo",
            json(200, r#"{"sub":"s1","email":"a@x.io","email_verified":true}"#),
        ),
        ("/keys", json(200, r#"{"keys":[{"kty":"RSA","kid":"k1"}]}"#)),
    ]);
    let call = CompleteAuth::new("u1", "https://a/cb", "s")
        .with("codeVerifier", "dBjf")
        .with("nonce", "n-1");
    let (stdout, _) = run(&["complete_auth", &call.params()], &provider.env());
    let answer = CompleteAuth::answer(stdout.as_bytes()).unwrap();
    assert!(
        provider.requests()[0].ends_with("&code_verifier=dBjf"),
        "{:?}",
        provider.requests()
    );
    assert_eq!(
        answer.identity.extra.get("emailVerified"),
        Some(&Json::Bool(true))
    );
    let expected = format!(
        r#"{{"token":"h.p.s","issuer":"{}","audience":"id:1","keys":{{"keys":[{{"kty":"RSA","kid":"k1"}}]}}}}"#,
        provider.url
    );
    assert_eq!(
        serde_json::to_string(answer.extra.get("idToken").unwrap()).unwrap(),
        expected
    );
}

#[test]
fn a_provider_that_gives_no_id_token_for_a_nonce_is_refused() {
    let provider = Provider::start(&[
        ("/oauth/token", json(200, r#"{"access_token":"at-1"}"#)),
        ("/userinfo", json(200, r#"{"sub":"s1","email":"a@x.io"}"#)),
    ]);
    let call = CompleteAuth::new("u1", "https://a/cb", "s").with("nonce", "n-1");
    let (stdout, exit) = run(&["complete_auth", &call.params()], &provider.env());
    assert_eq!(exit, 1);
    assert!(stdout.contains("returned no id_token"), "{stdout}");
}

#[test]
fn a_code_of_another_issuer_is_sent_nowhere() {
    let provider = Provider::start(&[("/oauth/token", json(400, "{}"))]);
    let call = |iss: &str| {
        CompleteAuth::new("u1", "https://a/cb", "s")
            .with("iss", iss)
            .params()
    };
    let (stdout, exit) = run(&["complete_auth", &call("https://evil.test")], &provider.env());
    assert_eq!(exit, 1);
    assert!(stdout.contains("another issuer"), "{stdout}");
    assert!(provider.requests().is_empty());
    run(&["complete_auth", &call(&provider.url)], &provider.env());
    assert_eq!(provider.requests().len(), 1);
}
