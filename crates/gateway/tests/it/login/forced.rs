//! A link that signs in as somebody else switches nobody without a press.
//!
//! Mallory runs the identity provider of a company of her own, so it answers as she
//! likes, at once. Her page sends a victim's browser to it.
//!
//! Source: RFC 9700 §4.7.1; `docs/decisions/forced-sign-in.md`.

use genkan_protocol::EmailAddress;
use genkan_store::interaction::{self, Stage};
use genkan_store::{InteractionId, SessionId, connection, user};
use genkan_testkit::{
    Arrival, Authorize, Browser, Gateway, IdentityProvider, Organization, Page, Rp, Tokens, on_each_engine,
};
use insta::assert_snapshot;

pub(super) const SWITCH: &str = "Switch to another account?";
pub(super) const EVIL: &str = "https://attacker.test/";

/// Ada signed in at Acme, and Mallory with a company of her own.
pub(super) struct World<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) acme: Organization,
    pub(super) evil: Organization,
    pub(super) rp: Rp,
    /// Mallory's own provider; it runs as long as this lives.
    _provider: IdentityProvider,
}

impl<'a> World<'a> {
    pub(super) async fn new(gateway: &'a Gateway) -> Self {
        let other = IdentityProvider::start(gateway).await;
        Self {
            acme: gateway.organization("acme.test").with_oidc_connection().await,
            evil: gateway.organization("evil.test").with_connection_to(&other).await,
            rp: gateway.client("rp").await,
            _provider: other,
            gateway,
        }
    }

    /// A browser in which Ada is signed in.
    async fn adas(&self) -> (Browser, Tokens) {
        let mut browser = self.gateway.browser();
        let code = browser.sign_in(&self.rp, "ada@acme.test").await;
        let tokens = self.rp.redeem(&code).await.expect_tokens();
        (browser, tokens)
    }

    pub(super) fn at_evil(&self) -> Authorize {
        let connection = self.evil.connection_id().as_str();
        self.rp.authorize().with("connection_id", connection)
    }

    /// Follows Mallory's link to the end of what happens without a press.
    async fn forced(&self, browser: &mut Browser) -> Page {
        let arrival = browser.follow_from(EVIL, &self.at_evil().url()).await;
        browser.go_on(arrival, "mallory@evil.test").await.page()
    }

    /// Who this browser's session says is there; empty if nobody.
    async fn who(&self, browser: &mut Browser) -> String {
        let request = self.rp.authorize().with("prompt", "none");
        let callback = browser.start(&request).await.callback();
        let Some(code) = callback.parameter("code") else {
            return String::new();
        };
        let tokens = self.rp.redeem(&request.code(&code)).await.expect_tokens();
        let claims = self.rp.verify(tokens.id_token()).await;
        claims["email"].as_str().unwrap().to_owned()
    }
}

async fn user_exists(gateway: &Gateway, email: &str) -> bool {
    let email = EmailAddress::parse(email).unwrap();
    gateway
        .tx(async |tx| Ok(user::find_by_email(tx, &email).await?.is_some()))
        .await
}

async fn started(gateway: &Gateway, kind: &str) -> usize {
    gateway
        .events()
        .await
        .iter()
        .filter(|known| *known == kind)
        .count()
}

#[tokio::test]
async fn a_link_switches_nobody_and_writes_nothing_without_a_press() {
    on_each_engine(async |gateway: &Gateway| {
        let world = World::new(gateway).await;
        let (mut browser, tokens) = world.adas().await;
        let (cookie, events) = (
            browser.cookies.get("genkan_session").cloned(),
            gateway.events().await,
        );

        let page = world.forced(&mut browser).await;
        insta::allow_duplicates! {
            assert_snapshot!(page.reply.transcript(), @r#"
        200 OK
        cache-control: no-store
        rp
        Switch to another account?
        You are signed in as
        A Ada Lovelace ada@acme.test acme.test
        This sign-in would make you
        A Ada Lovelace mallory@evil.test evil.test
        Did you not start this yourself? Then stay: a link or another website may have started it. A switch signs you out as ada@acme.test, and what you enter from then on belongs to mallory@evil.test.
        Stay with ada@acme.test
        Switch to mallory@evil.test
        "#);
        }
        assert_eq!(browser.cookies.get("genkan_session"), cookie.as_ref());
        assert_eq!(gateway.events().await, events, "nothing was linked, made or ended");
        assert!(!user_exists(gateway, "mallory@evil.test").await);
        assert_eq!(world.who(&mut browser).await, "ada@acme.test");

        // She stays, and the application hears that it came to nothing.
        let callback = browser.submit(&page, &[("choice", "stay")]).await.callback();
        assert_eq!(callback.error(), "access_denied");
        assert_eq!(world.who(&mut browser).await, "ada@acme.test");
        let refreshed = world.rp.refresh(tokens.refresh_token()).await.expect_tokens();
        assert_eq!(world.rp.userinfo(&refreshed.access_token).await.status, 200);
        assert!(!user_exists(gateway, "mallory@evil.test").await);
        // The page counts once: the back button and a second press find it closed.
        for choice in ["switch", "stay"] {
            let again = browser.submit(&page, &[("choice", choice)]).await.page();
            assert_eq!(again.heading(), "This sign-in is finished");
        }
    })
    .await;
}

#[tokio::test]
async fn a_press_ends_one_session_and_begins_the_other() {
    on_each_engine(async |gateway: &Gateway| {
        let world = World::new(gateway).await;
        let (mut browser, tokens) = world.adas().await;
        let request = world.at_evil();
        let arrival = browser.follow_from(EVIL, &request.url()).await;
        let page = browser.go_on(arrival, "mallory@evil.test").await.page();
        let callback = browser.submit(&page, &[("choice", "switch")]).await.callback();
        let mallorys = world
            .rp
            .redeem(&request.code(&callback.code()))
            .await
            .expect_tokens();
        let claims = world.rp.verify(mallorys.id_token()).await;
        assert_eq!(claims["email"], "mallory@evil.test");
        assert_eq!(claims["oid"], world.evil.id.as_str());
        assert_eq!(
            world.rp.refresh(tokens.refresh_token()).await.oauth_error(),
            "invalid_grant"
        );
        assert_eq!(world.who(&mut browser).await, "mallory@evil.test");
        assert_eq!(started(gateway, "user.logout").await, 1);
        let again = browser.submit(&page, &[("choice", "switch")]).await.page();
        assert_eq!(again.heading(), "This sign-in is finished");
    })
    .await;
}

/// Whoever began it, and however the place was named.
#[tokio::test]
async fn every_way_to_name_a_place_stops_before_a_switch() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut browser, _) = world.adas().await;
    let connection = world.evil.connection_id().as_str();
    let evil = world.evil.id.as_str();
    for (name, value) in [
        ("connection_id", connection),
        ("organization_id", evil),
        ("domain", "evil.test"),
        ("domain_hint", "evil.test"),
        ("login_hint", "mallory@evil.test"),
    ] {
        for prompt in ["", "login", "select_account", "consent"] {
            let mut request = world.rp.authorize().with(name, value);
            if !prompt.is_empty() {
                request = request.with("prompt", prompt);
            }
            for from in [EVIL, "https://rp.test/"] {
                let arrival = browser.follow_from(from, &request.url()).await;
                let page = browser.go_on(arrival, "mallory@evil.test").await.page();
                assert_eq!(page.heading(), SWITCH, "{name} {prompt} {from}");
            }
        }
        let silent = world.rp.authorize().with(name, value).with("prompt", "none");
        let callback = browser.follow_from(EVIL, &silent.url()).await.callback();
        assert_eq!(callback.error(), "login_required", "{name}");
    }
    // By POST, with the session's cookie and without; an old browser; by hand.
    let query = world.at_evil().query();
    let fields: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let url = format!("{}/oauth/authorize", gateway.url());
    for from in [EVIL, gateway.url()] {
        let arrival = browser.post_from(from, &url, &fields).await;
        let page = browser.go_on(arrival, "mallory@evil.test").await.page();
        assert_eq!(page.heading(), SWITCH, "{from}");
    }
    let arrival = browser.open(&world.at_evil().url()).await;
    let page = browser.go_on(arrival, "mallory@evil.test").await.page();
    assert_eq!(page.heading(), SWITCH);
    browser.tells_site = false;
    assert_eq!(world.forced(&mut browser).await.heading(), SWITCH);
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}

#[tokio::test]
async fn who_says_in_our_form_where_they_sign_in_is_not_asked_again() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut browser, _) = world.adas().await;
    for prompt in ["login", "select_account"] {
        let request = world.rp.authorize().with("prompt", prompt);
        let mut arrival = browser.start(&request).await;
        if prompt == "select_account" {
            arrival = browser.submit(&arrival.page(), &[("choice", "other")]).await;
        }
        let callback = browser.go_on(arrival, "bob@acme.test").await.callback();
        assert_eq!(callback.error(), "", "{prompt}");
    }
    assert_eq!(world.who(&mut browser).await, "bob@acme.test");
}

#[tokio::test]
async fn only_our_own_page_in_this_browser_can_press_the_button() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    let form = page.form().clone();
    let url = page.url.join(&form.action).unwrap();
    let field = |name: &str| form.field(name).unwrap().to_owned();
    let (csrf, session, person) = (field("csrf"), field("session"), field("person"));
    let fields = |csrf| {
        [
            ("csrf", csrf),
            ("session", session.as_str()),
            ("person", person.as_str()),
            ("choice", "switch"),
        ]
    };
    // Mallory's own page, with a token of her own browser.
    let mut mallory = gateway.browser();
    let hers = mallory.follow_from(EVIL, &world.at_evil().url()).await;
    let hers = mallory.go_on(hers, "mallory@evil.test").await.page();
    let foreign = hers.form().field("csrf").unwrap().to_owned();
    for (from, token) in [
        (EVIL, csrf.as_str()),
        ("https://rp.test/", csrf.as_str()),
        (EVIL, foreign.as_str()),
        (gateway.url(), foreign.as_str()),
        (gateway.url(), ""),
    ] {
        let refused = browser.post_from(from, url.as_str(), &fields(token)).await.page();
        assert!(refused.reply.status.is_client_error(), "{from} {token}");
        assert_eq!(world.who(&mut browser).await, "ada@acme.test", "{from} {token}");
    }
    // Another browser cannot even see it.
    let elsewhere = mallory.open(page.url.as_str()).await.page();
    assert_eq!(elsewhere.heading(), "This sign-in is no longer open");
    let refused = mallory
        .post_from(gateway.url(), url.as_str(), &fields(&foreign))
        .await
        .page();
    assert_eq!(refused.reply.status, 403);
    assert!(!user_exists(&gateway, "mallory@evil.test").await);
}

/// Two clicks on one button and one on the other, all at once.
#[tokio::test]
async fn one_of_many_presses_counts() {
    on_each_engine(async |gateway: &Gateway| {
        let world = World::new(gateway).await;
        for _ in 0..4 {
            let (mut browser, _) = world.adas().await;
            let (logins, logouts) = (
                started(gateway, "user.login").await,
                started(gateway, "user.logout").await,
            );
            let page = world.forced(&mut browser).await;
            let (page, browser) = (&page, &browser);
            let presses = ["switch", "switch", "stay", "switch", "stay", "switch"];
            let answers = futures_util::future::join_all(presses.map(|choice| {
                let mut tab = browser.clone();
                async move { tab.submit(page, &[("choice", choice)]).await }
            }))
            .await;
            let answered = answers
                .iter()
                .filter(|answer| matches!(answer, Arrival::Application(_)))
                .count();
            assert_eq!(answered, 1, "the application has one answer");
            let switched = started(gateway, "user.login").await - logins;
            assert!(switched <= 1, "{switched} sessions began");
            assert_eq!(
                started(gateway, "user.logout").await - logouts,
                switched,
                "one ended for the one that began"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_shown_must_still_hold_when_the_button_is_pressed() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let switch = [("choice", "switch")];

    // In another tab Bob signed in: the page is shown anew, with his name.
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    let request = world.rp.authorize().with("prompt", "login");
    browser.sign_in_with(&request, "bob@acme.test").await;
    let again = browser.submit(&page, &switch).await.page();
    assert_eq!(again.heading(), SWITCH);
    assert!(again.html.text().contains("Stay with bob@acme.test"));
    assert_eq!(world.who(&mut browser).await, "bob@acme.test");

    // In another tab Ada signed out: then nobody is left behind.
    let (mut browser, tokens) = world.adas().await;
    let page = world.forced(&mut browser).await;
    let _ = browser
        .open(&world.rp.logout_url(&[("id_token_hint", tokens.id_token())]))
        .await;
    let again = browser.submit(&page, &switch).await.page();
    assert_eq!(again.heading(), "Is this you?");
    assert_eq!(world.who(&mut browser).await, "");

    // The connection was switched off.
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    world.evil.set_enabled(false).await;
    let refused = browser.submit(&page, &switch).await.callback();
    assert_eq!(refused.error(), "connection_not_active");
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
    world.evil.set_enabled(true).await;

    // The address is no longer of a domain of hers: the admission is decided anew.
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    let connection_id = world.evil.connection_id();
    let at = gateway.at();
    gateway
        .tx(async |tx| {
            let mut connection = connection::find(tx, connection_id).await?.unwrap();
            connection.jit_provisioning = false;
            connection::update(tx, at, &connection).await
        })
        .await;
    let arrival = browser.submit(&page, &switch).await;
    let refused = browser.go_on(arrival, "mallory@evil.test").await.page();
    assert_eq!(refused.heading(), "We could not sign you in");
    assert_eq!(gateway.login_trace().await.cause, "user_not_provisioned");
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}

#[tokio::test]
async fn a_user_who_was_disabled_meanwhile_is_not_switched_to() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let mut first = gateway.browser();
    first.sign_in_with(&world.at_evil(), "mallory@evil.test").await;
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    let (at, email) = (gateway.at(), EmailAddress::parse("mallory@evil.test").unwrap());
    gateway
        .tx(async |tx| {
            let mallory = user::find_by_email(tx, &email).await?.unwrap();
            user::set_disabled(tx, at, &mallory.id, true).await
        })
        .await;
    let refused = browser.submit(&page, &[("choice", "switch")]).await.page();
    assert!(refused.html.text().contains("Your account has been disabled."));
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}

#[tokio::test]
async fn a_page_that_was_open_for_long_leads_to_the_provider_again() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    gateway.clock().advance(interaction::CONFIRMATION_TIMEOUT);
    let again = browser.submit(&page, &[("choice", "switch")]).await.page();
    assert_eq!(again.heading(), "Sign in as anyone");
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}

/// OIDC Core §3.1.2.1: the End-User of the hint, or nobody; so nobody is asked.
#[tokio::test]
async fn a_hint_of_one_person_switches_to_no_other() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut browser, tokens) = world.adas().await;
    let request = world.at_evil().with("id_token_hint", tokens.id_token());
    let arrival = browser.start(&request).await;
    let callback = browser.go_on(arrival, "mallory@evil.test").await.callback();
    assert_eq!(callback.error(), "login_required");
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}

/// The present session answers where it may: in another tab it became the right one.
#[tokio::test]
async fn who_stays_goes_on_where_the_request_allows_it() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let mut browser = gateway.browser();
    let request = world
        .rp
        .authorize()
        .with("organization_id", world.acme.id.as_str());
    let arrival = browser.start(&request).await;
    browser.sign_in(&world.rp, "ada@acme.test").await;
    let page = browser.go_on(arrival, "bob@acme.test").await.page();
    assert_eq!(page.heading(), SWITCH);
    let callback = browser.submit(&page, &[("choice", "stay")]).await.callback();
    let tokens = world
        .rp
        .redeem(&request.code(&callback.code()))
        .await
        .expect_tokens();
    assert_eq!(world.rp.verify(tokens.id_token()).await["email"], "ada@acme.test");
}

/// The cookie that binds logins to a browser is worth nothing without the session's.
#[tokio::test]
async fn a_stolen_browser_cookie_alone_gets_no_code() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let (mut ada, tokens) = world.adas().await;
    let session_id = world.rp.verify(tokens.id_token()).await["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    let session_id = SessionId::parse(&session_id).unwrap();
    let page = ada
        .start(&world.rp.authorize().with("prompt", "login"))
        .await
        .page();
    let id = InteractionId::parse(page.url.path().strip_prefix("/login/").unwrap()).unwrap();
    // She has just come back from the provider; her browser is slow, the thief is not.
    let authenticated = Stage::Authenticated { session_id };
    gateway
        .tx(async |tx| interaction::advance(tx, &id, &Stage::Started, &authenticated).await)
        .await;
    let mut thief = gateway.browser();
    thief
        .cookies
        .plant(ada.cookies.get("genkan_browser").unwrap().clone());
    let refused = thief.open(page.url.as_str()).await.page();
    assert_eq!(refused.heading(), "This sign-in is no longer open");
    assert_eq!(ada.open(page.url.as_str()).await.callback().error(), "");
}

/// A link may fill our form in. Pressing "Continue" there is not yet a choice of one's own.
#[tokio::test]
async fn a_form_that_a_link_filled_in_switches_nobody() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let hinted = |hint: &str| world.rp.authorize().with("login_hint", hint).url();

    // White space does not make it a hint that leads nowhere.
    let (mut browser, _) = world.adas().await;
    let arrival = browser.follow_from(EVIL, &hinted(" mallory@evil.test")).await;
    let page = browser.go_on(arrival, "mallory@evil.test").await.page();
    assert_eq!(page.heading(), SWITCH);
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");

    // Neither do capital letters.
    let filled_in = async |hint: &str| {
        let (mut browser, _) = world.adas().await;
        world.evil.set_enabled(false).await;
        let form = browser.follow_from(EVIL, &hinted(hint)).await.page();
        world.evil.set_enabled(true).await;
        let arrival = browser.submit(&form, &[]).await;
        (browser, arrival)
    };
    let (mut browser, arrival) = filled_in("MALLORY@EVIL.TEST").await;
    let page = browser.go_on(arrival, "mallory@evil.test").await.page();
    assert_eq!(page.heading(), SWITCH);
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");

    // Letters that only look like the domain's are no address, so our form asks again.
    for hint in ["mallory@\u{ff45}vil.test", "mallory@evil\u{3002}test"] {
        let (mut browser, arrival) = filled_in(hint).await;
        assert_eq!(arrival.page().heading(), "Sign in", "{hint}");
        assert_eq!(world.who(&mut browser).await, "ada@acme.test");
    }

    // It leads nowhere while it is followed, so our form asks.
    let (mut browser, _) = world.adas().await;
    world.evil.set_enabled(false).await;
    let form = browser
        .follow_from(EVIL, &hinted("mallory@evil.test"))
        .await
        .page();
    assert_eq!(
        form.form().field("email"),
        Some("mallory@evil.test"),
        "filled in by the link"
    );
    world.evil.set_enabled(true).await;
    let arrival = browser.submit(&form, &[]).await;
    let page = browser.go_on(arrival, "mallory@evil.test").await.page();
    assert_eq!(page.heading(), SWITCH);
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}

/// The place of a link may come to be while its page is open; it is no less foreign then.
#[tokio::test]
async fn a_link_to_a_place_that_comes_later_asks_too() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let mut browser = gateway.browser();
    world.evil.set_enabled(false).await;
    let link = world.rp.authorize().with("login_hint", "mallory@evil.test").url();
    let form = browser.follow_from(EVIL, &link).await.page();
    world.evil.set_enabled(true).await;
    let arrival = browser.open(form.url.as_str()).await;
    let page = browser.go_on(arrival, "mallory@evil.test").await.page();
    assert_eq!(page.heading(), "Is this you?");
    assert_eq!(world.who(&mut browser).await, "");
}

/// What was proved a while ago is no proof once the company has changed something.
#[tokio::test]
async fn what_was_proved_counts_only_while_it_stands() {
    let gateway = Gateway::start().await;
    let world = World::new(&gateway).await;
    let switch = [("choice", "switch")];
    let minute = std::time::Duration::from_mins(1);

    // The connection was switched off and on again, as if by somebody who mended it.
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    gateway.clock().advance(minute);
    world.evil.set_enabled(false).await;
    world.evil.set_enabled(true).await;
    let _ = browser.submit(&page, &switch).await;
    assert_eq!(
        world.who(&mut browser).await,
        "ada@acme.test",
        "the provider is asked again"
    );

    // She has come from her provider since, and it may have said something else of her.
    let (mut browser, _) = world.adas().await;
    let page = world.forced(&mut browser).await;
    gateway.clock().advance(minute);
    gateway
        .browser()
        .sign_in_with(&world.at_evil(), "mallory@evil.test")
        .await;
    let _ = browser.submit(&page, &switch).await;
    assert_eq!(world.who(&mut browser).await, "ada@acme.test");
}
