//! One session for all applications of a browser.
//!
//! Source: OIDC Core §3.1.2.3; `docs/decisions/account-linking.md`, "One browser".

use genkan_testkit::{Gateway, on_each_engine};

#[tokio::test]
async fn a_second_application_signs_in_without_a_prompt() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let (one, two) = (gateway.client("one").await, gateway.client("two").spa().await);
        let mut browser = gateway.browser();
        let code = browser.sign_in(&one, "ada@acme.test").await;
        let first = one
            .verify(one.redeem(&code).await.expect_tokens().id_token())
            .await;

        let before = browser.trail.len();
        let request = two.authorize();
        let callback = browser.start(&request).await.callback();
        assert_eq!(
            browser.trail.len(),
            before + 1,
            "one redirect, no page: {:?}",
            browser.trail
        );
        let tokens = two.redeem(&request.code(&callback.code())).await.expect_tokens();
        let second = two.verify(tokens.id_token()).await;
        for same in ["sub", "sid", "oid", "auth_time", "amr"] {
            assert_eq!(first[same], second[same], "{same}");
        }
        assert_eq!(second["oid"], acme.id.as_str());
        assert_ne!(first["aud"], second["aud"]);
    })
    .await;
}

#[tokio::test]
async fn another_browser_has_a_session_of_its_own() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut desk = gateway.browser();
    let mut phone = gateway.browser();
    let code = desk.sign_in(&rp, "ada@acme.test").await;
    let on_desk = rp.verify(rp.redeem(&code).await.expect_tokens().id_token()).await;
    assert_eq!(phone.start(&rp.authorize()).await.page().heading(), "Sign in");
    let code = phone.sign_in(&rp, "ada@acme.test").await;
    let on_phone = rp.redeem(&code).await.expect_tokens();
    assert_ne!(on_desk["sid"], rp.verify(on_phone.id_token()).await["sid"]);
    assert_eq!(on_desk["sub"], rp.verify(on_phone.id_token()).await["sub"]);

    // The end of one is not the end of the other.
    let _ = phone
        .open(&rp.logout_url(&[("id_token_hint", on_phone.id_token())]))
        .await;
    let silent = rp.authorize().with("prompt", "none");
    assert_eq!(desk.start(&silent).await.callback().error(), "");
    assert_eq!(phone.start(&silent).await.callback().error(), "login_required");
}

/// A frame of another site gets no session, and no way around the question.
#[tokio::test]
async fn another_sites_frame_is_a_stranger() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let silent = rp.authorize().with("prompt", "none");
    let framed = browser
        .embed_on("https://evil.test/", &silent.url())
        .await
        .callback();
    assert_eq!(framed.error(), "login_required");
    let posted = browser
        .post_from("https://evil.test/", &silent.url(), &[])
        .await
        .page();
    assert_eq!(posted.reply.status, 400);
}

#[tokio::test]
async fn a_person_is_a_user_once_whatever_the_application() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut subjects = Vec::new();
    for _ in 0..2 {
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        subjects.push(rp.verify(tokens.id_token()).await["sub"].clone());
    }
    assert_eq!(subjects[0], subjects[1]);
    let code = gateway.browser().sign_in(&rp, "bob@acme.test").await;
    let access = rp
        .verify(&rp.redeem(&code).await.expect_tokens().access_token)
        .await;
    assert_ne!(access["sub"], subjects[0]);
    // The first of an organization is its admin, the others are members.
    assert_eq!(access["roles"], serde_json::json!(["member"]));
    let events = acme.events().await;
    let memberships = events
        .iter()
        .filter(|kind| *kind == "user.organization_membership_created");
    assert_eq!(memberships.count(), 2);
}
