//! Logout: for every application at once, and only as the person or their
//! application wants it.
//!
//! Source: OpenID Connect RP-Initiated Logout 1.0 §2, §3, §4, §6.

use std::time::Duration;

use genkan_testkit::{Browser, Gateway, Rp, Tokens, on_each_engine};
use insta::assert_snapshot;

async fn sign_in(browser: &mut Browser, rp: &Rp) -> Tokens {
    let code = browser.sign_in(rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens()
}

/// Whether the session still signs the browser in without a question.
async fn is_signed_in(browser: &mut Browser, rp: &Rp) -> bool {
    let request = rp.authorize().with("prompt", "none");
    let callback = browser.start(&request).await.callback();
    callback.error().is_empty()
}

#[tokio::test]
async fn a_logout_ends_it_for_every_application() {
    on_each_engine(async |gateway: &Gateway| {
        gateway.organization("acme.test").with_oidc_connection().await;
        let (one, two) = (gateway.client("one").await, gateway.client("two").await);
        let mut browser = gateway.browser();
        let (first, second) = (
            sign_in(&mut browser, &one).await,
            sign_in(&mut browser, &two).await,
        );
        let url = one.logout_url(&[
            ("id_token_hint", first.id_token()),
            ("post_logout_redirect_uri", "https://one.test/"),
            ("state", "s 1"),
        ]);
        let left = browser.open(&url).await.callback();
        assert_eq!(left.transcript(), "https://one.test/?state=s+1");

        assert_eq!(browser.cookies.get("genkan_session"), None);
        assert!(!is_signed_in(&mut browser, &two).await);
        for (rp, tokens) in [(&one, &first), (&two, &second)] {
            assert_eq!(
                rp.refresh(tokens.refresh_token()).await.oauth_error(),
                "invalid_grant"
            );
            assert_eq!(rp.userinfo(&tokens.access_token).await.status, 401);
            assert!(!rp.introspect(&tokens.access_token).await.active);
        }
        // A second logout has nothing to do, and says nothing else.
        assert_eq!(
            browser.open(&url).await.callback().transcript(),
            left.transcript()
        );
    })
    .await;
}

/// RFC 8252 §7.3: the program listens for the end of a sign-out as it did for the sign-in.
#[tokio::test]
async fn a_native_application_returns_to_a_port_of_its_own_in_production() {
    let gateway = Gateway::setup().production().start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let signed_out = vec!["http://127.0.0.1/signed-out".to_owned()];
    let native = gateway.client("cli").native();
    let native = native.change(|client| client.post_logout_redirect_uris = signed_out.clone());
    let native = native.await;
    let mut browser = gateway.browser();
    for attack in [
        "http://localhost:53412/signed-out",
        "http://127.0.0.1:53412/other",
        "http://127.0.0.1.evil.test:53412/signed-out",
        "https://127.0.0.1:53412/signed-out",
    ] {
        let tokens = sign_in(&mut browser, &native).await;
        let hint = ("id_token_hint", tokens.id_token());
        let url = native.logout_url(&[hint, ("post_logout_redirect_uri", attack)]);
        let page = browser.open(&url).await.page();
        assert_eq!(page.reply.status, 400, "{attack}");
    }
    let tokens = sign_in(&mut browser, &native).await;
    let own = "http://127.0.0.1:53412/signed-out";
    let hint = ("id_token_hint", tokens.id_token());
    let url = native.logout_url(&[hint, ("post_logout_redirect_uri", own)]);
    assert_eq!(browser.open(&url).await.callback().transcript(), own);
}

#[tokio::test]
async fn without_a_hint_the_person_is_asked() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    sign_in(&mut browser, &rp).await;
    let url = rp.logout_url(&[
        ("client_id", rp.id.as_str()),
        ("post_logout_redirect_uri", "https://rp.test/"),
        ("state", "s1"),
    ]);

    let page = browser.open(&url).await.page();
    assert_snapshot!(page.reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    rp
    Do you want to sign out?
    This signs you out of every application that you opened with this account.
    A Ada Lovelace ada@acme.test
    Sign out
    Stay signed in
    "#);
    let stayed = browser.submit(&page, &[("choice", "stay")]).await.callback();
    assert_eq!(stayed.transcript(), "https://rp.test/?state=s1");
    assert!(is_signed_in(&mut browser, &rp).await);

    let page = browser.open(&url).await.page();
    let left = browser.submit(&page, &[("choice", "sign_out")]).await.callback();
    assert_eq!(left.transcript(), "https://rp.test/?state=s1");
    assert!(!is_signed_in(&mut browser, &rp).await);
}

#[tokio::test]
async fn without_an_address_there_is_a_page() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let tokens = sign_in(&mut browser, &rp).await;
    let page = browser
        .open(&rp.logout_url(&[("id_token_hint", tokens.id_token())]))
        .await
        .page();
    assert_snapshot!(page.reply.transcript(), @r#"
    200 OK
    cache-control: no-store
    rp
    You are signed out
    You can close this window. On a shared computer, also sign out of your company’s own sign-in.
    "#);
    // Nobody is signed in here, and nobody is asked.
    let page = gateway.browser().open(&rp.logout_url(&[])).await.page();
    assert_eq!(
        (page.reply.status.as_u16(), page.heading()),
        (200, "You are signed out")
    );
}

#[tokio::test]
async fn a_foreign_address_is_neither_gone_to_nor_signed_out_for() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    gateway.client("other").await;
    let mut browser = gateway.browser();
    let tokens = sign_in(&mut browser, &rp).await;
    let client_id = ("client_id", rp.id.as_str());
    for uri in [
        "https://evil.test/",
        "https://other.test/",
        "https://rp.test",
        "https://rp.test/?x=1",
        "https://rp.test//",
        "https://rp.test/callback",
        "https://rp.test.evil.test/",
        "https://rp.test@evil.test/",
        "http://rp.test/",
        "//rp.test/",
        "/",
        "javascript:alert(1)",
        "http://localhost:4321",
    ] {
        let uri = ("post_logout_redirect_uri", uri);
        for parameters in [
            vec![("id_token_hint", tokens.id_token()), uri],
            vec![client_id, uri],
            vec![uri],
        ] {
            let page = browser.open(&rp.logout_url(&parameters)).await.page();
            assert_eq!(page.reply.status, 400, "{parameters:?}");
            assert_eq!(page.reply.header("location"), "");
        }
        // Nor from a browser without a session.
        let page = gateway
            .browser()
            .open(&rp.logout_url(&[client_id, uri]))
            .await
            .page();
        assert_eq!(page.reply.status, 400, "{uri:?}");
    }
    assert!(is_signed_in(&mut browser, &rp).await);
}

#[tokio::test]
async fn an_old_hint_counts_and_a_forged_one_does_not() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let other = gateway.client("other").await;
    let mut browser = gateway.browser();
    let tokens = sign_in(&mut browser, &rp).await;
    let parts: Vec<&str> = tokens.id_token().split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let garbled = format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len()));
    for hint in [unsigned.as_str(), &garbled, "x", &tokens.access_token] {
        let page = browser
            .open(&rp.logout_url(&[("id_token_hint", hint)]))
            .await
            .page();
        assert_eq!(page.reply.status, 400, "{hint}");
    }
    // RP-Initiated Logout §2: both must name the same application.
    let mixed = [
        ("id_token_hint", tokens.id_token()),
        ("client_id", other.id.as_str()),
    ];
    assert_eq!(
        browser.open(&rp.logout_url(&mixed)).await.page().reply.status,
        400
    );
    assert!(is_signed_in(&mut browser, &rp).await);

    gateway.clock().advance(Duration::from_secs(31 * 60));
    assert!(is_signed_in(&mut browser, &rp).await);
    browser
        .open(&rp.logout_url(&[("id_token_hint", tokens.id_token())]))
        .await
        .page();
    assert!(!is_signed_in(&mut browser, &rp).await);
}

#[tokio::test]
async fn a_hint_of_another_session_ends_the_present_one_only_if_the_person_says_so() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut elsewhere = gateway.browser();
    let code = elsewhere.sign_in(&rp, "bob@acme.test").await;
    let bobs = rp.redeem(&code).await.expect_tokens();
    let mut browser = gateway.browser();
    // Ada is signed in to another application.
    let other = gateway.client("other").await;
    sign_in(&mut browser, &other).await;

    let url = rp.logout_url(&[
        ("id_token_hint", bobs.id_token()),
        ("post_logout_redirect_uri", "https://rp.test/"),
    ]);
    let page = browser.open(&url).await.page();
    assert_eq!(page.heading(), "Do you want to sign out?");
    assert!(page.html.text().contains("ada@acme.test"));
    assert!(is_signed_in(&mut browser, &other).await);
    // The question remembers whose address it was.
    let left = browser.submit(&page, &[("choice", "sign_out")]).await.callback();
    assert_eq!(left.transcript(), "https://rp.test/");
    assert!(!is_signed_in(&mut browser, &other).await);
}

/// RP-Initiated Logout §6.
#[tokio::test]
async fn another_site_cannot_sign_people_out() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    sign_in(&mut browser, &rp).await;
    let evil = "https://evil.test/";
    let logout = rp.logout_url(&[]);
    let mut eve = gateway.browser();
    let code = eve.sign_in(&rp, "eve@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    let page = eve.open(&logout).await.page();
    let eves_token = page.form().field("csrf").unwrap().to_owned();

    let link = browser.follow_from(evil, &logout).await.page();
    assert_eq!(link.heading(), "Do you want to sign out?");
    for token in ["", "x", eves_token.as_str()] {
        let fields = [("choice", "sign_out"), ("csrf", token)];
        let _ = browser.post_from(evil, &logout, &fields).await;
        assert!(is_signed_in(&mut browser, &rp).await, "{token}");
        // Not even from a page of our own host.
        let page = browser.post_from(gateway.url(), &logout, &fields).await.page();
        assert_eq!(page.heading(), "Do you want to sign out?");
        assert!(is_signed_in(&mut browser, &rp).await, "{token}");
    }
    let _ = browser.embed_on(evil, &logout).await;
    assert!(is_signed_in(&mut browser, &rp).await);
}

#[tokio::test]
async fn a_post_is_read_like_a_get() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let tokens = sign_in(&mut browser, &rp).await;
    let fields = [
        ("id_token_hint", tokens.id_token()),
        ("post_logout_redirect_uri", "https://rp.test/"),
    ];
    let url = rp.logout_url(&[]);
    // From the application's page: the cookie does not come along, the hint does.
    let left = browser
        .post_from("https://rp.test/", &url, &fields)
        .await
        .callback();
    assert_eq!(left.transcript(), "https://rp.test/");
    assert!(!is_signed_in(&mut browser, &rp).await);
}
