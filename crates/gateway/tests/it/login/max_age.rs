//! How old a login may be.
//!
//! Source: OIDC Core §3.1.2.1, §3.1.3.7 step 13.

use std::time::Duration;

use genkan_testkit::{Gateway, Person, on_each_engine};
use serde_json::json;

#[tokio::test]
async fn an_old_session_is_asked_again() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let request = rp.authorize().with("max_age", "300").with("domain", "acme.test");
    gateway.clock().advance(Duration::from_secs(300));
    let callback = browser.start(&request).await.callback();
    let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    let auth_time = rp.verify(tokens.id_token()).await["auth_time"].as_i64().unwrap();
    assert_eq!(auth_time, gateway.now().as_secs() - 300);

    gateway.clock().advance(Duration::from_secs(1));
    let arrival = browser.start(&request).await;
    let idp = gateway.idp().await;
    assert_eq!(
        idp.last_request("/authorize").parameter("max_age").as_deref(),
        Some("300")
    );
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    assert_eq!(
        rp.verify(tokens.id_token()).await["auth_time"],
        gateway.now().as_secs()
    );
}

/// A provider that answers from a session of its own has not done what was asked.
#[tokio::test]
async fn an_old_login_at_the_provider_is_not_a_new_one_here() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let hours_ago = json!({ "auth_time": gateway.now().as_secs() - 7200 });
    let person = Person::new("ada@acme.test");
    let mut browser = gateway.browser();

    gateway.idp().await.change_id_tokens(&hours_ago);
    let request = rp.authorize().with("max_age", "300");
    let arrival = browser.start(&request).await;
    let page = browser.go_on(arrival, &person).await.page();
    assert_eq!(page.heading(), "We could not sign you in");
    assert_eq!(
        gateway.login_trace().await.cause,
        "id_token_authentication_too_old"
    );
    // Whoever does not ask hears how old it is.
    let code = browser.sign_in(&rp, &person).await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let auth_time = &rp.verify(tokens.id_token()).await["auth_time"];
    assert_eq!(*auth_time, hours_ago["auth_time"]);
}

/// Whoever sits at an unlocked browser opens the application first: that is an
/// arrival, and no authentication.
#[tokio::test]
async fn an_arrival_does_not_make_an_old_login_young() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let person = Person::new("ada@acme.test");
        let long_ago = gateway.now().as_secs() - 36_000;
        let idp = gateway.idp().await;
        idp.change_id_tokens(&json!({ "auth_time": long_ago }));
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, &person).await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let told = async |token: &str| rp.verify(token).await["auth_time"].as_i64();
        assert_eq!(told(tokens.id_token()).await, Some(long_ago));
        let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        assert_eq!(told(refreshed.id_token()).await, Some(long_ago));

        let asked = idp.requests("/authorize").len();
        let silent = rp.authorize().with("max_age", "60").with("prompt", "none");
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
        let request = rp.authorize().with("max_age", "60").with("domain", "acme.test");
        let arrival = browser.start(&request).await;
        let requests = idp.requests("/authorize");
        assert_eq!(requests.len(), asked + 1, "the provider is asked");
        assert_eq!(requests[asked].parameter("max_age").as_deref(), Some("60"));
        let page = browser.go_on(arrival, &person).await.page();
        assert_eq!(page.heading(), "We could not sign you in");

        // With somebody who really proves it, it holds; and what is old enough holds at once.
        idp.change_id_tokens(&json!({}));
        let arrival = browser.start(&request).await;
        let callback = browser.go_on(arrival, &person).await.callback();
        let tokens = rp.redeem(&request.code(&callback.code())).await.expect_tokens();
        assert_eq!(told(tokens.id_token()).await, Some(gateway.now().as_secs()));
        gateway.clock().advance(Duration::from_secs(60));
        let callback = browser.start(&request).await.callback();
        rp.redeem(&request.code(&callback.code())).await.expect_tokens();
    })
    .await;
}

#[tokio::test]
async fn a_time_that_is_none_proves_nothing() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let now = gateway.now().as_secs();
    for garbage in [
        json!(null),
        json!(-1),
        json!(now + 3600),
        json!(1e30),
        json!(now.to_string()),
        json!([now]),
    ] {
        gateway
            .idp()
            .await
            .change_id_tokens(&json!({ "auth_time": garbage }));
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let claims = rp.verify(tokens.id_token()).await;
        assert_eq!(claims.get("auth_time"), None, "{garbage}");
        let silent = rp.authorize().with("max_age", "86400").with("prompt", "none");
        let callback = browser.start(&silent).await.callback();
        assert_eq!(callback.error(), "login_required", "{garbage}");
    }
}

/// The application asked for what cannot be had there, so it is told.
#[tokio::test]
async fn a_provider_that_never_says_when_cannot_serve_max_age() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    gateway
        .idp()
        .await
        .change_id_tokens(&json!({ "auth_time": null }));
    let mut browser = gateway.browser();
    let request = rp.authorize().with("max_age", "300");
    let arrival = browser.start(&request).await;
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    assert_eq!(callback.error(), "unmet_authentication_requirements");
    assert_eq!(callback.parameter("state").as_deref(), request.parameter("state"));
    let trace = gateway.login_trace().await;
    let told = callback.parameter("error_description").unwrap();
    assert!(
        told.contains("auth_time") && told.contains(trace.id.as_str()),
        "{told}"
    );
    assert_eq!(trace.cause, "id_token_authentication_time_missing");
    assert!(trace.remedy.contains("auth_time"), "{}", trace.remedy);
    assert!(browser.cookies.get("genkan_session").is_none());
}
