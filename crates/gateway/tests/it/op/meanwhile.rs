//! Changes while a person signs in: the answer follows the registration at its end, not
//! at the beginning.

use std::time::Duration;

use genkan_store::client;
use genkan_testkit::Gateway;

#[tokio::test]
async fn a_redirect_uri_that_was_withdrawn_gets_no_code() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await;

    rp.change(|client| client.redirect_uris = vec!["https://rp.test/other".to_owned()])
        .await;
    let page = browser.go_on(page, "ada@acme.test").await.page();
    assert_eq!(page.reply.status, 400);
    assert_eq!(page.heading(), "This link does not lead back to the application");
}

#[tokio::test]
async fn an_application_that_was_deleted_hears_no_refusal_either() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = browser
        .start(&rp.authorize().with("login_hint", "ada@acme.test"))
        .await
        .page();

    let at = gateway.at();
    gateway.tx(async |tx| client::delete(tx, at, &rp.id).await).await;
    let refuse = page
        .html
        .forms()
        .iter()
        .find(|form| form.field("error").is_some())
        .expect("the provider can refuse")
        .clone();
    let page = browser
        .submit_form(&page, &refuse, &[("error", "access_denied")])
        .await
        .page();
    assert_eq!(page.heading(), "We do not know this application");
}

#[tokio::test]
async fn continue_means_the_account_that_was_shown() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let shown = browser
        .start(&rp.authorize().with("prompt", "select_account"))
        .await
        .page();
    assert!(shown.html.text().contains("ada@acme.test"));

    // In another tab, somebody else.
    let again = rp.authorize().with("prompt", "login");
    browser.sign_in_with(&again, "bob@acme.test").await;

    let page = browser.submit(&shown, &[("choice", "continue")]).await.page();
    assert!(page.html.text().contains("bob@acme.test"), "{}", page.html.text());
    browser
        .submit(&page, &[("choice", "continue")])
        .await
        .callback()
        .code();
}

#[tokio::test]
async fn continue_does_not_outlive_max_age() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let request = rp
        .authorize()
        .with("prompt", "select_account")
        .with("max_age", "60");
    let shown = browser.start(&request).await.page();

    gateway.clock().advance(Duration::from_secs(61));
    let page = browser.submit(&shown, &[("choice", "continue")]).await.page();
    assert!(
        page.html.forms()[0].field("email").is_some(),
        "{}",
        page.html.text()
    );
}
