//! How old a login may be.
//!
//! Source: OIDC Core §3.1.2.1, §3.1.3.7 step 13.

use std::time::Duration;

use genkan_testkit::{Gateway, Person};
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
    // Whoever does not ask is not told.
    let code = browser.sign_in(&rp, &person).await;
    rp.redeem(&code).await.expect_tokens();
}
