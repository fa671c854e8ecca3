//! What changes while a person signs in: the answer goes by what is registered
//! when it leaves, not by what was when they began.

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
