//! The number of statements of a sign-in: on a database server each is a round trip.

use genkan_db::Done;
use genkan_testkit::{Gateway, Logs, on_each_engine};

/// The least that `act` took of several times: jobs ask beside it.
async fn least(gateway: &Gateway, act: impl AsyncFn(usize)) -> u64 {
    let mut least = u64::MAX;
    for round in 0..5 {
        let before = gateway.done();
        act(round).await;
        let Done { statements, .. } = gateway.done() - before;
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

        let first = least(gateway, async |round| {
            let code = gateway
                .browser()
                .sign_in_with(&request(), format!("new-{round}@acme.test").as_str())
                .await;
            let _ = rp.redeem(&code).await.expect_tokens();
        });
        let first = first.await;
        let known = least(gateway, async |_| {
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
        let refresh = least(gateway, async |_| {
            let _ = rp.refresh(tokens.refresh_token()).await.expect_tokens();
        });
        let refresh = refresh.await;
        assert!(
            known <= 20 && first <= 30 && refresh <= 4,
            "{known} for somebody who is known, {first} for somebody new, {refresh} for a refresh:\n{asked}"
        );
    })
    .await;
}
