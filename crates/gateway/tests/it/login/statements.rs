//! The number of statements of a sign-in: on a database server each is a round trip.

use genkan_db::WorkDone;
use genkan_testkit::{Gateway, Logs, on_each_engine};

/// Of a sign-in of somebody known, of somebody new, and of a refresh.
const KNOWN: u64 = 20;
const FIRST: u64 = 30;
const REFRESH: u64 = 4;

/// The least that `act` took of several times, until it is as few as allowed: jobs ask beside it, and a
/// request that a busy machine delays asks whether the configuration changed.
async fn least(gateway: &Gateway, allowed: u64, act: impl AsyncFn(usize)) -> u64 {
    let mut least = u64::MAX;
    for round in 0..20 {
        if least <= allowed {
            break;
        }
        let before = gateway.done();
        act(round).await;
        let WorkDone { statements, .. } = gateway.done() - before;
        least = least.min(statements);
    }
    least
}

#[tokio::test]
async fn a_sign_in_takes_few_statements() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = || rp.authorize().with("organization_id", acme.id.as_str());

        let first = least(gateway, FIRST, async |round| {
            let code = gateway
                .browser()
                .sign_in_with(&request(), format!("new-{round}@acme.test").as_str())
                .await;
            let _ = rp.redeem(&code).await.expect_tokens();
        });
        let first = first.await;
        let known = least(gateway, KNOWN, async |_| {
            let code = gateway
                .browser()
                .sign_in_with(&request(), "new-0@acme.test")
                .await;
            let _ = rp.redeem(&code).await.expect_tokens();
        });
        let known = known.await;

        let logs = Logs::capture("genkan_db::work=trace");
        let mut browser = gateway.browser();
        let code = browser.sign_in_with(&request(), "new-0@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let asked = logs.text();
        let refresh = least(gateway, REFRESH, async |_| {
            let _ = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        });
        let refresh = refresh.await;
        assert!(
            known <= KNOWN && first <= FIRST && refresh <= REFRESH,
            "{known} for somebody who is known, {first} for somebody new, {refresh} for a refresh:\n{asked}"
        );
    })
    .await;
}
