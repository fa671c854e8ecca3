//! Attacks by other sites through a person's browser: beginning a sign-in, signing in as
//! somebody else, or calling us by a name of theirs.

use std::time::Duration;

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use openneko::web::app::Config;
use openneko::web::settings::PublicUrl;
use serde_json::json;

use super::support::{Browser, HTML, ORIGIN, World, ada, config, identity, on_each_engine, token, with};

const BEGIN: &str = "/api/auth/begin";
const SWITCH: &str = "/signin/switch";
const MALLORY: &str = "/api/auth/begin?loginHint=mallory%40evil.test&returnTo=%2Fx";

fn begun(world: &World) -> usize {
    world.stage.lock().begun.len()
}

#[tokio::test]
async fn a_link_of_another_site_begins_nothing_before_a_button_that_names_whom() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        for from in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("referer", "https://evil.test/"),
            ("origin", "null"),
        ] {
            let asked = browser.send("GET", MALLORY, &[HTML, from], "").await;
            assert_eq!(asked.status, StatusCode::OK, "{from:?}");
            assert!(
                asked.body.contains("as <strong>mallory@evil.test</strong>"),
                "{}",
                asked.body
            );
            assert_eq!(asked.body.matches("<button").count(), 1);
            assert_eq!(begun(&world), 0, "{from:?}");
        }
        let program = [("accept", "*/*"), ("sec-fetch-site", "cross-site")];
        let refused = browser.send("GET", BEGIN, &program, "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);

        let asked = browser
            .send("GET", MALLORY, &[HTML, ("sec-fetch-site", "cross-site")], "")
            .await;
        let form = format!("token={}&returnTo=%2Fx", token(&asked.body, BEGIN));
        let gone = browser.post(BEGIN, &form).await;
        assert_eq!(gone.status, StatusCode::SEE_OTHER);
        assert_eq!(begun(&world), 1);
        assert_eq!(world.stage.lock().begun[0].login_hint, None);
    })
    .await;
}

#[tokio::test]
async fn our_own_pages_and_programs_begin_without_being_asked() {
    on_each_engine(async |db| {
        let world = World::new(db);
        for from in [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("referer", "http://localhost:3000/signin"),
            ("user-agent", "an old browser"),
        ] {
            let answer = world.browser().send("GET", MALLORY, &[HTML, from], "").await;
            assert_eq!(answer.status, StatusCode::FOUND, "{from:?}");
        }
        let browser = world.browser();
        let door = browser.get("/signin?returnTo=/x").await.body;
        let form = format!(
            "token={}&returnTo=%2Fx&loginHint=ada%40acme.test",
            token(&door, BEGIN)
        );
        let answer = browser.post(BEGIN, &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let hint = world.stage.lock().begun.last().unwrap().login_hint.clone();
        assert_eq!(hint.as_deref(), Some("ada@acme.test"));
        // Two pages of one browser have one cookie, and both work.
        let again = browser.get("/signin").await;
        assert!(!again.headers.contains_key(header::SET_COOKIE));
        assert_eq!(browser.post(BEGIN, &form).await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

#[tokio::test]
async fn a_form_that_is_not_of_our_page_begins_nothing() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (browser, eve) = (world.browser(), world.browser());
        let own = format!("token={}", token(&browser.get("/signin").await.body, BEGIN));
        let of_eve = format!("token={}", token(&eve.get("/signin").await.body, BEGIN));
        for body in ["", "token=", "token=AAAA", &of_eve, &format!("{own}&{own}")] {
            let asked = browser.post(BEGIN, body).await;
            assert_eq!(asked.status, StatusCode::OK, "{body}");
            assert!(asked.body.contains("Do you want to sign in?"), "{body}");
        }
        for from in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
            let asked = browser.send("POST", BEGIN, &[HTML, from], &own).await;
            assert_eq!(asked.status, StatusCode::OK, "{from:?}");
        }
        assert_eq!(world.browser().post(BEGIN, &own).await.status, StatusCode::OK);
        assert_eq!(begun(&world), 0);
    })
    .await;
}

/// A browser with Ada's session that came back from a sign-in of Mallory's.
async fn at_the_question(world: &World) -> Browser<'_> {
    let browser = world.browser();
    world.says(with(&ada(), &json!({ "orgId": "org_ACME" })));
    assert_eq!(browser.sign_in().await.location(), "/");
    world.says(with(
        &identity("s-mallory", "mallory@evil.test"),
        &json!({ "orgId": "org_EVIL" }),
    ));
    let back = {
        let state = browser.begin("?returnTo=%2Fnext").await;
        browser.back(&state).await
    };
    assert_eq!((back.status, back.location()), (StatusCode::FOUND, SWITCH));
    browser
}

#[tokio::test]
async fn nobody_becomes_somebody_else_without_a_button_that_names_both() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = at_the_question(&world).await;
        let victim = browser.cookie("openneko_session");
        assert_eq!(browser.user().await["email"], "ada@acme.test");

        let page = browser.get(SWITCH).await.body;
        for part in ["ada@acme.test", "org_ACME", "mallory@evil.test", "org_EVIL"] {
            assert!(page.contains(part), "{part} in {page}");
        }
        // Opening the page, coming back and leaving it change nothing.
        browser.get(SWITCH).await;
        assert_eq!(browser.user().await["email"], "ada@acme.test");
        for body in ["", "token=AAAA"] {
            let refused = browser.post(SWITCH, body).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{body}");
        }
        let form = format!("token={}", token(&page, SWITCH));
        let foreign = [HTML, ("sec-fetch-site", "cross-site")];
        let refused = browser.send("POST", SWITCH, &foreign, &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(browser.user().await["email"], "ada@acme.test");
        assert_eq!(world.events().await.last().unwrap(), "user_created");

        let gone = browser.post(SWITCH, &form).await;
        assert_eq!((gone.status, gone.location()), (StatusCode::SEE_OTHER, "/next"));
        assert_eq!(browser.user().await["email"], "mallory@evil.test");
        assert_eq!(world.events().await.last().unwrap(), "sign_in");
        // The old session is over on the server, too; and the word is used up.
        let thief = world.browser();
        let cookie = ("openneko_session".to_owned(), victim);
        thief.cookies.lock().extend([cookie]);
        assert!(thief.user().await.is_null());
        assert_eq!(browser.get(SWITCH).await.location(), "/");
    })
    .await;
}

#[tokio::test]
async fn the_same_person_or_nobody_is_not_asked() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        for _ in 0..2 {
            assert_eq!(browser.sign_in().await.location(), "/");
        }
        // Ended, though the cookie is still there.
        let cookie = browser.cookie("openneko_session");
        browser.post("/api/auth/logout", "").await;
        let cookie = ("openneko_session".to_owned(), cookie);
        browser.cookies.lock().extend([cookie]);
        world.says(identity("s-bob", "bob@acme.test"));
        assert_eq!(browser.sign_in().await.location(), "/");
        assert_eq!(browser.user().await["email"], "bob@acme.test");
    })
    .await;
}

#[tokio::test]
async fn a_question_counts_in_its_browser_for_ten_minutes_and_for_who_may_enter() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = at_the_question(&world).await;
        let word = browser.cookie("openneko_switch");
        // Bob's browser with Ada's question.
        world.says(identity("s-bob", "bob@acme.test"));
        let bob = world.browser();
        assert_eq!(bob.sign_in().await.location(), "/");
        let cookie = ("openneko_switch".to_owned(), word);
        bob.cookies.lock().extend([cookie.clone()]);
        assert_eq!(bob.get(SWITCH).await.location(), "/");

        let page = browser.get(SWITCH).await.body;
        let form = format!("token={}", token(&page, SWITCH));
        bob.cookies.lock().extend([cookie]);
        assert_eq!(bob.post(SWITCH, &form).await.status, StatusCode::FORBIDDEN);
        world.advance(Duration::from_secs(600));
        assert_eq!(browser.get(SWITCH).await.location(), "/");
        assert_eq!(browser.user().await["email"], "ada@acme.test");

        let browser = at_the_question(&world).await;
        let form = format!("token={}", token(&browser.get(SWITCH).await.body, SWITCH));
        let disabled = world.app.db().tx(async |tx| {
            tx.exec(
                "UPDATE app_user SET disabled_at = 1 WHERE email_key = 'mallory@evil.test'",
                &[],
            )
            .await
        });
        assert_eq!(disabled.await.unwrap(), 1);
        assert_eq!(browser.post(SWITCH, &form).await.error(), "user_disabled");
        assert_eq!(browser.user().await["email"], "ada@acme.test");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_presses_one_goes_on() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = at_the_question(&world).await;
        let form = format!("token={}", token(&browser.get(SWITCH).await.body, SWITCH));
        let cookies: Vec<_> = browser
            .cookies
            .lock()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let racers = (0..100).map(|_| {
            let (form, cookies, world) = (&form, &cookies, &world);
            async move {
                let headers = [HTML, ("origin", ORIGIN), ("cookie", cookies.as_str())];
                world.browser().send("POST", SWITCH, &headers, form).await
            }
        });
        let answers = join_all(racers).await;
        let won = answers
            .iter()
            .filter(|answer| answer.location() == "/next")
            .count();
        assert_eq!(won, 1);
        let sign_ins = world.events().await;
        assert_eq!(sign_ins.iter().filter(|event| *event == "sign_in").count(), 2);
    })
    .await;
}

/// DNS rebinding: a page has its own name lead to 127.0.0.1.
#[tokio::test]
async fn a_server_of_this_machine_has_no_foreign_name() {
    on_each_engine(async |db| {
        let world = World::new(db.clone());
        let browser = world.browser();
        browser.sign_in().await;
        for path in ["/", "/signin", "/api/auth/session", "/api/auth/begin", "/health"] {
            for host in ["rebind.evil.test:3000", "192.168.0.1", "localhost.evil.test"] {
                let answer = browser.send("GET", path, &[HTML, ("host", host)], "").await;
                assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
                assert!(!answer.body.contains("ada@acme.test"), "{host} {path}");
            }
        }
        for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000"] {
            let answer = browser.send("GET", "/", &[HTML, ("host", host)], "").await;
            assert_eq!(answer.status, StatusCode::OK, "{host}");
        }
        // Others reach this one by any name that its proxy takes.
        let public = Config {
            public_url: Some(PublicUrl::parse("https://neko.test").unwrap()),
            ..config()
        };
        let public = World::with(db, public);
        let answer = public
            .browser()
            .send("GET", "/signin", &[HTML, ("host", "backend:3000")], "")
            .await;
        assert_eq!(answer.status, StatusCode::OK);
    })
    .await;
}
