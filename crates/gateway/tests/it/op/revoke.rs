//! Token revocation.
//!
//! Source: RFC 7009 §2.

use genkan_testkit::{Gateway, Rp, Tokens, on_each_engine};
use insta::assert_snapshot;

async fn signed_in(gateway: &Gateway, rp: &Rp) -> Tokens {
    let code = gateway.browser().sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

/// RFC 7009 §2.1.
#[tokio::test]
async fn a_refresh_token_takes_the_whole_grant_along() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        for rp in [gateway.client("rp").await, gateway.client("spa").spa().await] {
            let tokens = signed_in(gateway, &rp).await;
            assert_eq!(rp.revoke(tokens.refresh_token()).await.status, 200);
            assert_eq!(
                rp.refresh(tokens.refresh_token()).await.oauth_error(),
                "invalid_grant"
            );
            assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
        }
    })
    .await;
}

#[tokio::test]
async fn an_access_token_dies_alone() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let tokens = signed_in(&gateway, &rp).await;
    let reply = rp.revoke(&tokens.access_token).await;
    assert_snapshot!(reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    "#);
    assert_eq!(rp.revoke(&tokens.access_token).await.status, 200);
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
    assert!(!rp.introspect(&tokens.access_token).await.active);
    let refreshed = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    assert_eq!(rp.userinfo(&refreshed.access_token).await.status, 200);
}

#[tokio::test]
async fn another_clients_tokens_are_left_alone_and_nothing_is_told() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let other = gateway.client("other").await;
    let tokens = signed_in(&gateway, &rp).await;
    let unknown = other.revoke("garbage").await.transcript();
    for token in [
        &tokens.access_token,
        tokens.refresh_token(),
        tokens.id_token(),
        "a.b.c",
    ] {
        assert_eq!(other.revoke(token).await.transcript(), unknown);
    }
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 200);
    rp.refresh(tokens.refresh_token()).await.expect_tokens();
    // An ID token cannot be taken back, and trying harms nothing.
    assert_eq!(rp.revoke(tokens.id_token()).await.status, 200);
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 200);
}

#[tokio::test]
async fn whoever_revokes_says_who_they_are() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let tokens = signed_in(&gateway, &rp).await;
    let nobody = rp
        .post_as_nobody("/revoke", &[("token", tokens.refresh_token())])
        .send()
        .await;
    assert_eq!(nobody.status, 401);
    assert_eq!(
        rp.post("/revoke", &[]).send().await.oauth_error(),
        "invalid_request"
    );
    rp.refresh(tokens.refresh_token()).await.expect_tokens();
}
