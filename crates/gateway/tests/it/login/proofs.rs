//! The stored proofs of a sign-in, and their traces in tokens and in the log.
//!
//! Source: OIDC Core §2 (`amr`, `auth_time`), RFC 8176 §2.

use genkan_store::auth_log::{self, Filter, Method};
use genkan_store::interaction::{self, Stage, Way};
use genkan_store::{InteractionId, Page};
use genkan_testkit::{Gateway, on_each_engine};
use serde_json::json;

async fn methods(gateway: &Gateway) -> Vec<Option<Method>> {
    let now = gateway.now();
    let logs = gateway
        .tx(async |tx| auth_log::list(tx, &Filter::default(), now, &Page::first(10)).await)
        .await;
    logs.into_iter().rev().map(|log| log.method).collect()
}

#[tokio::test]
async fn tokens_name_the_connection_first_and_the_log_says_how_somebody_came() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let came = rp.verify(tokens.id_token()).await;
        // A connection adds no word of its own: what clients read stays as it was.
        assert_eq!(came["amr"], json!([acme.connection_id().as_str()]));
        assert_eq!(came["auth_time"], gateway.now().as_secs());

        let silent = rp.authorize().with("prompt", "none");
        let callback = browser.start(&silent).await.callback();
        let tokens = rp.redeem(&silent.code(&callback.code())).await.expect_tokens();
        let answered = rp.verify(tokens.id_token()).await;
        for same in ["amr", "auth_time", "sid"] {
            assert_eq!(came[same], answered[same], "{same}");
        }
        assert_eq!(
            methods(gateway).await,
            [Some(Method::Connection), Some(Method::Session)]
        );
    })
    .await;
}

/// Mail and passkeys have no page yet: a login that is there goes nowhere, and least of
/// all to the connection that it would have been led to.
#[tokio::test]
async fn a_way_that_nothing_leads_through_signs_nobody_in() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let address = "ada@acme.test".parse().unwrap();
        for way in [Way::Mail { address }, Way::Passkey] {
            let mut browser = gateway.browser();
            let page = browser.start(&rp.authorize()).await.page();
            let id = InteractionId::parse(page.url.path().strip_prefix("/login/").unwrap()).unwrap();
            let at = Stage::At(way);
            gateway
                .tx(async |tx| interaction::advance(tx, &id, &Stage::Started, &at).await)
                .await;
            let shut = browser.open(page.url.as_str()).await.page();
            assert_eq!(shut.heading(), "This sign-in is no longer open", "{at:?}");
            assert!(browser.cookies.get("genkan_session").is_none());
        }
    })
    .await;
}
