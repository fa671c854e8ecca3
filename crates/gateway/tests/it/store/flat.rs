//! Whatever expires is swept: under constant load the database stays flat.

use std::time::Duration;

use genkan::simulator::Fault;
use genkan_db::p;
use genkan_testkit::{Gateway, Person, Receiver, on_each_engine};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tables whose rows have an end.
const PASSING: [(&str, &str); 10] = [
    ("authorization_codes", "SELECT COUNT(*) FROM authorization_codes"),
    (
        "back_channel_logouts",
        "SELECT COUNT(*) FROM back_channel_logouts",
    ),
    ("connection_tests", "SELECT COUNT(*) FROM connection_tests"),
    ("grants", "SELECT COUNT(*) FROM grants"),
    ("interactions", "SELECT COUNT(*) FROM interactions"),
    ("login_traces", "SELECT COUNT(*) FROM login_traces"),
    ("refresh_tokens", "SELECT COUNT(*) FROM refresh_tokens"),
    (
        "revoked_access_tokens",
        "SELECT COUNT(*) FROM revoked_access_tokens",
    ),
    ("sessions", "SELECT COUNT(*) FROM sessions"),
    ("upstream_requests", "SELECT COUNT(*) FROM upstream_requests"),
];

async fn count(gateway: &Gateway, sql: &'static str) -> i64 {
    gateway
        .tx(async |tx| Ok(tx.opt(sql, p![]).await?.unwrap().get(0)?))
        .await
}

/// Leaves something in every table.
async fn live(gateway: &Gateway, receiver: &Receiver) {
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway
        .client("rp")
        .strict_refresh_rotation()
        .back_channel_logout(receiver.url())
        .await;
    receiver.refuse_next(u32::MAX);
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    let tokens = rp.refresh(tokens.refresh_token()).await.expect_tokens();
    rp.revoke(&tokens.access_token).await;
    let _ = browser
        .open(&rp.logout_url(&[("id_token_hint", tokens.id_token())]))
        .await;
    browser.sign_in(&rp, "ada@acme.test").await;
    let mut elsewhere = gateway.browser();
    let arrival = elsewhere.start(&rp.authorize()).await;
    let person = Person::new("ada@acme.test").with_fault(Fault::WrongNonce);
    let _ = elsewhere.go_on(arrival, &person).await;
    let _ = elsewhere.begin_test(&acme).await;
    receiver.next().await;
}

#[tokio::test]
async fn nothing_that_expires_is_left() {
    on_each_engine(async |gateway: &Gateway| {
        let receiver = Receiver::start().await;
        live(gateway, &receiver).await;
        for (table, sql) in PASSING {
            assert!(count(gateway, sql).await > 0, "{table} was not used");
        }
        // Logout tokens are given up after their last attempt, not by their age.
        for _ in 0..10 {
            gateway.clock().advance(DAY);
            gateway.sweep().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        gateway.clock().advance(DAY * 100);
        gateway.sweep().await;
        for (table, sql) in PASSING {
            assert_eq!(count(gateway, sql).await, 0, "{table}");
        }
        assert_eq!(count(gateway, "SELECT COUNT(*) FROM users").await, 1);
    })
    .await;
}
