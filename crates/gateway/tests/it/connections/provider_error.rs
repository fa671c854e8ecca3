//! An identity provider's own refusals go to the application.
//!
//! Source: RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6.

use genkan_testkit::{Browser, Callback, Gateway, Rp};
use insta::assert_snapshot;

/// Lets the provider answer with an error of its choice.
async fn refused(browser: &mut Browser, rp: &Rp, error: &str, description: &str) -> Callback {
    let request = rp.authorize().with("domain", "acme.test").with("state", "s1");
    let page = browser.start(&request).await.page();
    let form = page.html.forms()[1].clone();
    let fields = [("error", error), ("error_description", description)];
    browser.submit_form(&page, &form, &fields).await.callback()
}

#[tokio::test]
async fn the_application_hears_the_error_its_state_and_a_reference() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let callback = refused(&mut browser, &rp, "access_denied", "Ada is on leave.").await;
    assert_snapshot!(callback.transcript(), @"https://rp.test/callback?error=access_denied&error_description=the+identity+provider+answered+access_denied%3A+Ada+is+on+leave.+%28reference+err_<id>%29&state=s1&iss=https%3A%2F%2Fgateway.test");
    assert!(browser.cookies.get("genkan_session").is_none());

    let trace = gateway.login_trace().await;
    assert!(
        callback
            .parameter("error_description")
            .unwrap()
            .contains(trace.id.as_str())
    );
    assert_eq!(trace.cause, "provider_error");
    let failed = trace.trace.failure().unwrap();
    assert_eq!(
        failed.received.as_deref(),
        Some("access_denied: Ada is on leave.")
    );
    assert_eq!(gateway.events().await.last().unwrap(), "login.failed");
}

#[tokio::test]
async fn known_codes_are_passed_on() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut told = Vec::new();
    for error in [
        "access_denied",
        "login_required",
        "interaction_required",
        "invalid_scope",
        "unauthorized_client",
        "server_error",
        "temporarily_unavailable",
    ] {
        let callback = refused(&mut gateway.browser(), &rp, error, "x").await;
        told.push(format!("{error} -> {}", callback.error()));
    }
    assert_snapshot!(told.join("\n"), @r#"
    access_denied -> access_denied
    login_required -> login_required
    interaction_required -> interaction_required
    invalid_scope -> invalid_scope
    unauthorized_client -> unauthorized_client
    server_error -> server_error
    temporarily_unavailable -> temporarily_unavailable
    "#);
}

/// Foreign text ends in a parameter of the application's address, and nowhere else.
#[tokio::test]
async fn foreign_text_stays_one_parameter() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    for (error, description) in [
        ("made_up_code", "x&code=forged&state=forged#x"),
        ("access_denied", "https://evil.test/ \"<script>"),
        ("é\u{202e}", "ü"),
        // As Entra ID writes them.
        (
            "access_denied",
            "AADSTS65004: User declined to consent to access the app.\r\nTrace ID: 0000aaaa\r\nTimestamp: 2026-11-30",
        ),
    ] {
        let mut browser = gateway.browser();
        let request = rp.authorize().with("domain", "acme.test").with("state", "s1");
        let page = browser.start(&request).await.page();
        let state = page
            .url
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned();
        let idp = gateway.idp().await;
        let answer = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("error", error)
            .append_pair("error_description", description)
            .append_pair("state", &state)
            .append_pair("iss", idp.issuer())
            .finish();
        let url = format!(
            "{}/sso/v1/oidc/{}/callback?{answer}",
            gateway.url(),
            acme.connection_id()
        );
        let callback = browser.follow_from(idp.issuer(), &url).await.callback();
        assert!(
            ["access_denied", error].contains(&callback.error().as_str()),
            "{}",
            callback.url
        );
        assert_eq!(callback.parameter("state").as_deref(), Some("s1"));
        let told = callback.parameter("error_description").unwrap();
        assert!(
            told.chars()
                .all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\'),
            "{told}"
        );
        assert_eq!(
            (callback.parameter("code"), callback.url.fragment()),
            (None, None)
        );
        assert_eq!(callback.url.path(), "/callback");
    }
}

/// RFC 6749 §4.1.2: an answer is a code or an error.
#[tokio::test]
async fn an_answer_that_is_both_or_neither_is_refused() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    for answer in ["code=x&error=access_denied", "", "code=", "code=x&code=y"] {
        let mut browser = gateway.browser();
        let page = browser
            .start(&rp.authorize().with("domain", "acme.test"))
            .await
            .page();
        let state = page
            .url
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned();
        let url = format!(
            "{}/sso/v1/oidc/{}/callback?state={state}&{answer}",
            gateway.url(),
            acme.connection_id()
        );
        let page = browser.open(&url).await.page();
        assert_eq!(page.heading(), "We could not sign you in", "{answer}");
        assert_eq!(
            gateway.login_trace().await.cause,
            "authorization_response_malformed",
            "{answer}"
        );
    }
}
