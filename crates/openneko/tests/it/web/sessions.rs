//! Sessions: their cookie, their end, and what happens to them meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use genkan_web::listener::TrustedProxies;
use openneko::web::app::Config;
use openneko::web::store::session::Lifetimes;
use openneko::web::store::{first_admin, write};

use super::support::{HTML, ORIGIN, T0, World, config, identity, on_each_engine};

const SESSION: &str = "openneko_session";

#[tokio::test]
async fn the_cookie_is_the_documented_one() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let answer = browser.sign_in().await;
        let id = browser.user().await["id"].as_str().unwrap().to_owned();
        assert!(
            id.starts_with("usr_") && id.len() == 16 && !id.contains('.'),
            "{id}"
        );
        let value = browser.cookie(SESSION);
        assert_eq!(value, world.keys.session_cookie(&id, T0 + 43_200));
        let lines: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().collect();
        let line = lines[0].to_str().unwrap();
        assert_eq!(
            line,
            format!("{SESSION}={value}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax")
        );
    })
    .await;
}

#[tokio::test]
async fn sign_out_ends_the_session_on_the_server() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        let stolen = browser.cookie(SESSION);
        let answer = browser
            .send("POST", "/api/auth/logout", &[("origin", ORIGIN)], "")
            .await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, r#"{"ok":true}"#)
        );
        assert!(browser.cookies.lock().is_empty());

        let thief = world.browser();
        thief.cookies.lock().insert(SESSION.to_owned(), stolen);
        assert!(thief.user().await.is_null());
        assert_eq!(thief.get("/").await.location(), "/signin");
        assert_eq!(world.events().await, ["user_created", "sign_in", "sign_out"]);
    })
    .await;
}

#[tokio::test]
async fn a_form_signs_out_to_a_page_and_another_site_cannot() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        for header in [
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let answer = browser
                .send("POST", "/api/auth/logout", &[HTML, header], "")
                .await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{header:?}");
        }
        assert!(!browser.user().await.is_null());
        assert_eq!(
            browser.get("/api/auth/logout").await.status,
            StatusCode::METHOD_NOT_ALLOWED
        );
        let answer = browser.post("/api/auth/logout", "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(
            browser
                .get(answer.location())
                .await
                .body
                .contains("You are signed out")
        );
    })
    .await;
}

#[tokio::test]
async fn sessions_that_begin_in_one_second_end_one_by_one() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (one, two, three) = (world.browser(), world.browser(), world.browser());
        for browser in [&one, &two, &three] {
            browser.sign_in().await;
        }
        assert_ne!(one.cookie(SESSION), two.cookie(SESSION));
        let ended = two.cookie(SESSION);
        two.post("/api/auth/logout", "").await;
        assert!(!one.user().await.is_null() && !three.user().await.is_null());
        // The second that was given up is never given out again.
        two.sign_in().await;
        assert_ne!(two.cookie(SESSION), ended);
        two.cookies.lock().insert(SESSION.to_owned(), ended);
        assert!(two.user().await.is_null());
    })
    .await;
}

#[tokio::test]
async fn a_new_sign_in_ends_the_browsers_old_session() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        let old = browser.cookie(SESSION);
        browser.sign_in().await;
        assert_ne!(browser.cookie(SESSION), old);
        browser.cookies.lock().insert(SESSION.to_owned(), old);
        assert!(browser.user().await.is_null());
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_for_want_of_use_and_by_its_age() {
    on_each_engine(async |db| {
        let lifetimes = Lifetimes {
            absolute: Duration::from_secs(12 * 3600),
            idle: Duration::from_secs(3600),
        };
        let world = World::with(
            db,
            Config {
                lifetimes,
                ..config()
            },
        );
        let (idle, busy) = (world.browser(), world.browser());
        idle.sign_in().await;
        busy.sign_in().await;
        for _ in 0..23 {
            world.advance(Duration::from_secs(1800));
            assert!(!busy.user().await.is_null());
        }
        assert!(idle.user().await.is_null());
        world.advance(Duration::from_secs(1800));
        assert!(busy.user().await.is_null(), "twelve hours are the end");
    })
    .await;
}

#[tokio::test]
async fn a_forged_or_doubled_cookie_opens_nothing() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        let good = browser.cookie(SESSION);
        let id = browser.user().await["id"].as_str().unwrap().to_owned();
        // Well made, but no session of ours: the record is missing.
        let unknown = world.keys.session_cookie(&id, T0 + 40_000);
        for cookie in [
            format!("{SESSION}={unknown}"),
            format!("{SESSION}={good}; {SESSION}={unknown}"),
            format!("{SESSION}={good}x"),
            format!("{SESSION}="),
        ] {
            let answer = world
                .browser()
                .send("GET", "/api/auth/session", &[("cookie", &cookie)], "")
                .await;
            assert!(answer.json()["user"].is_null(), "{cookie}");
        }
        let answer = world
            .browser()
            .send(
                "GET",
                "/api/auth/session",
                &[("cookie", &format!("{SESSION}={good}"))],
                "",
            )
            .await;
        assert_eq!(answer.json()["user"]["id"], id.as_str());
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_swept_away() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        browser.begin("").await;
        world.says(identity("s-eve", "eve@acme.test"));
        assert_eq!(browser.sign_in().await.location(), "/signin/switch");
        let now = world.app.now();
        let offered = write(world.app.db(), async |tx| {
            first_admin::offer(tx, &first_admin::word(), now).await
        });
        assert!(offered.await.unwrap());
        world.advance(Duration::from_secs(13 * 3600));
        let keep = Duration::from_secs(3600);
        openneko::web::store::sweep(world.app.db(), world.app.now(), keep)
            .await
            .unwrap();
        for table in [
            "SELECT COUNT(*) FROM web_session",
            "SELECT COUNT(*) FROM sign_in_flow",
            "SELECT COUNT(*) FROM sign_in_switch",
            "SELECT COUNT(*) FROM first_admin_word",
            "SELECT COUNT(*) FROM audit_event",
        ] {
            let row = world
                .app
                .db()
                .read(async |tx| tx.opt(table, &[]).await)
                .await
                .unwrap();
            assert_eq!(row.unwrap().get::<i64>(0).unwrap(), 0, "{table}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_may_finish_many_sign_ins_at_once() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browsers: Vec<_> = (0..20).map(|_| world.browser()).collect();
        let mut states = Vec::new();
        for browser in &browsers {
            states.push(browser.begin("").await);
        }
        let racers = browsers
            .iter()
            .zip(&states)
            .map(|(browser, state)| browser.back(state));
        for answer in join_all(racers).await {
            assert_eq!(answer.location(), "/");
        }
        let cookies: BTreeSet<_> = browsers.iter().map(|browser| browser.cookie(SESSION)).collect();
        assert_eq!(cookies.len(), 20);
        for browser in &browsers {
            assert_eq!(browser.user().await["email"], "ada@acme.test");
        }
    })
    .await;
}

#[tokio::test]
async fn where_a_browser_is_comes_from_the_operators_proxies_alone() {
    on_each_engine(async |db| {
        let mut world = World::new(db);
        world.proxies = TrustedProxies {
            networks: vec!["127.0.0.1".parse().unwrap()],
            ..TrustedProxies::default()
        };
        let browser = world.browser();
        let state = browser.begin("").await;
        let path = format!("/api/auth/callback?code=c&state={state}");
        let headers = [
            HTML,
            // With its port, as some proxies write it.
            ("x-forwarded-for", "6.6.6.6, 198.51.100.7:51234"),
            ("user-agent", "Test/1 é"),
        ];
        assert_eq!(browser.send("GET", &path, &headers, "").await.location(), "/");
        let event = openneko::web::audit::recent(world.app.db(), 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(event.ip.as_deref(), Some("198.51.100.7"));
        assert_eq!(event.user_agent.as_deref(), Some("Test/1 é"));
    })
    .await;
}
