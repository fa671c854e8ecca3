//! Token introspection.
//!
//! Source: RFC 7662 §2.

use std::time::Duration;

use genkan_testkit::{Gateway, Rp, Tokens, on_each_engine};
use insta::assert_snapshot;

async fn signed_in(gateway: &Gateway, rp: &Rp) -> Tokens {
    let code = gateway.browser().sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

#[tokio::test]
async fn the_client_of_a_live_token_is_told_about_it() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let tokens = signed_in(&gateway, &rp).await;
    let access = rp
        .post("/oauth/introspect", &[("token", &tokens.access_token)])
        .send()
        .await;
    assert_snapshot!(access.transcript(), @r#"
    200 OK
    cache-control: no-store
    {"active":true,"token_type":"Bearer","scope":"openid profile email offline_access","client_id":"webc_<id>","sub":"usr_<id>","iss":"https://gateway.test","aud":["webc_<id>"],"jti":"tkn_<id>","exp":1780315500,"iat":1780315200,"nbf":1780315200,"oid":"org_<id>","sid":"ses_<id>","roles":["admin"],"permissions":[]}
    "#);
    let refresh = rp
        .post_basic("/oauth/introspect", &[("token", tokens.refresh_token())])
        .send()
        .await;
    assert_snapshot!(refresh.transcript(), @r#"
    200 OK
    cache-control: no-store
    {"active":true,"scope":"openid profile email offline_access","client_id":"webc_<id>","sub":"usr_<id>","iss":"https://gateway.test","exp":1780358400,"iat":1780315200,"oid":"org_<id>","sid":"ses_<id>"}
    "#);
}

/// RFC 7662 §2.2, §4: no probing.
#[tokio::test]
async fn everything_else_is_inactive_and_nothing_more() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let other = gateway.client("other").await;
    let tokens = signed_in(&gateway, &rp).await;
    let inactive = other
        .post("/oauth/introspect", &[("token", "garbage")])
        .send()
        .await
        .transcript();
    assert_snapshot!(inactive, @r#"
    200 OK
    cache-control: no-store
    {"active":false}
    "#);
    for token in [
        tokens.access_token.as_str(),
        tokens.refresh_token(),
        tokens.id_token(),
    ] {
        for hint in ["access_token", "refresh_token", "nonsense"] {
            let form = [("token", token), ("token_type_hint", hint)];
            let reply = other.post("/oauth/introspect", &form).send().await;
            assert_eq!(reply.transcript(), inactive);
        }
    }
    // An ID token is not for resources, not even for its own client.
    assert!(!rp.introspect(tokens.id_token()).await.active);
    // The hint only hints.
    let form = [
        ("token", tokens.access_token.as_str()),
        ("token_type_hint", "refresh_token"),
    ];
    assert_eq!(
        rp.post("/oauth/introspect", &form).send().await.json()["active"],
        true
    );
    rp.revoke(tokens.refresh_token()).await;
    assert!(!rp.introspect(&tokens.access_token).await.active);
}

#[tokio::test]
async fn a_rotated_refresh_token_is_inactive() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let strict = gateway.client("strict").strict_refresh_rotation().await;
    let first = signed_in(&gateway, &strict).await;
    let second = strict.refresh(first.refresh_token()).await.expect_tokens();
    assert!(!strict.introspect(first.refresh_token()).await.active);
    assert!(strict.introspect(second.refresh_token()).await.active);

    let rp = gateway.client("rp").await;
    let first = signed_in(&gateway, &rp).await;
    let second = rp.refresh(first.refresh_token()).await.expect_tokens();
    for token in [&first, &second] {
        assert!(rp.introspect(token.refresh_token()).await.active);
    }
}

/// RFC 7662 §2.1.
#[tokio::test]
async fn a_public_client_cannot_ask() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let spa = gateway.client("spa").spa().await;
    let tokens = signed_in(&gateway, &spa).await;
    let reply = spa
        .post("/oauth/introspect", &[("token", &tokens.access_token)])
        .send()
        .await;
    assert_snapshot!(reply.transcript(), @r#"
    401 Unauthorized
    www-authenticate: Basic realm="genkan", charset="UTF-8"
    cache-control: no-store
    {"error":"invalid_client","error_description":"introspection needs a client secret"}
    "#);
    let rp = gateway.client("rp").await;
    assert_eq!(
        rp.post("/oauth/introspect", &[]).send().await.oauth_error(),
        "invalid_request"
    );
}

/// RFC 7662 §4: the tokens of a single-page application, at the API that it calls.
#[tokio::test]
async fn an_application_that_answers_for_an_api_hears_about_every_token_of_the_environment() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let spa = gateway.client("spa").spa().await;
        let tokens = signed_in(gateway, &spa).await;
        let stranger = gateway.client("stranger").await;
        let api = gateway
            .client("api")
            .change(|client| client.introspect_all = true)
            .await;
        assert!(!stranger.introspect(&tokens.access_token).await.active);
        let heard = api.introspect(&tokens.access_token).await;
        assert!(heard.active);
        assert_eq!(heard.json["client_id"], spa.id.as_str());
        assert_eq!(
            heard.json["aud"][0],
            spa.id.as_str(),
            "it stays the other client's"
        );

        // What no API ever sees stays its own client's.
        assert!(!api.introspect(tokens.refresh_token()).await.active);
        assert!(!api.introspect(tokens.id_token()).await.active);
        // To ask is not to end: RFC 7009 §2.1.
        api.revoke(&tokens.access_token).await;
        api.revoke(tokens.refresh_token()).await;
        assert!(api.introspect(&tokens.access_token).await.active);
        // A token of another environment is none, however well it is signed there.
        let elsewhere = Gateway::start().await;
        elsewhere.organization("acme.test").with_oidc_connection().await;
        let foreign = signed_in(&elsewhere, &elsewhere.client("spa").spa().await).await;
        assert!(!api.introspect(&foreign.access_token).await.active);

        gateway.clock().advance(Duration::from_secs(301));
        assert!(!api.introspect(&tokens.access_token).await.active);
    })
    .await;
}

/// RFC 7662 §2.1: the endpoint must require authorization.
#[tokio::test]
async fn nobody_hears_about_other_tokens_without_a_secret() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let tokens = signed_in(&gateway, &rp).await;
    let public = gateway
        .client("spa")
        .spa()
        .change(|client| client.introspect_all = true)
        .await;
    let lenient = gateway
        .client("lenient")
        .change(|client| {
            client.introspect_all = true;
            client.secret_optional_with_pkce = true;
        })
        .await;
    for asking in [&public, &lenient] {
        let form = [
            ("token", tokens.access_token.as_str()),
            ("client_id", asking.id.as_str()),
        ];
        let reply = asking.post_as_nobody("/oauth/introspect", &form).send().await;
        assert_eq!(
            (reply.status.as_u16(), reply.oauth_error().as_str()),
            (401, "invalid_client")
        );
    }
}
