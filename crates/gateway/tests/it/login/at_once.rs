//! Many people at once: on PostgreSQL nobody is in the way of anybody who shares no row.

use futures_util::future::join_all;
use genkan_testkit::{Gateway, on_each_engine};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_people_who_come_for_the_first_time_at_once_are_not_in_each_others_way() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = rp.authorize().with("organization_id", acme.id.as_str());
        // Values that are read once and kept are read before.
        let early = gateway.browser().sign_in_with(&request, "early@acme.test").await;
        let _ = rp.redeem(&early).await.expect_tokens();

        let before = gateway.done();
        let (request, rp) = (&request, &rp);
        join_all((0..50).map(|number| async move {
            let address = format!("new-{number}@acme.test");
            let code = gateway.browser().sign_in_with(request, address.as_str()).await;
            rp.redeem(&code).await.expect_tokens()
        }))
        .await;
        assert_eq!((gateway.done() - before).reruns, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_refreshes_of_different_tokens_at_once_are_not_in_each_others_way() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").strict_refresh_rotation().await;
        let request = rp.authorize().with("organization_id", acme.id.as_str());
        let mut tokens = Vec::new();
        for _ in 0..64 {
            let code = gateway.browser().sign_in_with(&request, "ada@acme.test").await;
            tokens.push(rp.redeem(&code).await.expect_tokens());
        }

        let before = gateway.done();
        let rp = &rp;
        let refreshed = join_all(
            tokens
                .iter()
                .map(|tokens| async move { rp.refresh(tokens.refresh_token()).await.expect_tokens() }),
        )
        .await;
        assert_eq!((gateway.done() - before).reruns, 0);

        // Each once, all the same.
        let (old, new) = (tokens[0].refresh_token(), refreshed[0].refresh_token());
        assert_eq!(rp.refresh(old).await.oauth_error(), "invalid_grant");
        assert_eq!(
            rp.refresh(new).await.oauth_error(),
            "invalid_grant",
            "the family has ended"
        );
        let _ = rp.refresh(refreshed[1].refresh_token()).await.expect_tokens();
    })
    .await;
}
