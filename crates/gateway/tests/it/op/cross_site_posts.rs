//! Forms that other sites post here. `SameSite=Lax` keeps our cookies from
//! them, and yet the answer must be that of a GET.
//!
//! Source: OIDC Core §3.1.2.1, RP-Initiated Logout 1.0 §2, RFC 6265bis §5.6.7.

use genkan_testkit::{Gateway, Rp};

async fn signed_in(gateway: &Gateway) -> (Rp, genkan_testkit::Browser) {
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    (rp, browser)
}

#[tokio::test]
async fn a_logout_that_is_posted_from_elsewhere_finds_the_session() {
    let gateway = Gateway::start().await;
    let (rp, mut browser) = signed_in(&gateway).await;
    let uri = rp.post_logout_redirect_uri.as_str();
    let fields = [
        ("client_id", rp.id.as_str()),
        ("post_logout_redirect_uri", uri),
        ("state", "s 1"),
    ];
    let url = format!("{}/oidc/logout", gateway.url());

    let page = browser.post_from("https://rp.test/", &url, &fields).await.page();
    assert_eq!(page.reply.status, 200);
    assert!(page.html.text().contains("ada@acme.test"), "{}", page.html.text());
    let callback = browser.submit(&page, &[("choice", "sign_out")]).await.callback();
    assert_eq!(callback.url.as_str(), format!("{uri}?state=s+1"));

    let silent = rp.authorize().with("prompt", "none");
    assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
}

#[tokio::test]
async fn a_login_that_is_posted_from_elsewhere_finds_the_session() {
    let gateway = Gateway::start().await;
    let (rp, mut browser) = signed_in(&gateway).await;
    let request = rp.authorize().with("prompt", "none");
    let query = request.query();
    let fields: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let url = format!("{}/oauth/authorize", gateway.url());

    let callback = browser
        .post_from("https://rp.test/", &url, &fields)
        .await
        .callback();
    let code = request.code(&callback.code());
    rp.redeem(&code).await.expect_tokens();
}

/// Otherwise a login in another tab would come back to a browser that is no longer its own.
#[tokio::test]
async fn a_login_that_is_posted_from_elsewhere_ends_no_other() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let first = rp.authorize();
    let waiting = browser.start(&first).await;

    let url = format!("{}/oauth/authorize", gateway.url());
    let second = rp.authorize();
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(second.query().as_bytes())
        .into_owned()
        .collect();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    browser.post_from("https://rp.test/", &url, &fields).await.page();

    let callback = browser.go_on(waiting, "ada@acme.test").await.callback();
    assert_ne!(callback.code(), "");
}
