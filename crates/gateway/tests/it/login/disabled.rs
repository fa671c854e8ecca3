//! A disabled or deleted connection, user or application stops at once.

use genkan_protocol::EmailAddress;
use genkan_store::event::{self, Filter, Kind};
use genkan_store::{MAX_LIMIT, Page, client, user};
use genkan_testkit::{Gateway, on_each_engine};

#[tokio::test]
async fn a_disabled_connection_stops_new_logins_at_once() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        rp.redeem(&code).await.expect_tokens();

        // Three people are on their way: at the page, at the provider, back already.
        let mut at_the_page = gateway.browser();
        let identify = at_the_page.start(&rp.authorize()).await.page();
        let mut away = gateway.browser();
        let provider = away
            .start(&rp.authorize().with("domain", "acme.test"))
            .await
            .page();
        acme.set_enabled(false).await;

        let refused = at_the_page
            .submit(&identify, &[("email", "ada@acme.test")])
            .await
            .page();
        assert_eq!(refused.reply.status, 422);
        let refused = away.submit(&provider, &[("email", "ada@acme.test")]).await.page();
        assert_eq!(refused.heading(), "Your company’s sign-in is switched off");
        assert!(away.cookies.get("genkan_session").is_none());
        let request = rp
            .authorize()
            .with("connection_id", acme.connection_id().as_str());
        let callback = gateway.browser().start(&request).await.callback();
        assert_eq!(callback.error(), "connection_not_active");

        acme.set_enabled(true).await;
        let code = gateway.browser().sign_in(&rp, "ada@acme.test").await;
        rp.redeem(&code).await.expect_tokens();
    })
    .await;
}

/// An application hears the same of a place that is no more, however far the
/// login had come, and its developer finds each refusal.
#[tokio::test]
async fn a_place_that_is_no_more_is_refused_with_the_same_words_at_every_step() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let request = rp
            .authorize()
            .with("connection_id", acme.connection_id().as_str());
        // One is at the provider and comes back to the login; one has not begun.
        let mut away = gateway.browser();
        away.start(&request).await.page();
        let login = gateway.newest_login().await;
        acme.set_enabled(false).await;

        let callbacks = [
            gateway.browser().start(&request).await.callback(),
            away.open(&login).await.callback(),
        ];
        let told =
            callbacks.map(|callback| ["error", "error_description"].map(|name| callback.parameter(name)));
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0][0].as_deref(), Some("connection_not_active"));
        let filter = Filter {
            kind: Some(Kind::ClientRefused),
            ..Filter::default()
        };
        let events = gateway
            .tx(async |tx| event::list(tx, &filter, &Page::first(MAX_LIMIT)).await)
            .await;
        let reasons: Vec<_> = events.iter().map(|event| &event.data["reason"]).collect();
        assert!(
            !reasons.is_empty() && reasons.iter().all(|reason| *reason == "connection_not_active"),
            "{reasons:?}"
        );
    })
    .await;
}

/// Switching a connection off signs nobody out of what they use; and a person who
/// came by it comes to nothing else.
#[tokio::test]
async fn a_session_of_a_disabled_connection_opens_no_new_application() {
    on_each_engine(async |gateway: &Gateway| {
        let acme = gateway.organization("acme.test").with_oidc_connection().await;
        let (used, other) = (gateway.client("used").await, gateway.client("other").await);
        let mut browser = gateway.browser();
        let code = browser.sign_in(&used, "ada@acme.test").await;
        used.redeem(&code).await.expect_tokens();
        acme.set_enabled(false).await;

        let silent = |rp: &genkan_testkit::Rp| rp.authorize().with("prompt", "none");
        let again = browser.start(&silent(&used)).await.callback();
        assert!(!again.code().is_empty());
        let refused = browser.start(&silent(&other)).await.callback();
        assert_eq!(refused.error(), "login_required");
        let asked = browser.start(&other.authorize()).await.page();
        let refused = browser.submit(&asked, &[("email", "ada@acme.test")]).await.page();
        assert_eq!(refused.reply.status, 422);
        // The grant ended, and so did the way on.
        let at = gateway.at();
        gateway
            .tx(async |tx| {
                tx.exec(
                    "UPDATE grants SET revoked_at = $1",
                    genkan_db::p![at.now.as_micros()],
                )
                .await?;
                Ok(())
            })
            .await;
        let refused = browser.start(&silent(&used)).await.callback();
        assert_eq!(refused.error(), "login_required");

        acme.set_enabled(true).await;
        let callback = browser.start(&silent(&other)).await.callback();
        assert!(!callback.code().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_disabled_user_is_signed_out_and_kept_out() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let rp = gateway.client("rp").await;
        let mut browser = gateway.browser();
        let code = browser.sign_in(&rp, "ada@acme.test").await;
        let tokens = rp.redeem(&code).await.expect_tokens();
        let (at, email) = (gateway.at(), EmailAddress::parse("ada@acme.test").unwrap());
        gateway
            .tx(async |tx| {
                let ada = user::find_by_email(tx, &email).await?.unwrap();
                user::set_disabled(tx, at, &ada.id, true).await
            })
            .await;

        assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
        let silent = rp.authorize().with("prompt", "none");
        assert_eq!(browser.start(&silent).await.callback().error(), "login_required");
        let arrival = browser.start(&rp.authorize()).await;
        let page = browser.go_on(arrival, "ada@acme.test").await.page();
        assert!(
            page.html.text().contains("Your account has been disabled."),
            "{}",
            page.html.text()
        );
        let trace = gateway.login_trace().await;
        assert_eq!(
            (trace.cause.as_str(), trace.id.as_str()),
            ("user_not_active", page.reference().as_str())
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_begins_anew() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let before = rp.verify(rp.redeem(&code).await.expect_tokens().id_token()).await;
    let (at, email) = (gateway.at(), EmailAddress::parse("ada@acme.test").unwrap());
    gateway
        .tx(async |tx| {
            let ada = user::find_by_email(tx, &email).await?.unwrap();
            user::delete(tx, at, &ada.id).await
        })
        .await;
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    let after = rp.verify(rp.redeem(&code).await.expect_tokens().id_token()).await;
    assert_ne!(before["sub"], after["sub"]);
}

#[tokio::test]
async fn a_deleted_application_is_unknown_in_the_middle_of_a_login() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let arrival = browser.start(&rp.authorize()).await;
    let at = gateway.at();
    gateway.tx(async |tx| client::delete(tx, at, &rp.id).await).await;
    let page = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(page.heading(), "We do not know this application");
    assert_eq!(
        browser.start(&rp.authorize()).await.page().heading(),
        "We do not know this application"
    );
}
