//! Signing keys that hand over.

use std::time::Duration;

use genkan_protocol::jose::Algorithm;
use genkan_store::signing_key::{self, Schedule};
use genkan_testkit::{Gateway, Key, Rp, Tokens, on_each_engine};

const HOUR: Duration = Duration::from_secs(60 * 60);
const SCHEDULE: Schedule = Schedule {
    publish_lead: HOUR,
    overlap: Duration::from_secs(24 * 60 * 60),
};

async fn rs256_kids(gateway: &Gateway) -> Vec<String> {
    let keys = gateway.get("/keys").send().await.json();
    let all = keys["keys"].as_array().unwrap().iter();
    all.filter(|key| key["alg"] == "RS256")
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn signed_in(gateway: &Gateway, rp: &Rp) -> Tokens {
    let code = gateway.browser().sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_after_it_stopped() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let before = signed_in(&gateway, &rp).await;
    let [old] = rs256_kids(&gateway).await.try_into().unwrap();
    assert_eq!(kid(&before.access_token), old);

    gateway.rotate(Algorithm::Rs256, SCHEDULE).await;
    let published = rs256_kids(&gateway).await;
    assert_eq!(published.len(), 2);
    let new = published.into_iter().find(|kid| *kid != old).unwrap();
    assert_eq!(kid(&signed_in(&gateway, &rp).await.access_token), old);

    gateway.clock().advance(HOUR);
    let after = signed_in(&gateway, &rp).await;
    assert_eq!(kid(&after.access_token), new);
    rp.verify(&after.access_token).await;
    // Applications that fetched the keys once still find the old one.
    rp.verify(before.id_token()).await;
    let logout = rp.logout_url(&[("id_token_hint", before.id_token())]);
    let mut browser = gateway.browser();
    assert_eq!(browser.open(&logout).await.page().reply.status, 200);

    // Nothing but the clock says that it is over.
    gateway.clock().advance(SCHEDULE.overlap);
    assert_eq!(rs256_kids(&gateway).await, [new.as_str()]);
    let hint = browser.open(&logout).await.page();
    assert_eq!(hint.reply.status, 400);
    gateway.sweep().await;
    assert_eq!(kid(&signed_in(&gateway, &rp).await.access_token), new);
}

#[tokio::test]
async fn a_rotation_by_another_process_takes_effect() {
    on_each_engine(async |gateway: &Gateway| {
        let before = rs256_kids(gateway).await;
        let other = gateway.another_process().await;
        let (at, now) = (gateway.at(), Duration::ZERO);
        let key = Key::Next(Algorithm::Rs256).stored(at);
        let schedule = Schedule {
            publish_lead: now,
            overlap: HOUR,
        };
        other
            .tx(async |tx| signing_key::rotate(tx, at, &key, schedule).await)
            .await
            .unwrap();
        other.close().await;
        gateway
            .eventually(async || rs256_kids(gateway).await.len() == before.len() + 1)
            .await;
    })
    .await;
}
