//! Several nodes on one PostgreSQL: the memory of one node decides nothing.

use genkan_db::testing::Scratch;
use genkan_testkit::{Gateway, Reply};
use tokio::task::JoinSet;

async fn two_nodes() -> Option<Gateway> {
    let gateway = Gateway::setup().start_on(Scratch::postgres().await?).await;
    gateway.add_node().await;
    Some(gateway)
}

/// Requests go to the nodes in turn.
#[tokio::test]
async fn a_login_may_change_nodes_at_every_step() {
    let Some(gateway) = two_nodes().await else { return };
    gateway.organization("acme.test").with_oidc_connection().await;
    let (rp, other) = (gateway.client("rp").await, gateway.client("other").await);
    let mut browser = gateway.browser();
    for person in ["ada@acme.test", "bob@acme.test", "eve@acme.test"] {
        let request = rp.authorize().with("prompt", "login");
        let code = browser.sign_in_with(&request, person).await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        assert_eq!(rp.verify(tokens.id_token()).await["email"], person);
        for _ in 0..2 {
            assert!(rp.introspect(&tokens.access_token).await.active);
            rp.refresh(tokens.refresh_token()).await.expect_tokens();
            let silent = other.authorize().with("prompt", "none");
            let callback = browser.start(&silent).await.callback();
            other.redeem(&silent.code(&callback.code())).await.expect_tokens();
            rp.userinfo(&tokens.access_token).await.json();
        }
        assert_eq!(rp.redeem(&code).await.oauth_error(), "invalid_grant");
        for _ in 0..2 {
            assert!(!rp.introspect(&tokens.access_token).await.active, "on no node");
        }
    }
}

fn winners(replies: Vec<Reply>) -> Vec<Reply> {
    let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    for reply in lost {
        assert_eq!(reply.oauth_error(), "invalid_grant", "{}", reply.transcript());
    }
    won
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_between_nodes_has_one_winner() {
    let Some(gateway) = two_nodes().await else { return };
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").strict_refresh_rotation().await;
    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let mut racing = JoinSet::new();
    for _ in 0..50 {
        let (rp, code) = (rp.clone(), code.clone());
        racing.spawn(async move { rp.redeem(&code).await });
    }
    assert_eq!(winners(racing.join_all().await).len(), 1);

    let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
    let token = rp.redeem(&code).await.expect_tokens().refresh_token().to_owned();
    let mut racing = JoinSet::new();
    for _ in 0..50 {
        let (rp, token) = (rp.clone(), token.clone());
        racing.spawn(async move { rp.refresh(&token).await });
    }
    assert_eq!(winners(racing.join_all().await).len(), 1);
}
