//! Applications hear of the end of a session.
//!
//! Source: OpenID Connect Back-Channel Logout 1.0 §2.4 to §2.8.

use std::time::Duration;

use genkan_store::{UserId, user};
use genkan_testkit::{Browser, Gateway, Receiver, Rp, Tokens, on_each_engine};
use serde_json::json;

async fn sign_in(browser: &mut Browser, rp: &Rp) -> Tokens {
    let code = browser.sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

async fn sign_out(browser: &mut Browser, rp: &Rp, tokens: &Tokens) {
    let url = rp.logout_url(&[("id_token_hint", tokens.id_token())]);
    browser.open(&url).await.page();
}

#[tokio::test]
async fn every_application_of_the_session_gets_a_logout_token_of_its_own() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let (ears, deaf) = (Receiver::start().await, Receiver::start().await);
        let one = gateway.client("one").back_channel_logout(ears.url()).await;
        let two = gateway
            .client("two")
            .es256()
            .back_channel_logout(ears.url())
            .await;
        gateway.client("never").back_channel_logout(deaf.url()).await;
        let mut browser = gateway.browser();
        let tokens = sign_in(&mut browser, &one).await;
        sign_in(&mut browser, &two).await;
        let id = one.verify(tokens.id_token()).await;
        sign_out(&mut browser, &one, &tokens).await;

        let mut audiences = Vec::new();
        for _ in 0..2 {
            let token = ears.next().await;
            let header = jsonwebtoken::decode_header(&token).unwrap();
            assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
            let claims = one.verify(&token).await;
            audiences.push((claims["aud"][0].as_str().unwrap().to_owned(), header.alg));
            assert_eq!(claims["iss"], gateway.url());
            assert_eq!((&claims["sub"], &claims["sid"]), (&id["sub"], &id["sid"]));
            assert_eq!(claims["iat"], gateway.now().as_secs());
            assert_eq!(claims["exp"], gateway.now().as_secs() + 120);
            assert!(claims["jti"].is_string());
            let event = "http://schemas.openid.net/event/backchannel-logout";
            assert_eq!(claims["events"], json!({ event: {} }));
            // §2.4: it must not be taken for an ID token.
            assert_eq!(claims.get("nonce"), None);
        }
        audiences.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut expected = vec![
            (one.id.to_string(), jsonwebtoken::Algorithm::RS256),
            (two.id.to_string(), jsonwebtoken::Algorithm::ES256),
        ];
        expected.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        assert_eq!(audiences, expected);
        assert!(
            !deaf.has_next().await,
            "an application that nobody signed in to hears nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_token_is_sent_again_later() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let receiver = Receiver::start().await;
    let rp = gateway.client("rp").back_channel_logout(receiver.url()).await;
    let mut browser = gateway.browser();
    let tokens = sign_in(&mut browser, &rp).await;
    receiver.refuse_next(2);
    sign_out(&mut browser, &rp, &tokens).await;
    let first = rp.verify(&receiver.next().await).await;

    for rest in [5, 30] {
        // Not at once: it would only be refused again.
        gateway.app().wake_jobs();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!receiver.has_next().await);
        gateway.clock().advance(Duration::from_secs(rest));
        gateway.app().wake_jobs();
        let again = rp.verify(&receiver.next().await).await;
        assert_eq!(again["sid"], first["sid"]);
        // A token that was seen may be remembered as a replay (§2.6).
        assert_ne!(again["jti"], first["jti"]);
    }
    gateway.clock().advance(Duration::from_secs(3600));
    gateway.app().wake_jobs();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!receiver.has_next().await, "the third was accepted");
}

#[tokio::test]
async fn an_application_that_never_answers_is_given_up() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let receiver = Receiver::start().await;
    let rp = gateway.client("rp").back_channel_logout(receiver.url()).await;
    let mut browser = gateway.browser();
    let tokens = sign_in(&mut browser, &rp).await;
    receiver.refuse_next(100);
    sign_out(&mut browser, &rp, &tokens).await;
    for _ in 0..6 {
        receiver.next().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        gateway.clock().advance(Duration::from_secs(3600));
        gateway.app().wake_jobs();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!receiver.has_next().await);
    assert_eq!(
        gateway.events().await.last().unwrap(),
        "back_channel_logout.given_up"
    );
}

#[tokio::test]
async fn the_end_is_told_whoever_brought_it_about() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let receiver = Receiver::start().await;
        let rp = gateway.client("rp").back_channel_logout(receiver.url()).await;

        // Nobody used it for an hour.
        let mut browser = gateway.browser();
        let tokens = sign_in(&mut browser, &rp).await;
        let ended = rp.verify(tokens.id_token()).await;
        gateway.clock().advance(Duration::from_secs(60 * 60));
        gateway.sweep().await;
        assert_eq!(rp.verify(&receiver.next().await).await["sid"], ended["sid"]);

        // Somebody else signs in at the same browser.
        let tokens = sign_in(&mut browser, &rp).await;
        let ended = rp.verify(tokens.id_token()).await;
        let request = rp.authorize().with("prompt", "login");
        browser.sign_in_with(&request, "bob@acme.test").await;
        assert_eq!(rp.verify(&receiver.next().await).await["sid"], ended["sid"]);

        // An administrator disables the person.
        let mut browser = gateway.browser();
        let tokens = sign_in(&mut browser, &rp).await;
        let ended = rp.verify(tokens.id_token()).await;
        let (at, id) = (
            gateway.at(),
            UserId::parse(ended["sub"].as_str().unwrap()).unwrap(),
        );
        gateway
            .tx(async |tx| user::set_disabled(tx, at, &id, true).await)
            .await;
        gateway.app().wake_jobs();
        assert_eq!(rp.verify(&receiver.next().await).await["sid"], ended["sid"]);
    })
    .await;
}
