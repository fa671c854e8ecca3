//! Signing keys that hand over.

use std::time::Duration;

use genkan_db::testing::Scratch;
use genkan_protocol::jose::Algorithm;
use genkan_store::MIGRATIONS;
use genkan_store::signing_key::{self, Schedule};
use genkan_testkit::{Arrival, Gateway, Key, Rp, Tokens, on_each_engine};

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
    assert_eq!(browser.open(&logout).await.page().reply.status, 200);
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

/// What a hint of a key is worth, once the key has left the key set: at sign-out, and at the next
/// sign-in. `rotated` is how the keys handed over.
async fn hints_after(gateway: &Gateway, rotated: Schedule) -> (String, String, String) {
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let hint = rp.redeem(&code).await.expect_tokens().id_token().to_owned();
    let before = rs256_kids(gateway).await;
    gateway.rotate(Algorithm::Rs256, rotated).await;
    gateway.clock().advance(rotated.overlap);
    gateway
        .eventually(async || rs256_kids(gateway).await != before)
        .await;
    assert_eq!(rs256_kids(gateway).await.len(), 1);
    gateway.sweep().await;

    let hinted = rp.authorize().with("id_token_hint", &hint);
    let silent = hinted.clone().with("prompt", "none");
    let silently = browser.start(&silent).await.callback().error();
    // A person may sign in anew, whatever the hint is worth.
    let arrival = browser.start(&hinted).await;
    let callback = browser.go_on(arrival, "ada@acme.test").await.callback();
    let anew = callback.error();
    let uri = rp.post_logout_redirect_uri.clone();
    let logout = rp.logout_url(&[("id_token_hint", &hint), ("post_logout_redirect_uri", &uri)]);
    let arrival = browser.open(&logout).await;
    let sign_out = match arrival {
        Arrival::Page(page) => {
            let heading = page.heading().to_owned();
            // Who says yes is signed out, and led back.
            let back = browser.submit(&page, &[("choice", "sign_out")]).await.callback();
            assert!(back.url.as_str().starts_with(&uri), "{}", back.url);
            heading
        }
        Arrival::Application(_) => "at once".to_owned(),
    };
    (silently, anew, sign_out)
}

#[tokio::test]
async fn a_key_that_retired_in_good_order_still_vouches_for_hints() {
    let sessions = Duration::from_secs(90 * 24 * 60 * 60);
    for scratch in Scratch::each_with(MIGRATIONS).await {
        let gateway = Gateway::setup()
            .session(sessions, sessions)
            .start_on(scratch)
            .await;
        let in_order = Schedule {
            publish_lead: Duration::ZERO,
            overlap: Duration::from_secs(30 * 24 * 60 * 60),
        };
        let (silently, anew, sign_out) = hints_after(&gateway, in_order).await;
        assert_eq!((silently.as_str(), anew.as_str()), ("", ""));
        assert_eq!(sign_out, "at once");
        gateway.stop().await;
    }
}

/// RP-Initiated Logout 1.0 §6. A key that leaked must not vouch for anybody: whoever has it could
/// sign people out.
#[tokio::test]
async fn a_key_that_was_withdrawn_vouches_for_nothing_and_the_person_is_asked() {
    on_each_engine(async |gateway: &Gateway| {
        let at_once = Schedule {
            publish_lead: Duration::ZERO,
            overlap: Duration::ZERO,
        };
        let (silently, anew, sign_out) = hints_after(gateway, at_once).await;
        assert_eq!((silently.as_str(), anew.as_str()), ("login_required", ""));
        assert_eq!(sign_out, "Do you want to sign out?");
    })
    .await;
}
