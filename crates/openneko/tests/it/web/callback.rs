//! Beginning a sign-in and coming back: state, browser, provider, plugin.

use std::time::Duration;

use axum::http::{StatusCode, header};
use futures_util::future::join_all;
use openneko::web::app::Config;
use openneko::web::rules::Rules;
use serde_json::json;
use url::Url;

use super::support::{
    HTML, ORIGIN, PLUGIN, World, ada, config, failure, identity, on_each_engine, provider, with,
};

#[tokio::test]
async fn a_person_signs_in_and_lands_where_they_wanted_to_go() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let state = browser
            .begin("?returnTo=%2Freports%3Fa%3Db&loginHint=Ada%40acme.test")
            .await;
        assert_eq!(state.len(), 32);
        let back = browser.back(&state).await;
        assert_eq!(
            (back.status, back.location()),
            (StatusCode::FOUND, "/reports?a=b")
        );
        assert_eq!(back.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(browser.user().await["email"], "ada@acme.test");
        assert_eq!(world.events().await, ["user_created", "sign_in"]);

        // The plugin's two calls, which must fit each other.
        let stage = world.stage.lock();
        let (begin, complete) = (&stage.begun[0], &stage.completed[0]);
        assert_eq!(begin.redirect_uri, format!("{ORIGIN}/api/auth/callback"));
        assert_eq!(complete.redirect_uri, begin.redirect_uri);
        assert_eq!(begin.login_hint.as_deref(), Some("Ada@acme.test"));
        assert_eq!((complete.code.as_str(), &complete.state), ("c1", &begin.state));
        assert_eq!(complete.extra.get("nonce"), begin.extra.get("nonce"));
        let verifier = complete
            .extra
            .get("codeVerifier")
            .and_then(|verifier| verifier.as_str());
        assert_eq!(verifier.unwrap().len(), 43);
        let challenge = begin
            .extra
            .get("codeChallenge")
            .and_then(|challenge| challenge.as_str());
        assert_eq!(challenge.unwrap(), s256(verifier.unwrap()));
    })
    .await;
}

/// Other applications of the same host, or of a domain above it, set cookies
/// that browsers send along in the same line.
#[tokio::test]
async fn a_cookie_of_another_application_keeps_nobody_out() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let foreign = ("lang".to_owned(), "Français".to_owned());
        browser.cookies.lock().extend([foreign]);
        assert_eq!(browser.sign_in().await.location(), "/");
        assert_eq!(browser.user().await["email"], "ada@acme.test");
    })
    .await;
}

fn s256(verifier: &str) -> String {
    use base64::Engine as _;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_that_come_back_with_one_state_one_is_signed_in() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let state = browser.begin("").await;
        let path = format!("/api/auth/callback?code=c1&state={state}");
        // Each sends the cookies of before, as tabs that race do.
        let cookies: Vec<_> = browser
            .cookies
            .lock()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let racers = (0..100).map(|_| {
            let (path, cookies, world) = (&path, &cookies, &world);
            async move {
                let stranger = world.browser();
                stranger.send("GET", path, &[HTML, ("cookie", cookies)], "").await
            }
        });
        let answers = join_all(racers).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.location() == "/");
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|answer| answer.error() == "state_used"));
        assert_eq!(world.stage.lock().completed.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_state_counts_in_its_own_browser_only() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let (ada, eve) = (world.browser(), world.browser());
        let state = eve.begin("").await;
        assert_eq!(ada.back(&state).await.error(), "state_missing");
        // A cookie of another sign-in does not stand in for it.
        let own = ada.begin("").await;
        let name = format!("openneko_sso_state_{}", &state[..8]);
        let value = ada.cookie(&format!("openneko_sso_state_{}", &own[..8]));
        ada.cookies.lock().insert(name.clone(), value);
        assert_eq!(ada.back(&state).await.error(), "state_mismatch");
        ada.cookies.lock().insert(name, format!("{state}|Lw.AAAA"));
        assert_eq!(ada.back(&state).await.error(), "state_missing");
        // Nothing of that used it up.
        assert_eq!(eve.back(&state).await.location(), "/");
    })
    .await;
}

#[tokio::test]
async fn two_tabs_do_not_take_each_others_sign_in() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let (first, second) = (
            browser.begin("?returnTo=/one").await,
            browser.begin("?returnTo=/two").await,
        );
        assert_eq!(browser.back(&second).await.location(), "/two");
        assert_eq!(browser.back(&first).await.location(), "/one");
        assert_eq!(browser.cookies.lock().len(), 1, "only the session is left");
        // Many begun ones do not make requests longer and longer.
        for _ in 0..20 {
            browser.begin("").await;
        }
        assert!(browser.cookies.lock().len() < 10);
    })
    .await;
}

#[tokio::test]
async fn a_state_is_over_after_ten_minutes() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let state = browser.begin("").await;
        world.advance(Duration::from_secs(600));
        assert_eq!(browser.back(&state).await.error(), "state_used");
        assert!(browser.user().await.is_null());
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_provider_needs_a_state_and_is_never_shown() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let text = "error=access_denied&error_description=Call+%2B1+555+0100";
        let forged = browser.get(&format!("/api/auth/callback?{text}")).await;
        assert_eq!(forged.error(), "bad_callback");
        let forged = browser
            .get(&format!(
                "/api/auth/callback?{text}&state=abcdefgh-_0123456789ABCDEFGHIJKL"
            ))
            .await;
        assert_eq!(forged.error(), "state_missing");

        let state = browser.begin("?returnTo=/next").await;
        let denied = browser
            .get(&format!("/api/auth/callback?{text}&state={state}"))
            .await;
        assert_eq!(denied.error(), "access_denied");
        assert!(!denied.location().contains("555"), "{}", denied.location());
        assert!(denied.location().ends_with("&returnTo=%2Fnext"));
        // The state is used up all the same.
        assert_eq!(browser.back(&state).await.error(), "state_missing");
        let page = browser.get(denied.location()).await;
        assert!(page.body.contains("role=\"alert\"") && !page.body.contains("555"));
        let events = openneko::web::audit::recent(world.app.db(), 10).await.unwrap();
        let denied = events
            .iter()
            .find(|event| event.code.as_deref() == Some("access_denied"));
        assert_eq!(
            denied.unwrap().detail.as_deref(),
            Some("access_denied: Call +1 555 0100")
        );
        assert!(page.body.contains(&denied.unwrap().reference));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_callback_is_told_by_a_code() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        for (query, code) in [
            ("", "bad_callback"),
            ("?code=c", "bad_callback"),
            ("?state=x&code=c", "state_missing"),
            ("?state=a&state=b&code=c", "bad_callback"),
        ] {
            assert_eq!(
                browser.get(&format!("/api/auth/callback{query}")).await.error(),
                code,
                "{query}"
            );
        }
        let state = browser.begin("").await;
        assert_eq!(
            browser
                .get(&format!("/api/auth/callback?state={state}"))
                .await
                .error(),
            "bad_callback"
        );
        let state = browser.begin("").await;
        let long = "x".repeat(5000);
        let answer = browser
            .get(&format!("/api/auth/callback?state={state}&code={long}"))
            .await;
        assert_eq!(answer.error(), "bad_callback");
        assert!(world.stage.lock().completed.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_the_plugin_said_goes_to_the_audit_and_not_to_the_browser() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        world.stage.lock().answer = Err(failure(
            "PLUGIN_ERROR",
            "Scalekit token exchange returned HTTP 400 (invalid_grant: expired)",
        ));
        let state = browser.begin("").await;
        let answer = browser.back(&state).await;
        assert_eq!(answer.error(), "plugin_failed");
        assert!(!answer.location().contains("invalid_grant"));
        let events = openneko::web::audit::recent(world.app.db(), 1).await.unwrap();
        assert!(events[0].detail.as_ref().unwrap().contains("invalid_grant"));
        assert_eq!(events[0].provider.as_deref(), Some(PLUGIN));

        world.stage.lock().answer = Err(failure("TIMEOUT", "took too long"));
        let state = browser.begin("").await;
        assert_eq!(browser.back(&state).await.error(), "plugin_timeout");
        world.says(identity("s", "no address"));
        let state = browser.begin("").await;
        assert_eq!(browser.back(&state).await.error(), "bad_identity");
        assert!(browser.user().await.is_null());
    })
    .await;
}

#[tokio::test]
async fn a_code_is_not_given_to_another_plugin() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let state = browser.begin("").await;
        world.stage.lock().provider.as_mut().unwrap().plugin_name = "@evil/plugin-x".to_owned();
        assert_eq!(browser.back(&state).await.error(), "plugin_changed");
        assert!(world.stage.lock().completed.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_rules_speak_at_the_callback() {
    on_each_engine(async |db| {
        let rules = Rules {
            allowed_organizations: ["org_1".to_owned()].into(),
            ..Rules::default()
        };
        let world = World::with(db, Config { rules, ..config() });
        let browser = world.browser();
        assert_eq!(browser.sign_in().await.error(), "organization_not_allowed");
        world.says(with(&ada(), &json!({ "orgId": "org_1" })));
        assert_eq!(browser.sign_in().await.location(), "/");
        assert_eq!(
            world.events().await,
            [
                "sign_in_failed organization_not_allowed",
                "user_created",
                "sign_in"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn the_issuer_of_the_answer_reaches_the_plugin() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let state = browser.begin("").await;
        let path = format!("/api/auth/callback?code=c&state={state}&iss=https%3A%2F%2Fidp.test");
        assert_eq!(browser.get(&path).await.location(), "/");
        let stage = world.stage.lock();
        let iss = stage.completed[0].extra.get("iss").and_then(|iss| iss.as_str());
        assert_eq!(iss, Some("https://idp.test"));
    })
    .await;
}

#[tokio::test]
async fn nothing_leads_away_after_the_sign_in() {
    on_each_engine(async |db| {
        let world = World::new(db);
        for attack in [
            "%2F%5Cevil.test",
            "%2F%09%2Fevil.test",
            "%2F%0A%2Fevil.test",
            "%2F%2Fevil.test",
            "%2F.%2F%2Fevil.test",
            "https%3A%2F%2Fevil.test",
        ] {
            let browser = world.browser();
            let state = browser.begin(&format!("?returnTo={attack}")).await;
            assert_eq!(browser.back(&state).await.location(), "/", "{attack}");
            let page = browser.get(&format!("/signin?returnTo={attack}")).await;
            assert!(!page.body.contains("evil.test"), "{attack}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_host_header_decides_nothing() {
    on_each_engine(async |db| {
        let origin = "https://neko.test";
        let public_url = Some(openneko::web::settings::PublicUrl::parse(origin).unwrap());
        let world = World::with(
            db,
            Config {
                public_url,
                ..config()
            },
        );
        let browser = world.browser();
        let headers = [HTML, ("host", "evil.test"), ("x-forwarded-host", "evil.test")];
        let answer = browser.send("GET", "/api/auth/begin", &headers, "").await;
        assert_eq!(answer.status, StatusCode::FOUND);
        assert!(!answer.location().contains("evil.test"));
        let begun = world.stage.lock().begun[0].redirect_uri.clone();
        assert_eq!(begun, format!("{origin}/api/auth/callback"));
    })
    .await;
}

#[tokio::test]
async fn a_begin_that_fails_is_502_and_one_without_plugin_503() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let program = async |path| browser.send("GET", path, &[("accept", "*/*")], "").await;
        world.stage.lock().url = Err(failure("PLUGIN_ERROR", "SCALEKIT_CLIENT_ID not set"));
        let failed = program("/api/auth/begin").await;
        assert_eq!(failed.status, StatusCode::BAD_GATEWAY);
        assert!(!failed.body.contains("SCALEKIT_CLIENT_ID") && failed.body.contains("ref_"));
        let event = openneko::web::audit::recent(world.app.db(), 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            event.detail.as_deref(),
            Some("PLUGIN_ERROR: SCALEKIT_CLIENT_ID not set")
        );
        assert!(failed.body.contains(&event.reference));
        assert_eq!(
            browser.get("/api/auth/begin").await.status,
            StatusCode::BAD_GATEWAY
        );
        for bad in [
            "http://evil.test/",
            "javascript:alert(1)",
            "https://u:p@idp.test/",
            "ftp://idp.test/",
        ] {
            world.stage.lock().url = Ok(bad.to_owned());
            assert_eq!(
                program("/api/auth/begin").await.status,
                StatusCode::BAD_GATEWAY,
                "{bad}"
            );
        }
        world.stage.lock().provider = Some(provider(&["KEY"]));
        assert_eq!(
            program("/api/auth/begin").await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
        world.stage.lock().provider = None;
        let none = program("/api/auth/begin").await;
        assert_eq!(none.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(none.body, r#"{"error":"no SSO plugin installed"}"#);
        assert!(browser.cookies.lock().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_hint_that_is_no_address_is_not_passed_on() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        for hint in ["x", "a%0Ab%40c.test", "%3Cscript%3E%40x.test", &"a".repeat(300)] {
            browser.begin(&format!("?loginHint={hint}")).await;
        }
        assert!(
            world
                .stage
                .lock()
                .begun
                .iter()
                .all(|begin| begin.login_hint.is_none())
        );
    })
    .await;
}

#[tokio::test]
async fn a_link_preview_takes_no_step() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let state = browser.begin("").await;
        let path = format!("/api/auth/callback?code=c1&state={state}");
        for path in [path.as_str(), "/api/auth/begin"] {
            let answer = browser.send("HEAD", path, &[HTML], "").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        }
        assert_eq!(browser.back(&state).await.location(), "/");
    })
    .await;
}

#[tokio::test]
async fn one_network_may_begin_only_so_many() {
    on_each_engine(async |db| {
        let world = World::with(
            db,
            Config {
                requests_per_minute: 10.try_into().unwrap(),
                ..config()
            },
        );
        let browser = world.browser();
        for _ in 0..5 {
            browser.begin("").await;
        }
        let answer = browser.get("/api/auth/begin").await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        // An unverified address does not help.
        let forged = [HTML, ("x-forwarded-for", "203.0.113.9")];
        let answer = browser.send("GET", "/api/auth/begin", &forged, "").await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(browser.get("/signin").await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn cookies_are_secure_behind_https() {
    on_each_engine(async |db| {
        let public_url = Some(openneko::web::settings::PublicUrl::parse("https://neko.test").unwrap());
        let world = World::with(
            db,
            Config {
                public_url,
                ..config()
            },
        );
        let answer = world.browser().get("/api/auth/begin").await;
        let line = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(line.ends_with("HttpOnly; SameSite=Lax; Secure"), "{line}");
        assert!(Url::parse(answer.location()).is_ok());
    })
    .await;
}
