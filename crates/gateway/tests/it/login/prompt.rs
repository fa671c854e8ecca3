//! What `prompt` and `id_token_hint` ask of a login.
//!
//! Source: OIDC Core §3.1.2.1, §3.1.2.3, §3.1.2.6.

use std::time::Duration;

use genkan_testkit::Gateway;
use insta::assert_snapshot;

#[tokio::test]
async fn none_shows_no_page_whatever_happens() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let silent = rp.authorize().with("prompt", "none").with("state", "s1");
    for request in [
        silent.clone(),
        silent.clone().with("organization_id", acme.id.as_str()),
        silent.clone().with("login_hint", "ada@acme.test"),
    ] {
        let callback = browser.start(&request).await.callback();
        assert_eq!(callback.error(), "login_required");
    }
    browser.sign_in(&rp, "ada@acme.test").await;
    assert_snapshot!(browser.start(&silent).await.callback().transcript(), @"https://rp.test/callback?code=<secret>&state=s1&iss=https%3A%2F%2Fgateway.test");
    for unfit in [
        silent.clone().with("login_hint", "bob@acme.test"),
        silent.clone().with("max_age", "0"),
    ] {
        gateway.clock().advance(Duration::from_secs(1));
        assert_eq!(browser.start(&unfit).await.callback().error(), "login_required");
    }
    // A place that does not exist is told as such, silently too.
    let nowhere = silent.with("organization_id", "org_000000000000000000001");
    assert_eq!(
        browser.start(&nowhere).await.callback().error(),
        "invalid_organization_id"
    );
}

#[tokio::test]
async fn login_asks_again_and_asks_the_provider_to_ask_too() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let before = rp.verify(rp.redeem(&code).await.expect_tokens().id_token()).await;
    gateway.clock().advance(Duration::from_secs(60));

    let request = rp.authorize().with("prompt", "login").with("domain", "acme.test");
    let page = browser.start(&request).await.page();
    assert_eq!(page.heading(), "Sign in as anyone");
    let idp = gateway.idp().await;
    assert_eq!(
        idp.last_request("/authorize").parameter("prompt").as_deref(),
        Some("login")
    );
    let arrival = genkan_testkit::Arrival::Page(Box::new(page));
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    let after = rp.verify(tokens.id_token()).await;
    assert_eq!(after["sid"], before["sid"], "the session goes on");
    assert_eq!(
        after["auth_time"].as_i64(),
        before["auth_time"].as_i64().map(|at| at + 60)
    );
}

#[tokio::test]
async fn select_account_offers_the_present_one_and_any_other() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let request = rp.authorize().with("prompt", "select_account");
    // Nobody is there to be chosen.
    assert_eq!(browser.start(&request).await.page().heading(), "Sign in");
    browser.sign_in(&rp, "ada@acme.test").await;

    let page = browser.start(&request).await.page();
    assert_snapshot!(page.reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    rp
    Choose an account
    You are already signed in on this device.
    A Ada Lovelace ada@acme.test
    Continue as Ada Lovelace
    Use another account
    "#);
    let callback = browser.submit(&page, &[("choice", "continue")]).await.callback();
    let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    assert_eq!(rp.verify(tokens.id_token()).await["email"], "ada@acme.test");
    // The login is over: neither the page nor its form lead anywhere.
    let again = browser.submit(&page, &[("choice", "continue")]).await.page();
    assert_eq!(again.heading(), "This sign-in is finished");

    let page = browser.start(&request).await.page();
    let identify = browser.submit(&page, &[("choice", "other")]).await.page();
    assert_eq!(identify.heading(), "Sign in");
    let simulator = browser
        .submit(&identify, &[("email", "bob@acme.test")])
        .await
        .page();
    let idp = gateway.idp().await;
    assert_eq!(
        idp.last_request("/authorize").parameter("prompt").as_deref(),
        // A provider that lists no words may not know `select_account`.
        Some("login")
    );
    let arrival = genkan_testkit::Arrival::Page(Box::new(simulator));
    let callback = browser.go_on(arrival, "bob@acme.test").await.callback();
    let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    assert_eq!(rp.verify(tokens.id_token()).await["email"], "bob@acme.test");
}

#[tokio::test]
async fn choosing_an_account_spares_no_other_prompt() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    gateway.clock().advance(Duration::from_secs(600));
    for request in [
        rp.authorize().with("prompt", "login select_account"),
        rp.authorize()
            .with("prompt", "select_account")
            .with("max_age", "300"),
        rp.authorize()
            .with("prompt", "select_account")
            .with("login_hint", "bob@other.test"),
    ] {
        let page = browser.start(&request).await.page();
        assert_eq!(page.heading(), "Sign in", "{}", request.query());
    }
}

#[tokio::test]
async fn create_and_consent_are_understood() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    for prompt in ["create", "consent"] {
        let request = rp.authorize().with("prompt", prompt);
        let code = browser.sign_in_with(&request, "ada@acme.test").await;
        rp.redeem(&code).await.expect_tokens();
    }
}

/// OIDC Core §3.1.2.1: that person, or nobody.
#[tokio::test]
async fn an_id_token_hint_is_answered_for_its_person_only() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let adas = rp.redeem(&code).await.expect_tokens();
    let hinted = rp.authorize().with("id_token_hint", adas.id_token());
    let silent = hinted.clone().with("prompt", "none");
    assert_eq!(browser.start(&silent).await.callback().error(), "");

    let request = rp.authorize().with("prompt", "login");
    let code = browser.sign_in_with(&request, "bob@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
    // Nor does a fresh login as somebody else answer it.
    let arrival = browser.start(&hinted).await;
    let callback = browser.go_on(arrival, "bob@acme.test").await.callback();
    assert_eq!(
        (callback.error().as_str(), callback.parameter("code")),
        ("login_required", None)
    );
    let arrival = browser.start(&hinted).await;
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    let tokens = rp.redeem(&hinted.code(&callback.code())).await.expect_tokens();
    assert_eq!(rp.verify(tokens.id_token()).await["email"], "ada@acme.test");

    // A hint that we did not give is told at once, before anybody is asked.
    let parts: Vec<&str> = adas.id_token().split('.').collect();
    let forged = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    for hint in [forged.as_str(), "x", &adas.access_token] {
        for request in [rp.authorize(), rp.authorize().with("prompt", "none")] {
            let request = request.with("id_token_hint", hint);
            assert_eq!(
                browser.start(&request).await.callback().error(),
                "invalid_request"
            );
        }
    }
}
