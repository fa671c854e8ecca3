//! Answers of the wrong provider, and codes of the wrong person.
//!
//! Source: RFC 9207; RFC 9700 §4.4 (mix-up), §4.5 (code injection).

use genkan_testkit::{Browser, Canned, Gateway, IdentityProvider, Page, Rp};
use serde_json::Value;
use url::Url;

async fn at_the_provider(browser: &mut Browser, rp: &Rp, domain: &str) -> Page {
    browser.start(&rp.authorize().with("domain", domain)).await.page()
}

/// The answer to a login, on its way.
async fn answer(idp: &IdentityProvider, page: &Page, email: &str) -> Url {
    Url::parse(&idp.answer_to(&page.form().fill(&[("email", email)])).await).unwrap()
}

fn with(url: &Url, name: &str, value: Option<&str>) -> String {
    let mut changed = url.clone();
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(known, _)| known != name)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed.into()
}

async fn metadata_without_promise(idp: &IdentityProvider) -> Canned {
    let mut metadata: Value = idp.metadata().await;
    metadata["authorization_response_iss_parameter_supported"] = false.into();
    Canned::json(&metadata)
}

#[tokio::test]
async fn a_provider_that_promises_its_name_must_give_it() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let idp = gateway.idp().await;
    for issuer in [
        None,
        Some("https://evil.test"),
        Some(""),
        Some(&*format!("{}/", idp.issuer())),
    ] {
        let mut browser = gateway.browser();
        let page = at_the_provider(&mut browser, &rp, "acme.test").await;
        let url = answer(idp, &page, "ada@acme.test").await;
        let before = idp.requests("/token").len();
        let page = browser.open(&with(&url, "iss", issuer)).await.page();
        assert_eq!(page.heading(), "We could not sign you in", "{issuer:?}");
        assert_eq!(
            gateway.login_trace().await.cause,
            "authorization_response_issuer_mismatch"
        );
        // The code of a mix-up is handed to nobody.
        assert_eq!(idp.requests("/token").len(), before);
    }
}

#[tokio::test]
async fn a_provider_that_promises_nothing_may_be_silent_but_not_wrong() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let idp = gateway.idp().await;
    idp.answer(
        "/.well-known/openid-configuration",
        metadata_without_promise(idp).await,
    );
    let rp = gateway.client("rp").await;

    let mut browser = gateway.browser();
    let page = at_the_provider(&mut browser, &rp, "acme.test").await;
    let url = answer(idp, &page, "ada@acme.test").await;
    let callback = browser.open(&with(&url, "iss", None)).await.callback();
    assert_eq!(callback.error(), "");

    let mut browser = gateway.browser();
    let page = at_the_provider(&mut browser, &rp, "acme.test").await;
    let url = answer(idp, &page, "ada@acme.test").await;
    let page = browser
        .open(&with(&url, "iss", Some("https://evil.test")))
        .await
        .page();
    assert_eq!(page.heading(), "We could not sign you in");
}

/// RFC 9700 §4.5: a stolen code in the attacker's own login.
#[tokio::test]
async fn a_code_of_another_login_is_refused_by_pkce_and_by_nonce() {
    for pkce_enabled in [true, false] {
        let gateway = Gateway::start().await;
        gateway
            .organization("acme.test")
            .with_settings(move |settings| settings.pkce_enabled = pkce_enabled)
            .await;
        let rp = gateway.client("rp").await;
        let idp = gateway.idp().await;
        let mut ada = gateway.browser();
        let page = at_the_provider(&mut ada, &rp, "acme.test").await;
        let stolen = answer(idp, &page, "ada@acme.test").await;
        let code = stolen
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();

        let mut eve = gateway.browser();
        let page = at_the_provider(&mut eve, &rp, "acme.test").await;
        let own = answer(idp, &page, "eve@acme.test").await;
        let page = eve.open(&with(&own, "code", Some(&code))).await.page();
        assert_eq!(page.heading(), "We could not sign you in");
        let cause = gateway.login_trace().await.cause;
        let expected = if pkce_enabled {
            "failed_to_exchange_token"
        } else {
            "id_token_nonce_mismatch"
        };
        assert_eq!(cause, expected);
        assert!(eve.cookies.get("genkan_session").is_none());
    }
}

/// A hostile company's provider cannot speak for another company's.
#[tokio::test]
async fn a_token_of_another_provider_is_refused() {
    let gateway = Gateway::start().await;
    let evil = IdentityProvider::start(&gateway).await;
    gateway.organization("acme.test").with_oidc_connection().await;
    gateway.organization("evil.test").with_connection_to(&evil).await;
    let rp = gateway.client("rp").await;
    let acme_issuer = gateway.idp().await.issuer();
    let mut browser = gateway.browser();
    let page = at_the_provider(&mut browser, &rp, "evil.test").await;
    // The same key, and the other's name.
    evil.change_id_tokens(&serde_json::json!({ "iss": acme_issuer, "email": "ada@acme.test" }));
    let page = browser.submit(&page, &[("email", "eve@evil.test")]).await.page();
    assert_eq!(page.heading(), "We could not sign you in");
    assert_eq!(gateway.login_trace().await.cause, "id_token_issuer_mismatch");
}
