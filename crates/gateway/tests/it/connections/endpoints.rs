//! The endpoints that Genkan calls: from discovery or entered by hand, over TLS only.
//!
//! Source: OIDC Discovery 1.0 §4.

use std::time::{Duration, Instant};

use genkan_testkit::{Arrival, Canned, Gateway, IdentityProvider, Rp};
use http::StatusCode;
use insta::assert_snapshot;
use serde_json::{Value, json};

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn cause(gateway: &Gateway, rp: &Rp) -> String {
    let request = rp.authorize().with("domain", "acme.test");
    let mut browser = gateway.browser();
    let arrival = browser.start(&request).await;
    match browser.go_on(arrival, "ada@acme.test").await {
        Arrival::Application(callback) => format!("signed in{}", callback.error()),
        Arrival::Page(page) => {
            let trace = gateway.login_trace().await;
            assert_eq!(trace.id.as_str(), page.reference());
            trace.cause
        }
    }
}

async fn with_answer(path: &str, canned: Canned) -> String {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_claims_named().await;
    let rp = gateway.client("rp").await;
    gateway.idp().await.answer(path, canned);
    cause(&gateway, &rp).await
}

#[tokio::test]
async fn metadata_that_cannot_be_believed_are_not() {
    let gateway = Gateway::start().await;
    let idp = gateway.idp().await;
    let metadata = idp.metadata().await;
    let changed = |name: &str, value: Value| {
        let mut metadata = metadata.clone();
        metadata[name] = value;
        Canned::json(&metadata)
    };
    let html = Canned {
        body: "<h1>Sign in</h1>".to_owned(),
        ..Canned::status(StatusCode::OK)
    };
    let answers = [
        ("another issuer", changed("issuer", json!("https://evil.test"))),
        (
            "a final slash",
            changed("issuer", json!(format!("{}/", idp.issuer()))),
        ),
        ("no issuer", changed("issuer", Value::Null)),
        ("no token endpoint", changed("token_endpoint", Value::Null)),
        ("no keys", changed("jwks_uri", Value::Null)),
        ("a number", changed("token_endpoint", json!(7))),
        (
            "a script",
            changed("authorization_endpoint", json!("javascript:alert(1)")),
        ),
        ("a page", html),
        ("not found", Canned::status(StatusCode::NOT_FOUND)),
        ("an error", Canned::status(StatusCode::INTERNAL_SERVER_ERROR)),
        ("a redirect", Canned::redirect(&idp.endpoint(DISCOVERY))),
        ("nothing", Canned::status(StatusCode::OK)),
    ];
    let mut told = Vec::new();
    for (what, canned) in answers {
        let gateway = Gateway::start().await;
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        // The addresses of that other provider; only what is wrong matters.
        let canned = Canned {
            body: canned.body.replace(idp.issuer(), gateway.idp().await.issuer()),
            ..canned
        };
        gateway.idp().await.answer(DISCOVERY, canned);
        told.push(format!("{what} -> {}", cause(&gateway, &rp).await));
    }
    assert_snapshot!(told.join("\n"), @r#"
    another issuer -> provider_metadata_invalid
    a final slash -> provider_metadata_invalid
    no issuer -> provider_metadata_invalid
    no token endpoint -> provider_metadata_incomplete
    no keys -> provider_metadata_incomplete
    a number -> provider_metadata_invalid
    a script -> provider_metadata_invalid
    a page -> provider_metadata_invalid
    not found -> provider_metadata_missing
    an error -> provider_metadata_missing
    a redirect -> provider_unreachable
    nothing -> provider_metadata_invalid
    "#);
}

/// A redirect would lead past the check of the address.
#[tokio::test]
async fn no_redirect_is_followed_anywhere() {
    let elsewhere = Gateway::start().await;
    // A place where nobody should ever arrive.
    let trap = elsewhere.idp().await;
    let mut told = Vec::new();
    for path in ["/token", "/keys", "/userinfo"] {
        told.push(format!(
            "{path} -> {}",
            with_answer(path, Canned::redirect(&trap.endpoint("/trap"))).await
        ));
    }
    assert_snapshot!(told.join("\n"), @r#"
    /token -> token_endpoint_unreachable
    /keys -> jwks_unreachable
    /userinfo -> signed in
    "#);
    assert!(trap.requests("/trap").is_empty());
}

#[tokio::test]
async fn keys_that_are_none_verify_nothing() {
    let mut told = Vec::new();
    for (what, canned) in [
        ("no keys", Canned::json(&json!({ "keys": [] }))),
        ("no list", Canned::json(&json!({}))),
        (
            "a page",
            Canned {
                body: "<h1>".to_owned(),
                ..Canned::status(StatusCode::OK)
            },
        ),
        ("an error", Canned::status(StatusCode::BAD_GATEWAY)),
        (
            "a symmetric key",
            Canned::json(&json!({ "keys": [{ "kty": "oct", "kid": "idp-1", "k": "AAAA", "alg": "HS256" }] })),
        ),
    ] {
        told.push(format!("{what} -> {}", with_answer("/keys", canned).await));
    }
    assert_snapshot!(told.join("\n"), @r#"
    no keys -> signing_key_unknown
    no list -> jwks_unreachable
    a page -> jwks_unreachable
    an error -> jwks_unreachable
    a symmetric key -> signing_key_unknown
    "#);
}

#[tokio::test]
async fn endpoints_may_be_entered_by_hand() {
    let gateway = Gateway::start().await;
    let idp = gateway.idp().await;
    let [authorize, token, keys, userinfo] =
        ["/authorize", "/token", "/keys", "/userinfo"].map(|path| Some(idp.endpoint(path)));
    gateway
        .organization("acme.test")
        .with_settings(move |settings| {
            settings.authorize_uri = authorize;
            settings.token_uri = token;
            settings.jwks_uri = keys;
            settings.user_info_uri = userinfo;
        })
        .await;
    let rp = gateway.client("rp").await;
    idp.answer(DISCOVERY, Canned::status(StatusCode::NOT_FOUND));
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    assert!(idp.requests(DISCOVERY).is_empty());
}

/// People enter either.
#[tokio::test]
async fn an_issuer_may_be_entered_as_the_address_of_its_metadata() {
    let gateway = Gateway::start().await;
    gateway
        .organization("acme.test")
        .with_settings(|settings| settings.issuer.push_str(DISCOVERY))
        .await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
}

#[tokio::test]
async fn in_production_plain_http_needs_to_be_allowed() {
    for (insecure_http, expected) in [(false, "provider_unreachable"), (true, "signed in")] {
        let gateway = Gateway::setup().production().start().await;
        gateway
            .organization("acme.test")
            .with_connection(move |connection| connection.settings.common.insecure_http = insecure_http)
            .await;
        let rp = gateway.client("rp").await;
        assert_eq!(cause(&gateway, &rp).await, expected);
    }
}

#[tokio::test]
async fn a_provider_that_is_gone_is_told_as_such() {
    let gateway = Gateway::start().await;
    let gone = IdentityProvider::start(&gateway).await;
    gateway.organization("acme.test").with_connection_to(&gone).await;
    drop(gone);
    let rp = gateway.client("rp").await;
    let page = gateway
        .browser()
        .start(&rp.authorize().with("domain", "acme.test"))
        .await
        .page();
    assert_snapshot!(page.reply.transcript(), @r#"
    503 Service Unavailable
    cache-control: no-store
    rp
    We could not sign you in
    Your company’s sign-in cannot be reached at the moment.
    What you can do: send the reference below to your IT team. It shows them what to change.
    Reference
    err_<id>
    Try again
    Back to rp
    "#);
    assert_eq!(page.reply.header("retry-after"), "30");
    assert_eq!(gateway.login_trace().await.cause, "provider_unreachable");
}

/// Anybody may begin a sign-in, and each would cost a call of up to ten seconds.
#[tokio::test]
async fn a_provider_in_trouble_is_not_asked_once_for_each_visitor() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let idp = gateway.idp().await;
    idp.answer(DISCOVERY, Canned::status(StatusCode::SERVICE_UNAVAILABLE));
    // One call, and then one every three seconds: a busy machine takes its time.
    let started = Instant::now();
    let allowed = |started: Instant| 1 + usize::try_from(started.elapsed().as_secs() / 3).unwrap();
    let begin = async || {
        let page = gateway
            .browser()
            .start(&rp.authorize().with("domain", "acme.test"))
            .await
            .page();
        assert_eq!(page.heading(), "We could not sign you in");
    };
    let visitors = (0..20).map(|_| begin());
    futures_util::future::join_all(visitors).await;
    for _ in 0..5 {
        begin().await;
    }
    let (asked, allowed_then) = (idp.requests(DISCOVERY).len(), allowed(started));
    assert!(asked <= allowed_then, "{asked} calls, {allowed_then} allowed");
    // Who must mend it still learns why.
    assert_eq!(gateway.login_trace().await.cause, "provider_metadata_missing");

    // The same for keys, which are fetched for whoever comes back with a code.
    idp.behave(DISCOVERY);
    idp.answer("/keys", Canned::status(StatusCode::SERVICE_UNAVAILABLE));
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    // Of so many failures within a minute not each has a trace.
    gateway.clock().advance(Duration::from_mins(2));
    let started = Instant::now();
    for _ in 0..4 {
        assert_eq!(cause(&gateway, &rp).await, "jwks_unreachable");
    }
    let (asked, allowed_then) = (idp.requests("/keys").len(), allowed(started));
    assert!(asked <= allowed_then, "{asked} calls, {allowed_then} allowed");

    // Seconds after it is back, everybody is.
    idp.behave("/keys");
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_eq!(cause(&gateway, &rp).await, "signed in");
}
