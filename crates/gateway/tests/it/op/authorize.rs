//! The authorization endpoint: its recipients and its refusals.
//!
//! Source: RFC 6749 §3.1, §4.1.1, §4.1.2; RFC 7636 §4.3; OIDC Core §3.1.2; RFC 9700 §4.1.

use genkan_testkit::{Arrival, Authorize, Gateway, Page, Rp};
use http::Method;
use insta::assert_snapshot;

/// The page that stands where a redirect would be wrong.
async fn page(gateway: &Gateway, request: &Authorize) -> Page {
    match gateway.browser().open(&request.url()).await {
        Arrival::Page(page) => {
            assert_eq!(page.reply.header("location"), "", "{}", request.url());
            *page
        }
        Arrival::Application(callback) => panic!("{} redirected to {}", request.url(), callback.url),
    }
}

/// The error that the application is told.
async fn error(gateway: &Gateway, request: &Authorize) -> String {
    let callback = gateway.browser().start(request).await.callback();
    assert_eq!(callback.parameter("state").as_deref(), request.parameter("state"));
    assert_eq!(callback.parameter("iss").as_deref(), Some(gateway.url()));
    assert_eq!(callback.parameter("code"), None);
    format!(
        "{}: {}",
        callback.error(),
        callback.parameter("error_description").unwrap_or_default()
    )
}

#[tokio::test]
async fn an_unknown_client_gets_a_page_and_never_a_redirect() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for client_id in [
        "webc_000000000000000000001",
        "nobody",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "usr_000000000000000000001",
    ] {
        let page = page(&gateway, &rp.authorize().with("client_id", client_id)).await;
        assert_eq!(page.reply.status, 400, "{client_id}");
        assert_eq!(page.heading(), "We do not know this application", "{client_id}");
        assert!(!page.reply.text().contains("<script"), "{client_id}");
    }
    let nobody = page(&gateway, &rp.authorize().without("client_id")).await;
    assert_snapshot!(nobody.reply.transcript(), @r#"
    400 Bad Request
    cache-control: no-store
    Genkan
    This link does not work
    The application did not say which one it is.
    What you can do: go back to the application and start from there. If it happens again, tell the people who run it.
    Reference
    req_<id>
    "#);
}

#[tokio::test]
async fn a_foreign_redirect_uri_gets_a_page_and_never_a_redirect() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for uri in [
        "https://evil.test/callback",
        "https://rp.test/callback/",
        "https://rp.test/callback?next=1",
        "https://rp.test/callback?",
        "https://rp.test/callback#",
        "https://rp.test/Callback",
        "https://RP.test/callback",
        "https://rp.test:443/callback",
        "https://rp.test:8443/callback",
        "http://rp.test/callback",
        "https://rp.test",
        "https://rp.test/callback/../callback",
        "https://rp.test/%63allback",
        "https://rp.test/callback%00",
        "https://rp.test/callback\u{2028}",
        "https://rp.test.evil.test/callback",
        "https://evil.test/https://rp.test/callback",
        "https://rp.test@evil.test/callback",
        "https://evil.test\\@rp.test/callback",
        "//rp.test/callback",
        "/callback",
        "javascript:alert(1)//https://rp.test/callback",
        "data:text/html,hello",
        "http://localhost:4321/callback",
        "http://127.0.0.1/callback",
    ] {
        for prompt in ["", "none"] {
            let request = rp.authorize().with("redirect_uri", uri).with("prompt", prompt);
            let page = page(&gateway, &request).await;
            assert_eq!(page.reply.status, 400, "{uri}");
            assert_eq!(
                page.heading(),
                "This link does not lead back to the application",
                "{uri}"
            );
        }
    }
}

/// RFC 6749 §4.1.2.1: whatever else is wrong with it.
#[tokio::test]
async fn a_request_that_cannot_be_answered_tells_nothing_else() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let foreign = rp.authorize().with("redirect_uri", "https://evil.test/");
    for request in [
        foreign.clone().with("response_type", "token"),
        foreign.clone().with("prompt", "login none"),
        foreign.clone().with("request", "eyJ"),
        foreign.and("state", "twice"),
    ] {
        assert_eq!(page(&gateway, &request).await.reply.status, 400);
    }
    for name in ["client_id", "redirect_uri"] {
        let value = rp.authorize().parameter(name).unwrap().to_owned();
        let repeated = rp.authorize().and(name, value);
        assert_eq!(page(&gateway, &repeated).await.reply.status, 400, "{name} twice");
    }
}

#[tokio::test]
async fn a_development_client_is_answered_at_any_loopback_address() {
    let gateway = Gateway::start().await;
    let rp = gateway
        .client("dev")
        .change(|client| client.any_loopback_redirect = true)
        .await;
    for uri in [
        "http://localhost:4321/api/auth/callback",
        "http://127.0.0.1:1/",
        "http://[::1]:8080/cb",
        "https://localhost/cb",
        "https://dev.test/callback",
    ] {
        let request = rp.authorize().with("redirect_uri", uri).with("prompt", "none");
        let callback = gateway.browser().start(&request).await.callback();
        assert_eq!(callback.error(), "login_required");
        assert!(callback.url.as_str().starts_with(uri), "{}", callback.url);
    }
    for uri in [
        "http://localhost.evil.test/cb",
        "http://localhost@evil.test/cb",
        "http://127.0.0.1.evil.test/",
        "http://evil.test/?http://localhost/",
        "http://localhost:4321/cb?code=planted",
        "http://localhost:4321/cb#x",
        "http://2130706433/cb",
        "http://127.1/cb",
        "ftp://localhost/cb",
        "http://192.168.1.1/cb",
    ] {
        let request = rp.authorize().with("redirect_uri", uri);
        assert_eq!(page(&gateway, &request).await.reply.status, 400, "{uri}");
    }
}

#[tokio::test]
async fn a_wildcard_counts_in_development_only() {
    let wildcard = |gateway: &'static str| {
        move |client: &mut genkan_store::client::Client| client.redirect_uris = vec![gateway.to_owned()]
    };
    for (setup, is_answered) in [(Gateway::setup(), true), (Gateway::setup().production(), false)] {
        let gateway = setup.start().await;
        let rp = gateway
            .client("rp")
            .change(wildcard("https://*.preview.test/cb"))
            .await;
        let request = rp
            .authorize()
            .with("redirect_uri", "https://pr-7.preview.test/cb")
            .with("prompt", "none");
        match gateway.browser().start(&request).await {
            Arrival::Application(callback) => assert!(is_answered, "{}", callback.url),
            Arrival::Page(page) => assert!(!is_answered, "{}", page.reply.transcript()),
        }
        for uri in [
            "https://*.preview.test/cb",
            "https://a.b.preview.test/cb",
            "https://preview.test/cb",
            "https://evil.test/.preview.test/cb",
        ] {
            let request = rp.authorize().with("redirect_uri", uri);
            assert_eq!(page(&gateway, &request).await.reply.status, 400, "{uri}");
        }
        // There is nothing to fall back to.
        let request = rp.authorize().without("redirect_uri");
        assert_eq!(page(&gateway, &request).await.reply.status, 400);
    }
}

#[tokio::test]
async fn mistakes_are_told_to_the_application() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let plain = rp.authorize().without_pkce();
    let requests: Vec<(&str, Authorize)> = vec![
        ("no response_type", plain.clone().without("response_type")),
        ("token", plain.clone().with("response_type", "token")),
        ("hybrid", plain.clone().with("response_type", "code id_token")),
        ("fragment", plain.clone().with("response_mode", "fragment")),
        (
            "request object",
            plain.clone().with("request", "eyJhbGciOiJub25lIn0.e30."),
        ),
        (
            "request_uri",
            plain.clone().with("request_uri", "https://evil.test/r"),
        ),
        ("registration", plain.clone().with("registration", "{}")),
        (
            "prompt none and login",
            plain.clone().with("prompt", "none login"),
        ),
        ("prompt unknown", plain.clone().with("prompt", "reauthenticate")),
        ("max_age negative", plain.clone().with("max_age", "-1")),
        ("max_age of words", plain.clone().with("max_age", "1e3")),
        (
            "scope with quotes",
            plain.clone().with("scope", "openid \"email\""),
        ),
        ("scope unknown", plain.clone().with("scope", "todo:read")),
        ("nonce twice", plain.clone().and("nonce", "n1").and("nonce", "n1")),
        (
            "unknown twice",
            plain.clone().and("ui_locales", "en").and("ui_locales", "de"),
        ),
        ("nonce too long", plain.with("nonce", "n".repeat(513))),
    ];
    let mut told = Vec::new();
    for (name, request) in &requests {
        told.push(format!("{name} -> {}", error(&gateway, request).await));
    }
    assert_snapshot!(told.join("\n"), @r#"
    no response_type -> invalid_request: response_type is missing: send response_type=code
    token -> unsupported_response_type: response_type must be code
    hybrid -> unsupported_response_type: response_type must be code
    fragment -> invalid_request: response_mode must be query or form_post
    request object -> request_not_supported: request objects are not supported: send plain parameters
    request_uri -> request_uri_not_supported: request_uri is not supported: send plain parameters
    registration -> registration_not_supported: registration is not supported: register the client
    prompt none and login -> invalid_request: prompt=none must stand alone
    prompt unknown -> invalid_request: prompt must be none, login, select_account, create or consent
    max_age negative -> invalid_request: max_age must be a number of seconds
    max_age of words -> invalid_request: max_age must be a number of seconds
    scope with quotes -> invalid_scope: the scope has characters that no scope has
    scope unknown -> invalid_scope: none of the scopes exists: ask for openid profile email
    nonce twice -> invalid_request: a parameter is repeated
    unknown twice -> invalid_request: a parameter is repeated
    nonce too long -> invalid_request: a parameter is too long
    "#);
}

/// RFC 9700 §2.1.1, §4.8.2.
#[tokio::test]
async fn pkce_is_s256_or_an_error() {
    let gateway = Gateway::start().await;
    let spa = gateway.client("spa").spa().await;
    let native = gateway.client("app").native().await;
    let enforced = gateway
        .client("enforced")
        .change(|client| client.enforce_pkce = true)
        .await;
    for rp in [&spa, &native, &enforced] {
        let missing = error(&gateway, &rp.authorize().without_pkce()).await;
        assert_eq!(
            missing,
            "invalid_request: this application must use PKCE: send code_challenge"
        );
    }
    let rp = gateway.client("rp").await;
    let challenge = rp.authorize().parameter("code_challenge").unwrap().to_owned();
    for rp in [&spa, &rp] {
        for request in [
            rp.authorize().with("code_challenge_method", "plain"),
            rp.authorize().without("code_challenge_method"),
            rp.authorize().with("code_challenge_method", "s256"),
            rp.authorize().with("code_challenge_method", "S512"),
            rp.authorize().without("code_challenge"),
            rp.authorize().with("code_challenge", "short"),
            rp.authorize().with("code_challenge", format!("{challenge}=")),
            rp.authorize().with("code_challenge", &challenge[..42]),
            rp.authorize().and("code_challenge", &challenge),
        ] {
            let told = error(&gateway, &request).await;
            assert!(told.starts_with("invalid_request: "), "{told}");
        }
    }
}

/// RFC 9700 §2.1.1.
#[tokio::test]
async fn an_environment_may_ask_every_application_for_pkce() {
    let gateway = Gateway::setup().require_pkce().start().await;
    let rp = gateway.client("rp").await;
    let missing = error(&gateway, &rp.authorize().without_pkce()).await;
    assert_eq!(
        missing,
        "invalid_request: this application must use PKCE: send code_challenge"
    );
    let page = page(&gateway, &rp.authorize()).await;
    assert_eq!(page.heading(), "Sign in", "with PKCE it goes on");
}

#[tokio::test]
async fn a_post_is_read_like_a_get() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let request = rp.authorize().with("prompt", "none").with("state", "s1");
    let reply = gateway
        .post("/oauth/authorize")
        .raw_form(request.query())
        .send()
        .await;
    assert_snapshot!(reply.transcript(), @r#"
    303 See Other
    location: https://rp.test/callback?error=login_required&error_description=no+session+in+this+browser+satisfies+the+request&state=s1&iss=https%3A%2F%2Fgateway.test
    cache-control: no-store
    "#);
    // What stands in the address of a POST is not its request.
    let path = format!("/oauth/authorize?{}", request.query());
    assert_eq!(gateway.post(&path).raw_form("").send().await.status, 400);
    for (content_type, body) in [
        ("application/json", "{\"client_id\":\"skc_1\"}"),
        ("multipart/form-data; boundary=x", "--x--"),
        ("text/plain", "client_id=skc_1"),
    ] {
        let reply = gateway
            .post("/oauth/authorize")
            .body(content_type, body)
            .send()
            .await;
        assert_eq!(reply.status, 400, "{content_type}");
    }
}

/// RFC 6749 §4.1.2: "the exact value received from the client".
#[tokio::test]
async fn the_state_comes_back_exactly() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    for state in [
        "a b",
        "a+b",
        "ä&x=1#f",
        "%2e%2e",
        "{\"return_to\":\"/\"}",
        "\"><script>",
        &"s".repeat(2049),
        &"s".repeat(8 * 1024),
    ] {
        let request = rp.authorize().with("state", state).with("prompt", "none");
        let callback = gateway.browser().start(&request).await.callback();
        assert_eq!(callback.parameter("state").as_deref(), Some(state));
        assert_eq!(callback.url.fragment(), None);
    }
    let request = rp.authorize().without("state").with("prompt", "none");
    let callback = gateway.browser().start(&request).await.callback();
    assert_eq!(callback.parameter("state"), None);
}

#[tokio::test]
async fn a_success_names_its_issuer() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let request = rp.authorize().with("state", "s1");
    let callback = browser.start(&request).await.callback();
    assert_snapshot!(callback.transcript(), @"https://rp.test/callback?code=<secret>&state=s1&iss=https%3A%2F%2Fgateway.test");
}

/// RFC 6749 §3.1.2.3, §4.1.3.
#[tokio::test]
async fn a_single_redirect_uri_may_be_left_out_of_both_requests() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let request = rp.authorize().without("redirect_uri");
    let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
    assert_eq!(code.redirect_uri, None);
    rp.redeem(&code).await.expect_tokens();

    rp.change(|client| client.redirect_uris.push("https://rp.test/other".to_owned()))
        .await;
    assert_eq!(page(&gateway, &request).await.reply.status, 400);
}

#[tokio::test]
async fn a_head_request_starts_nothing() {
    let gateway = Gateway::start().await;
    let rp: Rp = gateway.client("rp").await;
    let path = format!("/oauth/authorize?{}", rp.authorize().query());
    let reply = gateway.call(Method::HEAD, &path).send().await;
    assert_eq!(reply.status, 405);
    assert!(!reply.headers.contains_key("set-cookie"));
}

/// RFC 6749 §4.1.2.1: `state` is REQUIRED in an error if it was in the request, also where it is
/// the mistake.
#[tokio::test]
async fn a_state_that_is_too_long_is_told_with_the_state() {
    let gateway = Gateway::start().await;
    let rp = gateway.client("rp").await;
    let long = "s".repeat(8 * 1024 + 1);
    let request = rp.authorize().with("state", &long);
    let callback = gateway.browser().start(&request).await.callback();
    assert_eq!(callback.error(), "invalid_request");
    assert_eq!(callback.parameter("state"), Some(long));
}

/// What ASP.NET's OpenID Connect handler sends unless it is told otherwise, and the
/// form that it waits for (OAuth 2.0 Form Post Response Mode §2).
#[tokio::test]
async fn an_answer_is_posted_to_an_application_that_asks_for_it() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let state = format!("CfDJ8{}", "x".repeat(1500));
    let request = rp
        .authorize()
        .with("response_mode", "form_post")
        .with("state", state.as_str())
        .with("x-client-SKU", "ID_NET8_0")
        .with("x-client-ver", "7.1.2.0");
    let mut browser = gateway.browser();
    let arrival = browser.start(&request).await;
    let page = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(page.reply.status.as_u16(), 200);
    let [form] = page.html.forms() else {
        panic!("one form: {}", page.reply.transcript())
    };
    assert_eq!(
        (form.method.as_str(), form.action.as_str()),
        ("post", rp.redirect_uri.as_str())
    );
    assert_eq!(form.field("state"), Some(state.as_str()));
    assert_eq!(form.field("iss"), Some(gateway.url()));
    let code = request.code(form.field("code").unwrap());
    rp.redeem(&code).await.expect_tokens();
    // One script may run, and nothing else; the code is in no address and in no cache.
    let policy = page.reply.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert_eq!(page.reply.header("cache-control"), "no-store");
    assert!(!page.url.as_str().contains("code="), "{}", page.url);

    // With a session there is nothing to ask, and the answer comes the same way.
    let page = browser.start(&request).await.page();
    assert!(page.html.forms()[0].field("code").is_some());
    // So do errors, those of the request itself and those of the sign-in.
    for (request, error) in [
        (request.clone().with("scope", "todo:read"), "invalid_scope"),
        (
            request.clone().with("response_type", "code id_token"),
            "unsupported_response_type",
        ),
        (
            request
                .clone()
                .with("organization_id", "org_000000000000000000001"),
            "invalid_organization_id",
        ),
    ] {
        let page = gateway.browser().start(&request).await.page();
        let form = &page.html.forms()[0];
        assert_eq!(form.action, rp.redirect_uri);
        assert_eq!(form.field("error"), Some(error));
        assert_eq!(form.field("state"), Some(state.as_str()));
        assert_eq!(form.field("code"), None);
    }
    let nobody = gateway
        .browser()
        .start(&request.clone().with("prompt", "none"))
        .await
        .page();
    assert_eq!(nobody.html.forms()[0].field("error"), Some("login_required"));
    // Nothing is ever posted to an address that is not registered.
    let foreign = request.with("redirect_uri", "https://evil.test/callback");
    assert!(page_without_forms(&gateway, &foreign).await);
}

async fn page_without_forms(gateway: &Gateway, request: &Authorize) -> bool {
    page(gateway, request).await.html.forms().is_empty()
}

/// RFC 8252 §7.3: a command line or a desktop program listens at a port that it gets.
#[tokio::test]
async fn a_native_application_signs_in_at_a_port_of_its_own_in_production() {
    let gateway = Gateway::setup().production().start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let loopback = |client: &mut genkan_store::client::Client| {
        client.redirect_uris = vec!["http://127.0.0.1/callback".to_owned()];
    };
    let native = gateway.client("cli").native().change(loopback).await;
    let at = |uri: &str| native.authorize().with("redirect_uri", uri);
    let request = at("http://127.0.0.1:53412/callback");
    let mut browser = gateway.browser();
    let arrival = browser.start(&request).await;
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    assert!(
        callback
            .url
            .as_str()
            .starts_with("http://127.0.0.1:53412/callback?"),
        "{}",
        callback.url
    );
    native
        .redeem(&request.code(&callback.code()))
        .await
        .expect_tokens();
    // The code is bound to the very address (RFC 6749 §4.1.3).
    let callback = browser.start(&request).await.callback();
    let mut elsewhere = request.code(&callback.code());
    elsewhere.redirect_uri = Some("http://127.0.0.1:53413/callback".to_owned());
    assert_eq!(native.redeem(&elsewhere).await.oauth_error(), "invalid_grant");
    // PKCE is required, for other programs of the machine may listen, too.
    let missing = error(&gateway, &request.clone().without_pkce()).await;
    assert!(
        missing.starts_with("invalid_request: this application must use PKCE"),
        "{missing}"
    );
    for uri in [
        "http://localhost:53412/callback",
        "http://127.0.0.1:53412/other",
        "http://127.0.0.1.evil.test:53412/callback",
        "http://192.168.0.1:53412/callback",
    ] {
        page(&gateway, &at(uri)).await;
    }
    // A web application has no such server.
    let web = gateway.client("web").change(loopback).await;
    page(
        &gateway,
        &web.authorize()
            .with("redirect_uri", "http://127.0.0.1:53412/callback"),
    )
    .await;
}
