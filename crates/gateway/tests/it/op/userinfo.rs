//! The userinfo endpoint.
//!
//! Source: OIDC Core §5.3, RFC 6750 §2, §3.

use std::time::Duration;

use genkan_testkit::{Gateway, on_each_engine};
use insta::assert_snapshot;
use serde_json::Value;

#[tokio::test]
async fn the_scope_decides_what_is_told() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let mut told = Vec::new();
    for scope in [
        "openid",
        "openid email",
        "openid profile",
        "openid profile email",
        "email",
    ] {
        let request = rp.authorize().with("scope", scope);
        let code = browser.sign_in_with(&request, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let reply = rp.userinfo(&tokens.access_token).await;
        told.push(format!("{scope}: {}", reply.transcript().lines().last().unwrap()));
    }
    assert_snapshot!(told.join("\n"), @r#"
    openid: {"sub":"usr_<id>","oid":"org_<id>","organization_id":"org_<id>","org_id":"org_<id>","connection_id":"conn_<id>","sid":"ses_<id>"}
    openid email: {"sub":"usr_<id>","oid":"org_<id>","organization_id":"org_<id>","org_id":"org_<id>","connection_id":"conn_<id>","sid":"ses_<id>","email":"ada@acme.test","email_verified":true}
    openid profile: {"sub":"usr_<id>","oid":"org_<id>","organization_id":"org_<id>","org_id":"org_<id>","connection_id":"conn_<id>","sid":"ses_<id>","updated_at":1780315200,"name":"Ada Lovelace","given_name":"Ada","family_name":"Lovelace"}
    openid profile email: {"sub":"usr_<id>","oid":"org_<id>","organization_id":"org_<id>","org_id":"org_<id>","connection_id":"conn_<id>","sid":"ses_<id>","updated_at":1780315200,"email":"ada@acme.test","email_verified":true,"name":"Ada Lovelace","given_name":"Ada","family_name":"Lovelace"}
    email: {"error":"insufficient_scope"}
    "#);
}

#[tokio::test]
async fn a_token_comes_in_the_header_and_nowhere_else() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let token = rp.redeem(&code).await.expect_tokens().access_token;

    assert_eq!(gateway.get("/userinfo").bearer(&token).send().await.status, 200);
    assert_eq!(
        gateway
            .post("/userinfo")
            .bearer(&token)
            .raw_form("")
            .send()
            .await
            .status,
        200
    );
    let nothing = gateway.get("/userinfo").send().await;
    assert_snapshot!(nothing.transcript(), @r#"
    401 Unauthorized
    www-authenticate: Bearer realm="genkan"
    cache-control: no-store
    {"error":"invalid_token"}
    "#);
    // RFC 6750 §2.3: not in the address, where logs and histories keep it.
    let path = format!("/userinfo?access_token={token}");
    assert_eq!(gateway.get(&path).send().await.status, 401);
    assert_eq!(
        gateway
            .post("/userinfo")
            .form(&[("access_token", &token)])
            .send()
            .await
            .status,
        401
    );
    let twice = gateway
        .get("/userinfo")
        .bearer(&token)
        .bearer(&token)
        .send()
        .await;
    assert_snapshot!(twice.transcript(), @r#"
    400 Bad Request
    www-authenticate: Bearer realm="genkan", error="invalid_request"
    cache-control: no-store
    {"error":"invalid_request"}
    "#);
    let malformed = gateway
        .get("/userinfo")
        .header("authorization", "Bearer a b")
        .send()
        .await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn a_token_counts_until_it_expires() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let token = rp.redeem(&code).await.expect_tokens().access_token;
    gateway.clock().advance(Duration::from_secs(299));
    assert_eq!(rp.userinfo(&token).await.status, 200);
    gateway.clock().advance(Duration::from_secs(1));
    assert_snapshot!(rp.userinfo(&token).await.transcript(), @r#"
    401 Unauthorized
    www-authenticate: Bearer realm="genkan", error="invalid_token"
    cache-control: no-store
    {"error":"invalid_token"}
    "#);
}

/// The names that openneko's plugin and the SDKs for React and Vue read.
#[tokio::test]
async fn the_organization_and_the_connection_stand_there_under_every_name_that_is_read() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let told: Value = rp.userinfo(&tokens.access_token).await.json();
        for name in ["oid", "organization_id", "org_id"] {
            assert_eq!(told[name], acme.id.as_str(), "{name}");
        }
        assert_eq!(told["connection_id"], acme.connection_id().as_str());
    })
    .await;
}
