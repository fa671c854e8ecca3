//! A sign-in that another site begins in a browser without a session: the person is asked
//! once, and never after an application's own button.
//!
//! Source: Fetch Metadata Request Headers §2.4; `docs/decisions/forced-sign-in.md`.

use std::time::Duration;

use genkan_db::p;
use genkan_protocol::EmailAddress;
use genkan_store::{familiar, membership, user};
use genkan_testkit::{Arrival, Authorize, Browser, Gateway, Person, on_each_engine};
use insta::assert_snapshot;
use serde_json::json;

use super::forced::{EVIL, World};

const IS_THIS_YOU: &str = "Is this you?";

/// Where a link from `page` ends without a press: at our page, or at the application.
async fn ends(browser: &mut Browser, page: &str, request: &Authorize, email: &str) -> Option<String> {
    let arrival = browser.follow_from(page, &request.url()).await;
    heading(browser.go_on(arrival, email).await)
}

fn heading(arrival: Arrival) -> Option<String> {
    match arrival {
        Arrival::Page(page) => Some(page.heading().to_owned()),
        Arrival::Application(callback) => {
            callback.code();
            None
        }
    }
}

#[tokio::test]
async fn a_stranger_is_named_before_they_are_signed_in() {
    on_each_engine(async |gateway: &Gateway| {
        let world = World::new(gateway).await;
        let mut browser = gateway.browser();
        let events = gateway.events().await;
        let request = world.at_evil();
        let arrival = browser.follow_from(EVIL, &request.url()).await;
        let page = browser.go_on(arrival, "mallory@evil.test").await.page();
        insta::allow_duplicates! {
            assert_snapshot!(page.reply.transcript(), @r#"
        200 OK
        cache-control: no-store
        rp
        Is this you?
        A link or another website has started this sign-in to rp. You would be signed in as
        A Ada Lovelace mallory@evil.test evil.test
        If you do not know this account, do not sign in: what you enter would be seen by somebody else.
        Continue as mallory@evil.test
        Do not sign in
        "#);
        }
        assert!(browser.cookies.get("genkan_session").is_none());
        assert_eq!(gateway.events().await, events);
        let callback = browser.submit(&page, &[("choice", "stay")]).await.callback();
        assert_eq!(callback.error(), "access_denied");
        assert!(browser.cookies.get("genkan_session").is_none());

        // One press, and never again in this browser: the connection is remembered.
        let arrival = browser.follow_from(EVIL, &request.url()).await;
        let page = browser.go_on(arrival, "mallory@evil.test").await.page();
        let callback = browser.submit(&page, &[("choice", "switch")]).await.callback();
        let code = request.code(&callback.code());
        let tokens = world.rp.redeem(&code).await.expect_tokens();
        let sign_out = world.rp.logout_url(&[("id_token_hint", tokens.id_token())]);
        let _ = browser.open(&sign_out).await;
        let ended = ends(&mut browser, EVIL, &request, "mallory@evil.test").await;
        assert_eq!(ended, None);

        // It is forgotten one day, and another browser never knew it.
        gateway.clock().advance(familiar::REMEMBERED);
        gateway.sweep().await;
        for browser in [&mut browser, &mut gateway.browser()] {
            let ended = ends(browser, EVIL, &request, "mallory@evil.test").await;
            assert_eq!(ended.as_deref(), Some(IS_THIS_YOU));
        }
    })
    .await;
}

#[tokio::test]
async fn an_applications_own_button_is_not_asked_about() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let rp = gateway
        .client("notes")
        .change(|client| {
            client
                .redirect_uris
                .push("https://*.tenants.test/callback".to_owned());
            client.post_logout_redirect_uris = vec!["https://bye.test/".to_owned()];
            client.initiate_login_uri = Some("https://start.test/login".to_owned());
        })
        .await;
    let acme = world.acme.connection_id().as_str();
    let request = rp.authorize().with("connection_id", acme);
    for own in [
        "https://notes.test/deep/page?x=1",
        "https://acme.tenants.test/",
        "https://bye.test/",
        "https://start.test/",
    ] {
        let ended = ends(&mut gateway.browser(), own, &request, "ada@acme.test").await;
        assert_eq!(ended, None, "{own}");
    }
    for foreign in [
        "https://notes.test:8443/",
        "http://notes.test/",
        "https://notes.test.attacker.test/",
        "https://a.b.tenants.test/",
        "https://tenants.test/",
        "https://rp.test/",
    ] {
        let ended = ends(&mut gateway.browser(), foreign, &request, "ada@acme.test").await;
        assert_eq!(ended.as_deref(), Some(IS_THIS_YOU), "{foreign}");
    }
    // A page that hides where it is: once, then the connection is remembered.
    let mut browser = gateway.browser();
    let arrival = browser
        .follow_silently_from("https://notes.test/", &request.url())
        .await;
    let page = browser.go_on(arrival, "ada@acme.test").await.page();
    assert_eq!(page.heading(), IS_THIS_YOU);
    let callback = browser.submit(&page, &[("choice", "switch")]).await.callback();
    assert_eq!(callback.error(), "");
    let again = request.with("prompt", "login");
    let arrival = browser
        .follow_silently_from("https://notes.test/", &again.url())
        .await;
    assert_eq!(heading(browser.go_on(arrival, "ada@acme.test").await), None);
}

#[tokio::test]
async fn what_counts_as_another_sites_choice() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (connection, organization) = (world.evil.connection_id().as_str(), world.evil.id.as_str());
    for (name, value) in [
        ("connection_id", connection),
        ("organization_id", organization),
        ("domain", "evil.test"),
        ("domain_hint", "evil.test"),
        ("login_hint", "mallory@evil.test"),
    ] {
        let request = world.rp.authorize().with(name, value);
        let ended = ends(&mut gateway.browser(), EVIL, &request, "mallory@evil.test").await;
        assert_eq!(ended.as_deref(), Some(IS_THIS_YOU), "{name}");
        // The form of another site, which brings no cookies.
        let query = request.query();
        let fields: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let url = format!("{}/oauth/authorize", gateway.url());
        let mut browser = gateway.browser();
        let arrival = browser.post_from(EVIL, &url, &fields).await;
        let ended = heading(browser.go_on(arrival, "mallory@evil.test").await);
        assert_eq!(ended.as_deref(), Some(IS_THIS_YOU), "{name} by POST");
        // A browser that does not say where it comes from; an address that was typed.
        let mut old = gateway.browser();
        old.tells_site = false;
        assert_eq!(
            ends(&mut old, EVIL, &request, "mallory@evil.test").await,
            None,
            "{name}"
        );
        let mut typed = gateway.browser();
        let arrival = typed.open(&request.url()).await;
        assert_eq!(
            heading(typed.go_on(arrival, "mallory@evil.test").await),
            None,
            "{name}"
        );
        let silent = request.with("prompt", "none");
        let callback = gateway
            .browser()
            .follow_from(EVIL, &silent.url())
            .await
            .callback();
        assert_eq!(callback.error(), "login_required", "{name}");
    }
    // No place named, or none that is known: our own form asks.
    for hint in ["", "somebody@nowhere.test"] {
        let mut request = world.rp.authorize();
        if !hint.is_empty() {
            request = request.with("login_hint", hint);
        }
        assert_eq!(
            ends(&mut gateway.browser(), EVIL, &request, "ada@acme.test").await,
            None
        );
    }
}

/// A person who belongs to both, and a link that would move what they enter.
#[tokio::test]
async fn the_same_person_is_not_moved_to_another_organization() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let mut browser = gateway.browser();
    browser.sign_in(&world.rp, "ada@acme.test").await;
    let (ada, at) = (EmailAddress::parse("ada@acme.test").unwrap(), gateway.at());
    let (evil, connection) = (&world.evil.id, world.evil.connection_id());
    gateway
        .tx(async |tx| {
            let ada = user::find_by_email(tx, &ada).await?.unwrap();
            membership::insert(tx, at, evil, &ada.id).await?;
            tx.exec(
                "INSERT INTO identities (connection_id, subject, user_id, attributes, created_at, last_login_at)
                 VALUES ($1, 'ada-at-evil', $2, '{}', $3, $3)",
                p![connection, &ada.id, at.now.as_micros()],
            )
            .await?;
            Ok(())
        })
        .await;
    let person = Person::new("ada@acme.test").with_claims(&json!({ "sub": "ada-at-evil" }));
    let arrival = browser.follow_from(EVIL, &world.at_evil().url()).await;
    let page = browser.go_on(arrival, &person).await.page();
    assert_snapshot!(page.html.text(), @r#"
    rp
    Switch to another organization?
    You are signed in as
    A Ada Lovelace ada@acme.test acme.test
    This sign-in would make you
    A Ada Lovelace ada@acme.test evil.test
    Did you not start this yourself? Then stay: a link or another website may have started it. What you enter after a switch belongs to the other organization.
    Stay with acme.test
    Switch to evil.test
    "#);
    // The application's own button moves them at once, in the same session.
    let arrival = browser.start(&world.at_evil()).await;
    assert_eq!(heading(browser.go_on(arrival, &person).await), None);
}

#[tokio::test]
async fn a_link_to_a_test_signs_nobody_in() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let mut browser = gateway.browser();
    browser.sign_in(&world.rp, "ada@acme.test").await;
    let cookie = browser.cookies.get("genkan_session").cloned();
    let test = format!(
        "{}/sso/v1/oidc/{}/test",
        gateway.url(),
        world.evil.connection_id()
    );
    let arrival = browser.follow_from(EVIL, &test).await;
    let _ = browser.go_on(arrival, "mallory@evil.test").await;
    assert_eq!(browser.cookies.get("genkan_session"), cookie.as_ref());
}

#[tokio::test]
async fn an_agreement_covers_one_request_at_one_connection_for_a_while() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut browser, request) = (gateway.browser(), world.at_evil());
    let agree = async |browser: &Browser, wait: Duration| {
        let cookie = browser.cookies.get("genkan_browser").unwrap().value.clone();
        let hash = genkan_store::Secret::from_presented(cookie).sha256();
        let (now, connection) = (gateway.now(), world.evil.connection_id());
        gateway
            .tx(async |tx| familiar::agree(tx, &hash, connection, now).await)
            .await;
        gateway.clock().advance(wait);
    };
    // The browser has its cookie from a visit before.
    let _ = browser.start(&world.rp.authorize()).await;
    for (wait, covered) in [(Duration::ZERO, true), (familiar::AGREED, false)] {
        agree(&browser, wait).await;
        // Not for another connection.
        let acme = world.acme.connection_id().as_str();
        let elsewhere = world.rp.authorize().with("connection_id", acme);
        let ended = ends(&mut browser.clone(), EVIL, &elsewhere, "ada@acme.test").await;
        assert_eq!(ended.as_deref(), Some(IS_THIS_YOU));
        let mut tab = browser.clone();
        let arrival = tab.follow_from(EVIL, &request.url()).await;
        // A second request while the first is under way is not covered any more.
        let ended = ends(&mut browser.clone(), EVIL, &request, "mallory@evil.test").await;
        assert_eq!(ended.as_deref(), Some(IS_THIS_YOU));
        let ended = heading(tab.go_on(arrival, "mallory@evil.test").await);
        assert_eq!(ended.is_none(), covered, "{wait:?}");
        gateway.clock().advance(familiar::REMEMBERED);
    }
}

/// Whoever accepts an invitation has pressed a button of ours.
#[tokio::test]
async fn the_press_of_an_invitation_covers_the_sign_in_that_follows() {
    let gateway = Gateway::start().await;
    let acme = gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let (_, link) = super::invitation::invite(&gateway, &acme.id).await;
    let mut browser = gateway.browser();
    let page = browser.open(&link).await.page();
    let request = rp.authorize().with("login_hint", "ada@acme.test");
    // Looking is no press.
    let mut tab = browser.clone();
    let arrival = tab.follow_silently_from("https://rp.test/", &request.url()).await;
    let ended = heading(tab.go_on(arrival, "ada@acme.test").await);
    assert_eq!(ended.as_deref(), Some(IS_THIS_YOU));

    let joined = browser.submit(&page, &[]).await.page();
    assert!(joined.heading().starts_with("You have joined "));
    let arrival = browser
        .follow_silently_from("https://rp.test/", &request.url())
        .await;
    assert_eq!(heading(browser.go_on(arrival, "ada@acme.test").await), None);
}
