//! The headers of every page.
//!
//! Source: Content Security Policy Level 3; Fetch §3.2; HTML §7.

use genkan::simulator::Fault;
use genkan_testkit::{Gateway, Page, Person};

fn is_strict(page: &Page) {
    let name = format!("{} at {}", page.heading(), page.url.path());
    let policy = page.reply.header("content-security-policy");
    let directives: Vec<&str> = policy.split("; ").collect();
    for directive in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "style-src 'self'",
    ] {
        assert!(directives.contains(&directive), "{name}: {policy}");
    }
    for word in ["unsafe", "script-src", "*", "http:", "https:", "data:"] {
        assert!(!policy.contains(word), "{name}: {policy}");
    }
    assert_eq!(page.reply.header("cache-control"), "no-store", "{name}");
    assert_eq!(page.reply.header("x-content-type-options"), "nosniff", "{name}");
    assert_eq!(
        page.reply.header("content-type"),
        "text/html; charset=utf-8",
        "{name}"
    );
    assert!(
        ["same-origin", "no-referrer"].contains(&page.reply.header("referrer-policy")),
        "{name}"
    );
    let html = page.reply.text();
    for word in ["<script", " style=", " onclick=", "javascript:", "src=\"http"] {
        assert!(!html.contains(word), "{name}: {word}");
    }
    assert!(html.len() < 20_000, "{name} has {} bytes", html.len());
}

#[tokio::test]
async fn every_page_of_a_login_carries_a_strict_policy() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();

    let identify = browser.start(&rp.authorize()).await.page();
    assert_eq!(identify.heading(), "Sign in");
    is_strict(&identify);
    let mistyped = browser.submit(&identify, &[("email", "ada")]).await.page();
    assert_eq!(mistyped.reply.status, 422);
    is_strict(&mistyped);

    let person = Person::new("ada@acme.test").with_fault(Fault::WrongNonce);
    let arrival = browser.start(&rp.authorize()).await;
    let failed = browser.go_on(arrival, &person).await.page();
    assert_eq!(failed.heading(), "We could not sign you in");
    is_strict(&failed);

    browser.sign_in(&rp, "ada@acme.test").await;
    let select = browser
        .start(&rp.authorize().with("prompt", "select_account"))
        .await
        .page();
    assert_eq!(select.heading(), "Choose an account");
    is_strict(&select);

    let test = format!("{}/sso/v1/oidc/{}/test", gateway.url(), acme.connection_id());
    is_strict(&browser.open(&test).await.page());
    is_strict(&browser.open(&acme.test_link().await).await.page());
    let arrival = browser.begin_test(&acme).await;
    let tested = browser.go_on(arrival, "ada@acme.test").await.page();
    assert!(tested.url.path().ends_with("/callback"), "{}", tested.url);
    is_strict(&tested);

    let question = browser.open(&rp.logout_url(&[])).await.page();
    is_strict(&question);
    is_strict(&browser.submit(&question, &[("choice", "sign_out")]).await.page());
}

#[tokio::test]
async fn every_error_page_carries_a_strict_policy() {
    let gateway = Gateway::start().await;
    let mut browser = gateway.browser();
    for path in [
        "/",
        "/nowhere",
        "/oauth/authorize",
        "/oauth/authorize?client_id=%ff",
        "/oauth/token",
        "/oidc/logout?id_token_hint=x",
        "/login/lri_000000000000000000001",
        "/login/..%2f..%2fetc%2fpasswd",
        "/sso/v1/oidc/conn_000000000000000000001/callback?state=x&code=y",
        "/sso/v1/oidc/conn_000000000000000000001/init",
        "/sso/v1/saml/conn_000000000000000000001/init?answer=x",
        "/sso/v1/saml/conn_000000000000000000001/failure?answer=x",
        "/sso/v1/oidc/conn_000000000000000000001/test",
        "/sso/v1/oidc/nonsense/test",
    ] {
        let page = browser.open(&format!("{}{path}", gateway.url())).await.page();
        assert!(
            page.reply.status.is_client_error(),
            "{path}: {}",
            page.reply.status
        );
        is_strict(&page);
    }
}
