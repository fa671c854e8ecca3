//! Sessions end by themselves: unused, or simply too old.

use std::time::Duration;

use genkan_testkit::{Gateway, on_each_engine_of};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_unused_session_ends() {
    let setup = || Gateway::setup().session(MINUTE * 600, MINUTE * 30);
    on_each_engine_of(setup, async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let silent = rp.authorize().with("prompt", "none");

        // Refreshing is use.
        for _ in 0..3 {
            gateway.clock().advance(MINUTE * 29);
            rp.refresh(tokens.refresh_token()).await.expect_tokens();
        }
        assert_eq!(browser.start(&silent).await.callback().error(), "");
        gateway.clock().advance(MINUTE * 30);
        // Nobody has swept yet: time alone decides.
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
        assert_eq!(
            rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        gateway.sweep().await;
        assert!(gateway.events().await.contains(&"session.expired".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn signing_in_to_applications_is_use() {
    let gateway = Gateway::setup().session(MINUTE * 600, MINUTE * 30).start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let silent = rp.authorize().with("prompt", "none");
    for _ in 0..4 {
        gateway.clock().advance(MINUTE * 29);
        let callback = browser.start(&silent).await.callback();
        assert_eq!(callback.error(), "");
        rp.redeem(&silent.code(&callback.code())).await.expect_tokens();
    }
}

#[tokio::test]
async fn a_busy_session_ends_at_its_absolute_age() {
    let setup = || Gateway::setup().session(MINUTE * 60, MINUTE * 30);
    on_each_engine_of(setup, async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let silent = rp.authorize().with("prompt", "none");
        for _ in 0..5 {
            gateway.clock().advance(MINUTE * 10);
            rp.refresh(tokens.refresh_token()).await.expect_tokens();
            assert_eq!(browser.start(&silent).await.callback().error(), "");
        }
        let last = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        gateway.clock().advance(MINUTE * 10);
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
        assert_eq!(
            rp.refresh(last.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        // The browser has forgotten the cookie as well.
        let cookies: Vec<_> = browser
            .cookies
            .iter()
            .filter(|cookie| cookie.name == "genkan_session")
            .collect();
        assert!(
            cookies
                .iter()
                .all(|cookie| cookie.expires_at.unwrap() <= gateway.now())
        );
    })
    .await;
}
