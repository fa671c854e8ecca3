//! Every endpoint takes the methods it names and no other.
//!
//! Source: RFC 9110 §15.5.6; RFC 6749 §3.2.

use genkan_testkit::Gateway;
use http::Method;
use insta::assert_snapshot;

const PATHS: [&str; 20] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/keys",
    "/oauth/authorize",
    "/oauth/token",
    "/oauth/introspect",
    "/revoke",
    "/userinfo",
    "/oidc/logout",
    "/login/lri_000000000000000000001",
    "/login/lri_000000000000000000001/account",
    "/sso/v1/oidc/conn_000000000000000000001/callback",
    "/sso/v1/oidc/conn_000000000000000000001/callback/handle",
    "/sso/v1/oidc/conn_000000000000000000001/init",
    "/sso/v1/oidc/conn_000000000000000000001/test",
    "/sso/v1/saml/conn_000000000000000000001/callback",
    "/sso/v1/saml/conn_000000000000000000001/callback/handle",
    "/sso/v1/saml/conn_000000000000000000001/init",
    "/sso/v1/saml/conn_000000000000000000001/failure",
    "/healthz",
];

#[tokio::test]
async fn another_method_is_refused_with_those_that_are_allowed() {
    let gateway = Gateway::start().await;
    let mut allowed = Vec::new();
    for path in PATHS {
        let refused = gateway.call(Method::DELETE, path).send().await;
        assert_eq!(refused.status, 405, "{path}");
        let names = refused.header("allow").to_owned();
        allowed.push(format!("{path}: {names}"));
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::TRACE,
            Method::from_bytes(b"PROPFIND").unwrap(),
        ] {
            let is_allowed = names.split(',').any(|name| name == method.as_str());
            let reply = gateway.call(method.clone(), path).send().await;
            assert_eq!(reply.status != 405, is_allowed, "{method} {path}");
            if !is_allowed {
                assert_eq!(reply.header("allow"), names, "{method} {path}");
                assert_eq!(reply.header("cache-control"), "no-store", "{method} {path}");
            }
        }
    }
    assert_snapshot!(allowed.join("\n"), @r#"
    /.well-known/openid-configuration: GET,HEAD
    /.well-known/oauth-authorization-server: GET,HEAD
    /keys: GET,HEAD
    /oauth/authorize: GET,HEAD,POST
    /oauth/token: POST
    /oauth/introspect: POST
    /revoke: POST
    /userinfo: GET,HEAD,POST
    /oidc/logout: GET,HEAD,POST
    /login/lri_000000000000000000001: GET,HEAD,POST
    /login/lri_000000000000000000001/account: POST
    /sso/v1/oidc/conn_000000000000000000001/callback: GET,HEAD,POST
    /sso/v1/oidc/conn_000000000000000000001/callback/handle: GET,HEAD
    /sso/v1/oidc/conn_000000000000000000001/init: GET,HEAD,POST
    /sso/v1/oidc/conn_000000000000000000001/test: GET,HEAD,POST
    /sso/v1/saml/conn_000000000000000000001/callback: GET,HEAD,POST
    /sso/v1/saml/conn_000000000000000000001/callback/handle: GET,HEAD
    /sso/v1/saml/conn_000000000000000000001/init: GET,HEAD,POST
    /sso/v1/saml/conn_000000000000000000001/failure: GET,HEAD
    /healthz: GET,HEAD
    "#);
}

/// RFC 6749 §3.2: tokens are never asked for by an address.
#[tokio::test]
async fn the_token_endpoint_does_not_read_an_address() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let path = format!(
        "/oauth/token?grant_type=client_credentials&client_id={}&client_secret={}",
        rp.id,
        rp.secret.as_deref().unwrap()
    );
    assert_snapshot!(gateway.get(&path).send().await.transcript(), @r#"
    405 Method Not Allowed
    allow: POST
    cache-control: no-store
    {"error":"invalid_request","error_description":"this path does not answer that method"}
    "#);
    assert_eq!(gateway.call(Method::PUT, &path).send().await.status, 405);
    // A form overrides no method.
    let reply = gateway
        .post("/keys")
        .header("x-http-method-override", "GET")
        .form(&[("_method", "GET")])
        .send()
        .await;
    assert_eq!(reply.status, 405);
}
