//! The authorization code grant.
//!
//! Source: RFC 6749 §4.1.3, RFC 7636 §4.6.

use genkan_testkit::{Gateway, on_each_engine};
use insta::assert_snapshot;

#[tokio::test]
async fn a_code_works_once_and_a_replay_revokes_its_tokens() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;

        let tokens = rp.redeem(&code).await.expect_tokens();
        assert!(rp.introspect(&tokens.access_token).await.active);
        let replay = rp.redeem(&code).await;

        assert_snapshot!(replay.transcript(), @r#"
        400 Bad Request
        cache-control: no-store
        {"error":"invalid_grant","error_description":"the code was already used"}
        "#);
        assert!(!rp.introspect(&tokens.access_token).await.active);
        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
        assert_eq!(rp.refresh(tokens.refresh_token()).await.oauth_error(), "invalid_grant");
        assert_snapshot!(acme.events().await.join(", "), @"organization.created, organization.domain_created, organization.sso_created, user.organization_membership_created, user.identity_linked, user.login, grant.created, grant.replayed");
    })
    .await;
}
