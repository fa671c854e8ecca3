//! The client credentials grant.
//!
//! Source: RFC 6749 §4.4.

use std::time::Duration;

use genkan_testkit::Gateway;
use insta::assert_snapshot;
use serde_json::json;

const ASK: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test]
async fn a_client_gets_a_token_of_its_own() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let reply = rp.post("/oauth/token", &ASK).send().await;
    assert_snapshot!(reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    {"access_token":"<jwt>","token_type":"Bearer","expires_in":86400,"scope":""}
    "#);
    let tokens = reply.expect_tokens();
    let claims = rp.verify(&tokens.access_token).await;
    assert_eq!(claims["sub"], rp.id.as_str());
    assert_eq!(claims["aud"], json!([rp.id.as_str()]));
    assert_eq!(
        claims["exp"].as_i64(),
        claims["iat"].as_i64().map(|iat| iat + 86_400)
    );
    for absent in ["sid", "oid", "roles", "permissions", "email", "name"] {
        assert_eq!(claims.get(absent), None, "{absent}");
    }
    assert!(rp.introspect(&tokens.access_token).await.active);
    gateway.clock().advance(Duration::from_secs(86_400));
    assert!(!rp.introspect(&tokens.access_token).await.active);
}

#[tokio::test]
async fn a_clients_token_is_nobodys_profile() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let tokens = rp.post("/oauth/token", &ASK).send().await.expect_tokens();
    assert_snapshot!(rp.userinfo(&tokens.access_token).await.transcript(), @r#"
    403 Forbidden
    www-authenticate: Bearer realm="genkan", error="insufficient_scope", scope="openid"
    cache-control: no-store
    {"error":"insufficient_scope"}
    "#);
}

#[tokio::test]
async fn a_public_client_has_nothing_to_show() {
    let gateway = Gateway::start().await;
    let spa = gateway.client("spa").spa().await;
    assert_snapshot!(spa.post("/oauth/token", &ASK).send().await.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    {"error":"unauthorized_client","error_description":"client_credentials needs a client secret"}
    "#);
}

#[tokio::test]
async fn scopes_of_users_are_not_for_clients() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let form = [ASK[0], ("scope", "openid profile offline_access")];
    let tokens = rp.post("/oauth/token", &form).send().await.expect_tokens();
    assert_eq!((tokens.id_token, tokens.refresh_token), (None, None));
    assert_eq!(tokens.scope, "");
    assert_eq!(rp.userinfo(&tokens.access_token).await.status, 403);
}
