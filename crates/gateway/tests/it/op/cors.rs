//! Which pages may call from a browser.
//!
//! Source: Fetch §3.2, §4.10.

use genkan_testkit::{Gateway, Reply};
use http::Method;
use insta::assert_snapshot;

async fn preflight(gateway: &Gateway, path: &str, origin: &str) -> Reply {
    preflight_with(gateway, path, origin, "authorization,content-type").await
}

async fn preflight_with(gateway: &Gateway, path: &str, origin: &str, headers: &str) -> Reply {
    gateway
        .call(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers)
        .send()
        .await
}

#[tokio::test]
async fn registered_origins_may_call_and_others_may_not() {
    let gateway = Gateway::setup().production().start().await;
    gateway.client("spa").spa().await;
    assert_snapshot!(preflight(&gateway, "/oauth/token", "https://spa.test").await.transcript(), @r#"
    204 No Content
    allow: POST
    access-control-allow-origin: https://spa.test
    access-control-allow-methods: GET, POST, PUT, PATCH, DELETE, OPTIONS
    access-control-allow-headers: authorization,content-type
    "#);
    for path in ["/oauth/token", "/userinfo", "/revoke", "/oauth/introspect"] {
        for origin in [
            "https://evil.test",
            "https://spa.test.evil.test",
            "http://spa.test",
            "https://spa.test:8443",
            "https://SPA.test",
            "http://localhost:5173",
            "null",
            "",
        ] {
            for reply in [
                preflight(&gateway, path, origin).await,
                gateway
                    .post(path)
                    .header("origin", origin)
                    .raw_form("")
                    .send()
                    .await,
            ] {
                assert_eq!(reply.header("access-control-allow-origin"), "", "{path} {origin}");
                // What a cache keeps for one origin is not for another.
                assert_eq!(reply.header("vary"), "origin", "{path} {origin}");
            }
        }
    }
}

/// What instruments that watch a page add to each of its requests.
#[tokio::test]
async fn the_headers_that_a_page_wants_to_send_are_allowed_to_registered_origins() {
    let gateway = Gateway::setup().production().start().await;
    gateway.client("spa").spa().await;
    let allowed = "access-control-allow-headers";
    for path in [
        "/oauth/token",
        "/userinfo",
        "/revoke",
        "/keys",
        "/api/v1/organizations",
    ] {
        for asked in [
            "traceparent",
            "authorization, content-type, traceparent, tracestate",
            "baggage,sentry-trace",
            "x-datadog-trace-id,x-requested-with",
        ] {
            let reply = preflight_with(&gateway, path, "https://spa.test", asked).await;
            assert_eq!(reply.header(allowed), asked, "{path}");
        }
    }
    let foreign = preflight_with(&gateway, "/oauth/token", "https://evil.test", "traceparent").await;
    assert_eq!(foreign.header(allowed), "");
    // What is no list of names is not repeated.
    let long = "x".repeat(3000);
    for asked in ["a b", "a;b", "a,,b", "<script>", "a:b", long.as_str()] {
        let reply = preflight_with(&gateway, "/oauth/token", "https://spa.test", asked).await;
        assert!(
            reply.header(allowed).starts_with("authorization, content-type"),
            "{asked:.20}"
        );
    }
}

#[tokio::test]
async fn a_page_may_read_why_it_was_refused() {
    let gateway = Gateway::start().await;
    gateway.client("spa").spa().await;
    for path in ["/oauth/token", "/userinfo", "/revoke"] {
        let reply = gateway
            .post(path)
            .header("origin", "https://spa.test")
            .raw_form("")
            .send()
            .await;
        assert!(reply.status.is_client_error());
        assert_eq!(
            reply.header("access-control-allow-origin"),
            "https://spa.test",
            "{path}"
        );
    }
}

#[tokio::test]
async fn in_development_any_loopback_page_may_call() {
    let gateway = Gateway::start().await;
    for origin in [
        "http://localhost:5173",
        "http://127.0.0.1:3000",
        "https://localhost",
    ] {
        let reply = preflight(&gateway, "/oauth/token", origin).await;
        assert_eq!(reply.header("access-control-allow-origin"), origin);
    }
    let evil = preflight(&gateway, "/oauth/token", "http://localhost.evil.test").await;
    assert_eq!(evil.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn public_documents_are_for_everybody() {
    let gateway = Gateway::setup().production().start().await;
    for path in [
        "/keys",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let reply = gateway
            .get(path)
            .header("origin", "https://evil.test")
            .send()
            .await;
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
    }
}

/// No page of another origin rides on somebody's session.
#[tokio::test]
async fn cookies_are_never_allowed_along() {
    let gateway = Gateway::start().await;
    gateway.client("spa").spa().await;
    for path in [
        "/oauth/token",
        "/userinfo",
        "/keys",
        "/oauth/authorize",
        "/oidc/logout",
    ] {
        let reply = preflight(&gateway, path, "https://spa.test").await;
        assert_eq!(reply.header("access-control-allow-credentials"), "", "{path}");
    }
    for path in [
        "/oauth/authorize",
        "/oidc/logout",
        "/login/lri_000000000000000000001",
    ] {
        let reply = gateway
            .get(path)
            .header("origin", "https://spa.test")
            .send()
            .await;
        assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    }
}
