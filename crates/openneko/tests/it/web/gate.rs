//! Only signed-in people pass the gate, in every state of the plugin.

use axum::http::{StatusCode, header};
use openneko::web::app::Config;
use openneko::web::settings::PublicUrl;

use super::support::{HTML, World, config, on_each_engine, provider};

#[tokio::test]
async fn pages_lead_to_the_door_and_programs_get_401() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        for (path, location) in [
            ("/", "/signin"),
            ("/reports?a=b&c", "/signin?returnTo=%2Freports%3Fa%3Db%26c"),
            ("/signinX", "/signin?returnTo=%2FsigninX"),
            ("/SIGNIN", "/signin?returnTo=%2FSIGNIN"),
            ("/signin/", "/signin?returnTo=%2Fsignin%2F"),
            ("//evil.test", "/signin?returnTo=%2F%2Fevil.test"),
            ("/healthz", "/signin?returnTo=%2Fhealthz"),
        ] {
            let answer = browser.get(path).await;
            assert_eq!(
                (answer.status, answer.location()),
                (StatusCode::FOUND, location),
                "{path}"
            );
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
        for path in ["/api/users", "/api", "/api/auth/beginx", "/api/auth/"] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.body, r#"{"error":"not signed in"}"#);
        }
        let post = browser.post("/users/usr_1/disable", "").await;
        assert_eq!((post.status, post.location()), (StatusCode::SEE_OTHER, "/signin"));
        assert_eq!(browser.get("/health").await.body, "ok");
    })
    .await;
}

#[tokio::test]
async fn without_a_plugin_there_is_a_setup_page_and_nothing_else() {
    on_each_engine(async |db| {
        let world = World::new(db.clone());
        world.stage.lock().provider = None;
        let browser = world.browser();
        let door = browser.get("/signin").await;
        assert!(door.body.contains("No SSO plugin is installed."));
        assert!(door.body.contains("openneko install @open-neko/plugin-scalekit"));
        assert_eq!(browser.get("/").await.location(), "/signin");
        assert_eq!(browser.get("/api/auth/status").await.body, r#"{"provider":null}"#);

        // If others can connect, the page must not show commands.
        let elsewhere = Config {
            is_local: false,
            ..config()
        };
        let behind_a_proxy = Config {
            public_url: Some(PublicUrl::parse("https://neko.test").unwrap()),
            ..config()
        };
        for config in [elsewhere, behind_a_proxy] {
            let open = World::with(db.clone(), config);
            open.stage.lock().provider = None;
            let door = open.browser().get("/signin").await;
            assert!(door.body.contains("No SSO plugin is installed."));
            assert!(!door.body.contains("openneko install"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_vanishes_opens_nothing_and_ends_no_session() {
    on_each_engine(async |db| {
        let world = World::new(db.clone());
        let browser = world.browser();
        browser.sign_in().await;
        world.stage.lock().provider = None;
        assert_eq!(browser.get("/").await.status, StatusCode::OK);

        // The marker outlives the process.
        let restarted = World::new(db);
        restarted.stage.lock().provider = None;
        let stranger = restarted.browser();
        let door = stranger.get("/signin").await;
        assert!(
            door.body.contains("Signing in does not work at the moment."),
            "{}",
            door.body
        );
        assert!(!door.body.contains("No SSO plugin is installed."));
        assert_eq!(stranger.get("/").await.location(), "/signin");
        let begin = stranger.send("GET", "/api/auth/begin", &[], "").await;
        assert_eq!(begin.status, StatusCode::SERVICE_UNAVAILABLE);
    })
    .await;
}

#[tokio::test]
async fn a_plugin_without_its_settings_says_what_is_missing() {
    on_each_engine(async |db| {
        let world = World::new(db);
        world.stage.lock().provider = Some(provider(&["SCALEKIT_CLIENT_ID"]));
        let browser = world.browser();
        let door = browser.get("/signin").await;
        assert!(door.body.contains("Setup in progress"));
        assert!(
            door.body
                .contains("openneko secrets set @open-neko/plugin-scalekit SCALEKIT_CLIENT_ID")
        );
        let status = browser.get("/api/auth/status").await.json();
        assert!(status["provider"].is_null());
        assert_eq!(status["pending"]["providerLabel"], "Scalekit");
        assert_eq!(browser.get("/").await.location(), "/signin");
    })
    .await;
}

#[tokio::test]
async fn the_door_works_without_a_script_and_offers_the_provider() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        let door = browser.get("/signin?returnTo=/x").await;
        for part in [
            "<h1>Sign in</h1>",
            r#"<form method="post" action="/api/auth/begin">"#,
            r#"name="returnTo" value="/x""#,
            r#"name="loginHint" type="email""#,
            "<button>Sign in with Scalekit</button>",
            "Provided by",
        ] {
            assert!(door.body.contains(part), "{part} in {}", door.body);
        }
        assert!(!door.body.contains("<script"));
        let status = browser.get("/api/auth/status").await;
        assert_eq!(
            status.body,
            r#"{"provider":{"pluginName":"@open-neko/plugin-scalekit","providerLabel":"Scalekit"}}"#
        );
    })
    .await;
}

#[tokio::test]
async fn a_link_cannot_put_words_on_the_door() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let path = "/signin?error=Call+555+0100&reference=Call+555+0100&notice=Call+555+0100";
        let door = world.browser().get(path).await;
        assert!(!door.body.contains("555"), "{}", door.body);
        assert!(door.body.contains("Something went wrong here."));
    })
    .await;
}

#[tokio::test]
async fn every_answer_has_its_safety_headers() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        for path in ["/", "/signin", "/nowhere"] {
            let answer = browser.get(path).await;
            let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'"), "{path}");
            assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
        let session = browser.get("/api/auth/session").await;
        assert_eq!(session.headers[header::CACHE_CONTROL], "no-store");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    on_each_engine(async |db| {
        let world = World::new(db);
        let browser = world.browser();
        browser.sign_in().await;
        let headers = [HTML, ("sec-fetch-site", "same-origin")];
        let body = "x".repeat(20_000);
        let answer = browser
            .send("POST", "/users/usr_1/disable", &headers, &body)
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    })
    .await;
}
