//! Applications at the command line: what they may register, their secrets, what they did wrong.

use genkan::server;
use genkan_db::testing::Scratch;
use genkan_store::environment::Kind;
use genkan_store::event::{self, Entry};
use genkan_store::{Generator, MIGRATIONS, Stamp};
use serde_json::json;

use super::{Instance, ids, text};

const REDIRECT: &str = "https://app.example.com/callback";

#[tokio::test]
async fn an_application_comes_changes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        let portal = instance.json(&[
            "app",
            "create",
            "--name",
            "Portal",
            "--redirect-uri",
            REDIRECT,
            "--post-logout-redirect-uri",
            "https://app.example.com",
            "--backchannel-logout-uri",
            "https://app.example.com/logout",
            "--alg",
            "es256",
            "--strict-refresh",
            "--access-token-lifetime",
            "10m",
        ]);
        let id = text(&portal, "/id");
        assert!(
            id.starts_with("webc_") && text(&portal, "/secret").starts_with("prd_"),
            "{portal}"
        );
        assert_eq!(
            (&portal["token_algorithm"], &portal["access_token_lifetime"]),
            (&json!("ES256"), &json!(600))
        );
        assert_eq!(
            (&portal["strict_refresh_rotation"], &portal["enforce_pkce"]),
            (&json!(true), &json!(false))
        );

        let changed = instance.json(&[
            "app",
            "update",
            id,
            "--name",
            "Front",
            "--strict-refresh=false",
            "--enforce-pkce",
            "--introspect-all",
            "--post-logout-redirect-uri",
            "",
            "--access-token-lifetime",
            "0s",
        ]);
        assert_eq!(
            (&changed["name"], &changed["redirect_uris"]),
            (&json!("Front"), &json!([REDIRECT]))
        );
        assert_eq!(changed["post_logout_redirect_uris"], json!([]));
        assert_eq!(
            (&changed["strict_refresh_rotation"], &changed["enforce_pkce"]),
            (&json!(false), &json!(true))
        );
        assert_eq!(changed["access_token_lifetime"], json!(null));
        assert_eq!(
            (&portal["introspect_all"], &changed["introspect_all"]),
            (&json!(false), &json!(true))
        );
        let shown = instance.json(&["app", "show", id]);
        assert_eq!(shown, changed);
        assert!(shown.get("secret").is_none(), "the secret was shown again");
        assert_eq!(ids(&instance.json(&["app", "list"]), "applications"), [id]);

        instance.json(&["app", "delete", id, "--yes"]);
        instance
            .run(&["app", "show", id])
            .failed(3, "There is no application");
    }
}

#[tokio::test]
async fn an_application_has_two_secrets_at_most() {
    let instance = Instance::new().await;
    let portal = instance.json(&["app", "create", "--name", "Portal", "--redirect-uri", REDIRECT]);
    let id = text(&portal, "/id");
    let added = instance.json(&["app", "secret", "add", id, "--expires-in", "90d"]);
    assert_ne!(text(&added, "/secret"), text(&portal, "/secret"));
    instance
        .run(&["app", "secret", "add", id])
        .failed(1, "as many secrets as it may have");
    instance.json(&["app", "secret", "delete", id, text(&added, "/id"), "--yes"]);
    instance
        .run(&["app", "secret", "delete", id, text(&added, "/id"), "--yes"])
        .failed(3, "has no secret");
    let shown = instance.json(&["app", "show", id]);
    assert!(text(&portal, "/secret").ends_with(text(&shown, "/secrets/0/suffix")));

    let spa = instance.json(&[
        "app",
        "create",
        "--name",
        "Page",
        "--type",
        "spa",
        "--redirect-uri",
        REDIRECT,
    ]);
    assert!(
        spa.get("secret").is_none() && spa["enforce_pkce"] == json!(true),
        "{spa}"
    );
    instance
        .run(&["app", "update", text(&spa, "/id"), "--introspect-all"])
        .failed(
            2,
            "Only a web application, which has a secret, may ask about every token.",
        );
    instance
        .run(&["app", "secret", "add", text(&spa, "/id")])
        .failed(1, "A public application has no secret");
}

#[tokio::test]
async fn what_an_application_may_not_register_is_refused() {
    let instance = Instance::new().await;
    let refused = [
        (
            &["--redirect-uri", "http://localhost:3000/cb"][..],
            "cannot be registered",
        ),
        (
            &["--redirect-uri", "https://app.example.com/cb?next=1"],
            "must not have a query",
        ),
        (
            &["--redirect-uri", "https://*.example.com/cb"],
            "development environment only",
        ),
        (&["--redirect-uri", "javascript:alert(1)"], "cannot be registered"),
        (
            &[
                "--type",
                "spa",
                "--backchannel-logout-uri",
                "https://app.example.com/out",
            ],
            "Only a web application",
        ),
        (
            &["--type", "native", "--management-access"],
            "Only a web application",
        ),
        (&["--any-loopback-redirect"], "registered addresses only"),
        (&["--alg", "none"], "write RS256 or ES256"),
        (&["--access-token-lifetime", "31d"], "at most 30d"),
        (&["--type", "desktop"], "invalid value 'desktop'"),
    ];
    for (words, message) in refused {
        instance
            .run(&[&["app", "create", "--name", "App"], words].concat())
            .failed(2, message);
    }
    instance
        .run(&["app", "create", "--name", " "])
        .failed(2, "--name is empty.");
    assert!(ids(&instance.json(&["app", "list"]), "applications").is_empty());

    let development = Instance::development().await;
    let app = development.json(&[
        "app",
        "create",
        "--name",
        "App",
        "--redirect-uri",
        "http://localhost:3000/cb",
    ]);
    assert!(text(&app, "/secret").starts_with("test_"));
    assert_eq!(app["any_loopback_redirect"], true);
}

#[tokio::test]
async fn what_an_application_did_wrong_is_told_with_what_to_do() {
    let instance = Instance::new().await;
    let app = instance.json(&["app", "create", "--name", "Notes", "--redirect-uri", REDIRECT]);
    let id = text(&app, "/id").to_owned();
    let nothing = instance.run(&["app", "doctor", &id]).stdout;
    assert!(nothing.contains("Nothing was refused since"), "{nothing}");

    let db = server::open_database(&instance.config()).await.unwrap();
    let ids = Generator::random();
    let client_id = genkan_store::ClientId::parse(&id).unwrap();
    let at = Stamp::new(&ids, server::now());
    let entry = Entry::new(event::Kind::ClientRefused)
        .client(&client_id)
        .with("endpoint", "token")
        .with("reason", "client_secret_missing_with_pkce")
        .with("description", "a code_verifier came and no client secret");
    db.tx(async |tx| event::record(tx, at, entry.clone()).await)
        .await
        .unwrap();
    for count in [1, 41] {
        let at = Stamp::new(&ids, server::now());
        let entry = Entry::new(event::Kind::ClientRefused)
            .client(&client_id)
            .with("endpoint", "authorize")
            .with("reason", "redirect_uri_not_registered")
            .with("description", "the redirect_uri is not registered")
            .with("redirect_uri", "https://app.example.com/call\u{1b}back")
            .with("count", count);
        db.tx(async |tx| event::record(tx, at, entry.clone()).await)
            .await
            .unwrap();
    }
    db.close().await;
    let told = instance.json(&["app", "doctor", &id]);
    let troubles = told["troubles"].as_array().unwrap();
    let counts = |reason: &str| {
        let trouble = troubles
            .iter()
            .find(|trouble| trouble["reason"] == reason)
            .unwrap();
        trouble["count"].clone()
    };
    assert_eq!(counts("redirect_uri_not_registered"), 42);
    assert_eq!(counts("client_secret_missing_with_pkce"), 1);
    let page = instance.run(&["app", "doctor", &id]).stdout;
    for line in [
        "42 × redirect_uri_not_registered at authorize",
        "sent: https://app.example.com/call",
        REDIRECT,
        "→ Compare the address that was sent",
        "genkan app update APP --secret-optional-with-pkce",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(!page.contains('\u{1b}'), "{page}");
    instance
        .run(&["app", "doctor", "webc_1"])
        .failed(3, "There is no application webc_1.");
}
