//! A provider that means no good, and one that is somebody else.

use super::provider::{Answer, COMPLETE, Provider, complete, json, plugin_error, run, token};

#[test]
fn a_redirect_is_not_followed_with_the_secret() {
    let elsewhere = Provider::start(&[]);
    let redirect = Answer {
        status: 307,
        headers: format!("location: {}/steal\r\n", elsewhere.url),
        body: Vec::new(),
    };
    let (stdout, exit) = complete(&[("/oauth/token", redirect.clone())]);
    let expected = "Scalekit token exchange returned HTTP 307 (a redirect, which is not followed)";
    assert_eq!((stdout, exit), (plugin_error(expected), 1));
    let (stdout, _) = complete(&[("/oauth/token", token()), ("/userinfo", redirect)]);
    assert!(stdout.contains("userinfo returned HTTP 307"), "{stdout}");
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn an_answer_without_end_is_cut() {
    let mut answer = json(200, "");
    answer.body = vec![b' '; 2 << 20];
    let (stdout, exit) = complete(&[("/oauth/token", answer)]);
    assert_eq!(
        (stdout, exit),
        (
            plugin_error("Scalekit token exchange network error: the answer is longer than 1048576 bytes"),
            1
        )
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let provider = Provider::start(&[("/oauth/token", token())]);
    let mut env = provider.env();
    env.retain(|(key, _)| *key != "OPENNEKO_EXTRA_CA_CERTS");
    let expected = (
        plugin_error("Scalekit token exchange network error: fetch failed"),
        1,
    );
    assert_eq!(run(&["complete_auth", COMPLETE], &env), expected);
    // The name must be right as well.
    let mut env = provider.env();
    env[0].1 = provider.url.replace("localhost", "127.0.0.1");
    assert_eq!(run(&["complete_auth", COMPLETE], &env), expected);
    assert!(provider.requests().is_empty());
}

#[test]
fn other_variables_can_name_the_authority() {
    let provider = Provider::start(&[("/oauth/token", json(400, "{}"))]);
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
        let mut env = provider.env();
        env[3].0 = name;
        let (stdout, _) = run(&["complete_auth", COMPLETE], &env);
        assert!(stdout.contains("HTTP 400"), "{name}: {stdout}");
    }
}

#[test]
fn an_authority_file_that_cannot_be_read_is_no_reason_to_trust_everybody() {
    let provider = Provider::start(&[("/oauth/token", token())]);
    let mut env = provider.env();
    env[3].1 = "/nowhere.pem".to_owned();
    assert_eq!(
        run(&["complete_auth", COMPLETE], &env),
        (
            plugin_error("Scalekit token exchange network error: fetch failed"),
            1
        )
    );
}

#[test]
fn a_token_cannot_smuggle_a_header() {
    let provider = Provider::start(&[("/oauth/token", json(200, r#"{"access_token":"a\r\nX-Evil: 1"}"#))]);
    let (stdout, exit) = run(&["complete_auth", COMPLETE], &provider.env());
    assert_eq!(exit, 1);
    assert!(stdout.contains("cannot be sent"), "{stdout}");
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn values_of_the_call_cannot_leave_their_place_in_the_form() {
    let provider = Provider::start(&[("/oauth/token", json(400, "{}"))]);
    let params = r#"{"params":{"code":"u1&client_id=evil#\r\n","redirectUri":"https://a/cb","state":"s"}}"#;
    run(&["complete_auth", params], &provider.env());
    let request = &provider.requests()[0];
    assert!(
        request.ends_with("&code=u1%26client_id%3Devil%23%0D%0A&redirect_uri=https%3A%2F%2Fa%2Fcb"),
        "{request}"
    );
}

#[test]
fn the_secret_is_in_no_answer() {
    let html = Answer {
        status: 500,
        headers: String::new(),
        body: b"<html>".to_vec(),
    };
    for routes in [
        vec![],
        vec![("/oauth/token", html)],
        vec![("/oauth/token", token())],
    ] {
        let (stdout, _) = complete(&routes);
        assert!(
            !stdout.contains("s+/=") && !stdout.contains("aWQ6MTpzKy89"),
            "{stdout}"
        );
    }
}

#[test]
fn an_answer_that_drips_ends_after_twenty_seconds() {
    let drip = Answer {
        status: 200,
        headers: "x-drip: yes\r\n".to_owned(),
        body: vec![b' '; 1000],
    };
    let start = std::time::Instant::now();
    let answer = complete(&[("/oauth/token", drip)]);
    assert_eq!(
        answer,
        (plugin_error("Scalekit token exchange timed out after 20000ms"), 1)
    );
    assert!(
        (20..25).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
}
