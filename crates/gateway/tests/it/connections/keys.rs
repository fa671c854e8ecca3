//! Providers rotate their keys.
//!
//! Source: OIDC Core §10.1.1.

use genkan::simulator::Fault;
use genkan_testkit::{Arrival, Gateway, Person};

#[tokio::test]
async fn a_rotated_key_is_fetched_at_once() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    let idp = gateway.idp().await;
    assert_eq!(idp.requests("/keys").len(), 1);
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    assert_eq!(idp.requests("/keys").len(), 1, "known keys are kept");

    let rotated = Person::new("ada@acme.test").with_fault(Fault::RotatedKey);
    let code = gateway.browser().sign_in(&rp, &rotated).await;
    rp.redeem(&code).await.expect_tokens();
    assert_eq!(idp.requests("/keys").len(), 2);
}

/// Whoever can make tokens with made-up key ids must not make us call all day.
#[tokio::test]
async fn unknown_keys_do_not_make_a_flood() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    for _ in 0..5 {
        let mut browser = gateway.browser();
        let arrival = browser.start(&rp.authorize()).await;
        let person = Person::new("ada@acme.test").with_fault(Fault::UnknownKey);
        let refused = browser.go_on(arrival, &person).await;
        assert!(matches!(refused, Arrival::Page(_)));
    }
    let fetched = gateway.idp().await.requests("/keys").len();
    assert!((1..=2).contains(&fetched), "{fetched} times");
    // And the honest key still works meanwhile.
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
}
