//! Where a request leads: home-realm discovery and the order of its selectors, which is
//! that of Scalekit.

use genkan_testkit::{Arrival, Authorize, Gateway, IdentityProvider};
use insta::assert_snapshot;

/// Which identity provider a request leads to; else the page or the error.
async fn leads_to(gateway: &Gateway, request: &Authorize, idps: &[(&str, &IdentityProvider)]) -> String {
    match gateway.browser().start(request).await {
        Arrival::Application(callback) => callback.error(),
        Arrival::Page(page) => idps
            .iter()
            .find(|(_, idp)| page.url.as_str().starts_with(idp.issuer()))
            .map_or_else(|| page.heading().to_owned(), |(name, _)| (*name).to_owned()),
    }
}

#[tokio::test]
async fn the_more_precise_selector_wins() {
    let gateway = Gateway::start().await;
    let a = IdentityProvider::start(&gateway).await;
    let b = IdentityProvider::start(&gateway).await;
    let c = IdentityProvider::start(&gateway).await;
    let idps = [("a", &a), ("b", &b), ("c", &c)];
    let acme = gateway
        .organization("acme.test")
        .with_connection_to(&a)
        .with_connection_to(&b)
        .await;
    let beta = gateway.organization("beta.test").with_connection_to(&c).await;
    let rp = gateway.client("rp").await;
    let mut led = Vec::new();
    let selectors: [(&str, Vec<(&str, &str)>); 12] = [
        ("nothing", vec![]),
        (
            "organization: its oldest connection",
            vec![("organization_id", acme.id.as_str())],
        ),
        (
            "connection",
            vec![("connection_id", acme.connections()[1].as_str())],
        ),
        (
            "connection before organization",
            vec![
                ("organization_id", beta.id.as_str()),
                ("connection_id", acme.connections()[1].as_str()),
            ],
        ),
        (
            "organization before domain",
            vec![("domain", "beta.test"), ("organization_id", acme.id.as_str())],
        ),
        (
            "organization before login_hint",
            vec![
                ("login_hint", "ada@beta.test"),
                ("organization_id", acme.id.as_str()),
            ],
        ),
        ("domain", vec![("domain", "beta.test")]),
        (
            "domain before login_hint",
            vec![("login_hint", "ada@acme.test"), ("domain_hint", "beta.test")],
        ),
        ("login_hint", vec![("login_hint", "ada@beta.test")]),
        ("login_hint in capitals", vec![("login_hint", "Ada@BETA.test")]),
        ("login_hint of nowhere", vec![("login_hint", "ada@nowhere.test")]),
        ("login_hint that is no address", vec![("login_hint", "ada")]),
    ];
    for (name, selector) in &selectors {
        let request = selector.iter().fold(rp.authorize(), |request, (name, value)| {
            request.with(name, *value)
        });
        led.push(format!("{name} -> {}", leads_to(&gateway, &request, &idps).await));
    }
    assert_snapshot!(led.join("\n"), @r#"
    nothing -> Sign in
    organization: its oldest connection -> a
    connection -> b
    connection before organization -> b
    organization before domain -> a
    organization before login_hint -> a
    domain -> c
    domain before login_hint -> c
    login_hint -> c
    login_hint in capitals -> c
    login_hint of nowhere -> Sign in
    login_hint that is no address -> Sign in
    "#);
}

/// A selector that leads nowhere is a mistake, and never falls through to another one.
#[tokio::test]
async fn a_selector_that_leads_nowhere_is_told_to_the_application() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let empty = gateway.organization("empty.test").await;
    let closed = gateway
        .organization("closed.test")
        .with_connection(|connection| connection.enabled = false)
        .await;
    let rp = gateway.client("rp").await;
    let mut led = Vec::new();
    for (name, value) in [
        ("provider", "google"),
        ("connection_id", "conn_000000000000000000001"),
        ("connection_id", "okta"),
        ("connection_id", closed.connection_id().as_str()),
        ("organization_id", "org_000000000000000000001"),
        ("organization_id", "acme"),
        ("organization_id", empty.id.as_str()),
        ("organization_id", closed.id.as_str()),
        ("domain", "nowhere.test"),
        ("domain", "sub.acme.test"),
        ("domain", "test"),
        ("domain", "not a domain"),
        ("domain", "empty.test"),
        ("domain", "closed.test"),
    ] {
        // Something that would lead somewhere stands beside it.
        let request = rp
            .authorize()
            .with("login_hint", "ada@acme.test")
            .with(name, value);
        let shown = value.trim_end_matches(|c: char| c.is_ascii_digit());
        led.push(format!(
            "{name}={shown} -> {}",
            leads_to(&gateway, &request, &[]).await
        ));
    }
    drop(acme);
    assert_snapshot!(led.join("\n"), @r#"
    provider=google -> no_configured_connections
    connection_id=conn_ -> invalid_connection_id
    connection_id=okta -> invalid_connection_id
    connection_id=conn_ -> connection_not_active
    organization_id=org_ -> invalid_organization_id
    organization_id=acme -> invalid_organization_id
    organization_id=org_ -> no_active_connections
    organization_id=org_ -> no_active_connections
    domain=nowhere.test -> domain_not_found
    domain=sub.acme.test -> domain_not_found
    domain=test -> domain_not_found
    domain=not a domain -> domain_not_found
    domain=empty.test -> no_active_connections
    domain=closed.test -> no_active_connections
    "#);
}

#[tokio::test]
async fn the_page_finds_the_company_by_the_address() {
    let gateway = Gateway::start().await;
    gateway
        .organization("acme.test")
        .domain("acme.example")
        .with_oidc_connection()
        .await;
    gateway.organization("empty.test").await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let mut told = Vec::new();
    for typed in [
        "",
        "   ",
        "ada",
        "ada@",
        "@acme.test",
        "ada@nowhere.test",
        "ada@sub.acme.test",
        "ada@empty.test",
        "ada@acme.test\u{0}",
    ] {
        let again = browser.submit(&page, &[("email", typed)]).await.page();
        let text = again.html.text();
        let line = text
            .lines()
            .rfind(|line| !line.contains("Continue") && !line.starts_with("req_") && *line != "Reference")
            .unwrap_or_default();
        told.push(format!("{typed:?} -> {} {line}", again.reply.status.as_u16()));
    }
    assert_snapshot!(told.join("\n"), @r#"
    "" -> 422 Enter your work e-mail.
    "   " -> 422 Enter your work e-mail.
    "ada" -> 422 Enter a whole e-mail address, such as you@company.com.
    "ada@" -> 422 Enter a whole e-mail address, such as you@company.com.
    "@acme.test" -> 422 Enter a whole e-mail address, such as you@company.com.
    "ada@nowhere.test" -> 422 We know no company sign-in for nowhere.test. Check the spelling, or ask your IT team.
    "ada@sub.acme.test" -> 422 We know no company sign-in for sub.acme.test. Check the spelling, or ask your IT team.
    "ada@empty.test" -> 422 We know no company sign-in for empty.test. Check the spelling, or ask your IT team.
    "ada@acme.test\0" -> 400 Try again
    "#);

    for typed in ["  Ada@ACME.test ", "ada@acme.example"] {
        let page = browser.start(&rp.authorize()).await.page();
        let simulator = browser.submit(&page, &[("email", typed)]).await.page();
        assert_eq!(simulator.heading(), "Sign in as anyone", "{typed}");
        let hint = gateway
            .idp()
            .await
            .last_request("/authorize")
            .parameter("login_hint")
            .unwrap();
        assert_eq!(hint, typed.trim().to_lowercase());
    }
}

#[tokio::test]
async fn the_login_hint_is_there_to_be_corrected() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let request = rp.authorize().with("login_hint", "ada@nowhere.test");
    let page = gateway.browser().start(&request).await.page();
    assert_eq!(page.form().field("email"), Some("ada@nowhere.test"));
}
