//! Made-up codes do not lock a customer out at their provider.

use genkan::budget::Policy;
use genkan_testkit::{Browser, Gateway, Rp};

/// Begins a sign-in and comes back with a code that the provider never gave.
async fn come_back_with_nonsense(gateway: &Gateway, rp: &Rp, connection_id: &str) -> u16 {
    let mut browser: Browser = gateway.browser();
    let request = rp.authorize().with("connection_id", connection_id);
    let at_provider = browser.start(&request).await.page();
    let state = at_provider
        .url
        .query_pairs()
        .find_map(|(name, value)| (name == "state").then(|| value.into_owned()))
        .expect("the provider was asked with a state");
    // RFC 9207: everything fits but the code.
    let iss: String = url::form_urlencoded::byte_serialize(gateway.idp().await.issuer().as_bytes()).collect();
    let back = format!(
        "{}/sso/v1/oidc/{connection_id}/callback?code=bogus&state={state}&iss={iss}",
        gateway.url()
    );
    browser.open(&back).await.page().reply.status.as_u16()
}

#[tokio::test]
async fn codes_that_the_provider_refuses_have_a_budget() {
    let policy = Policy {
        failed_answers_per_minute: 10,
        ..Policy::OFF
    };
    let gateway = Gateway::setup().anonymous(policy).start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let id = acme.connection_id().to_string();
    // People who sign in are not counted, however many.
    for n in 0..15 {
        gateway
            .browser()
            .sign_in(&rp, format!("ada{n}@acme.test").as_str())
            .await;
    }
    let (idp, mut tried) = (gateway.idp().await, 0);
    let token_requests = || {
        let all = idp.requests("/token");
        all.iter()
            .filter(|request| request.parameter("code").as_deref() == Some("bogus"))
            .count()
    };
    for _ in 0..30 {
        tried += usize::from(come_back_with_nonsense(&gateway, &rp, &id).await == 403);
    }
    assert!(
        (5..=15).contains(&tried),
        "half of the budget is one client's: {tried}"
    );
    assert_eq!(token_requests(), tried, "the provider was asked no more often");
}
