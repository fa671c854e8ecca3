//! What Genkan sends to a provider.
//!
//! Source: OIDC Core §3.1.2.1, §3.1.3.1, §9; RFC 7636 §4; RFC 9700 §2.1.1.

use genkan_store::connection::TokenAuthType;
use genkan_testkit::Gateway;
use insta::assert_snapshot;

#[tokio::test]
async fn the_authorization_request_is_complete() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let request = rp
        .authorize()
        .with("login_hint", "ada@acme.test")
        .with("max_age", "600");
    let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();

    let idp = gateway.idp().await;
    let sent = idp.last_request("/authorize");
    let get = |name| sent.parameter(name).unwrap_or_default();
    // The sign-in form carries the request along; the first request is the one that counts.
    let sent = &idp.requests("/authorize")[0];
    let get = |name| sent.parameter(name).unwrap_or_else(|| get(name));
    let redirect_uri = format!("{}/sso/v1/oidc/{}/callback", gateway.url(), acme.connection_id());
    assert_eq!(get("redirect_uri"), redirect_uri);
    assert_eq!(get("response_type"), "code");
    assert_eq!(get("client_id"), idp.client_id());
    assert_eq!(get("scope"), "openid profile email");
    assert_eq!(get("login_hint"), "ada@acme.test");
    assert_eq!(get("max_age"), "600");
    assert_eq!(get("code_challenge_method"), "S256");
    for (name, length) in [("state", 43), ("nonce", 43), ("code_challenge", 43)] {
        assert_eq!(get(name).len(), length, "{name}");
        // Nothing of the application's request is passed on.
        for ours in ["state", "nonce", "code_challenge"] {
            assert_ne!(Some(get(name).as_str()), request.parameter(ours));
        }
    }
    let token = idp.last_request("/token");
    let get = |name| token.parameter(name).unwrap_or_default();
    assert_eq!(
        (get("grant_type").as_str(), get("redirect_uri")),
        ("authorization_code", redirect_uri)
    );
    assert_eq!(get("code_verifier").len(), 43);
    assert_eq!(
        token.headers["user-agent"],
        concat!("Genkan/", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn every_login_has_secrets_of_its_own() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    for _ in 0..3 {
        let _ = browser.start(&rp.authorize().with("domain", "acme.test")).await;
    }
    let requests = gateway.idp().await.requests("/authorize");
    for name in ["state", "nonce", "code_challenge"] {
        let mut values: Vec<String> = requests
            .iter()
            .map(|request| request.parameter(name).unwrap())
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 3, "{name}");
    }
}

#[tokio::test]
async fn the_secret_goes_where_the_provider_wants_it() {
    let mut sent = Vec::new();
    for (method, pkce) in [
        (TokenAuthType::BasicAuth, true),
        (TokenAuthType::UrlParams, true),
        (TokenAuthType::UrlParams, false),
    ] {
        let gateway = Gateway::start().await;
        gateway
            .organization("acme.test")
            .with_settings(move |settings| {
                settings.token_auth_type = method;
                settings.pkce_enabled = pkce;
                settings.scopes = vec!["openid".to_owned(), "email".to_owned(), "groups".to_owned()];
            })
            .await;
        let rp = gateway.client("rp").await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        rp.redeem(&code).await.expect_tokens();
        let idp = gateway.idp().await;
        let token = idp.last_request("/token");
        let scheme = token
            .headers
            .get("authorization")
            .map(|value| value.to_str().unwrap());
        sent.push(format!(
            "{method:?}: {} in the header, secret in the body: {}, id in the body: {}, verifier: {}, scope: {}",
            scheme.map_or("nothing", |value| value.split(' ').next().unwrap()),
            token.parameter("client_secret").is_some(),
            token.parameter("client_id").is_some(),
            token.parameter("code_verifier").is_some(),
            idp.requests("/authorize")[0].parameter("scope").unwrap(),
        ));
    }
    assert_snapshot!(sent.join("\n"), @r#"
    BasicAuth: Basic in the header, secret in the body: false, id in the body: false, verifier: true, scope: openid email groups
    UrlParams: nothing in the header, secret in the body: true, id in the body: true, verifier: true, scope: openid email groups
    UrlParams: nothing in the header, secret in the body: true, id in the body: true, verifier: false, scope: openid email groups
    "#);
}
