//! Every verb: create, list, show, change, delete.

use genkan::server;
use genkan_db::testing::Scratch;
use genkan_protocol::Trace;
use genkan_store::environment::Kind;
use genkan_store::event::{self, Entry};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::{Generator, MIGRATIONS, Stamp};
use serde_json::json;

use super::{Instance, ids, text};

const REDIRECT: &str = "https://app.example.com/callback";

#[tokio::test]
async fn an_organization_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        let acme = instance.json(&[
            "org",
            "create",
            "--name",
            "Acme Inc.",
            "--external-id",
            "acme-17",
            "--domain",
            "acme.com",
            "--metadata",
            "plan=gold",
        ]);
        let id = text(&acme, "/id").to_owned();
        assert_eq!(text(&acme, "/domains/0/domain"), "acme.com");
        assert_eq!(acme["metadata"], json!({ "plan": "gold" }));
        let shown = instance.json(&["org", "show", "acme-17"]);
        assert_eq!(shown, instance.json(&["org", "show", &id]));
        assert_eq!(
            ids(&instance.json(&["org", "list"]), "organizations"),
            [id.as_str()]
        );

        instance
            .run(&["org", "create", "--name", "Other", "--external-id", "acme-17"])
            .failed(1, "Another organization has this external id.");
        instance
            .run(&["org", "create", "--name", "Other", "--domain", "ACME.com"])
            .failed(1, "An organization has this domain already.");
        assert_eq!(
            ids(&instance.json(&["org", "list"]), "organizations").len(),
            1,
            "half a command was kept"
        );

        instance.json(&["org", "delete", "acme-17", "--yes"]);
        instance
            .run(&["org", "delete", "acme-17", "--yes"])
            .failed(3, "There is no organization \"acme-17\".");
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let instance = Instance::new().await;
    for name in ["One", "Two", "Three"] {
        instance.json(&["org", "create", "--name", name]);
    }
    let first = instance.json(&["org", "list", "--limit", "2"]);
    assert_eq!(text(&first, "/organizations/0/display_name"), "Three");
    let next = text(&first, "/next");
    let second = instance.json(&["org", "list", "--limit", "2", "--after", next]);
    assert_eq!(text(&second, "/organizations/0/display_name"), "One");
    assert_eq!(second["next"], json!(null));
    instance
        .run(&["org", "list", "--after", "usr_1"])
        .failed(2, "not an identifier of the right kind");
    instance
        .run(&["org", "list", "--limit", "0"])
        .failed(2, "0 is not in 1..=200");
}

#[tokio::test]
async fn a_domain_comes_and_goes() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let domain = instance.json(&["domain", "create", "Acme.COM", "--organization", "acme"]);
    assert_eq!(
        (text(&domain, "/domain"), text(&domain, "/kind")),
        ("acme.com", "ORGANIZATION_DOMAIN")
    );
    let allowed = instance.json(&[
        "domain",
        "create",
        "acme.net",
        "--organization",
        "acme",
        "--kind",
        "allowed-email",
    ]);
    assert_eq!(text(&allowed, "/kind"), "ALLOWED_EMAIL_DOMAIN");
    assert_eq!(
        ids(
            &instance.json(&["domain", "list", "--organization", "acme"]),
            "domains"
        )
        .len(),
        2
    );

    instance
        .run(&["domain", "create", "gmail.com", "--organization", "acme"])
        .failed(2, "belongs to no organization");
    instance
        .run(&["domain", "create", "acme", "--organization", "acme"])
        .failed(2, "invalid value 'acme'");
    instance
        .run(&["domain", "create", "b.com", "--organization", "b"])
        .failed(3, "There is no organization \"b\".");

    instance.json(&["domain", "delete", "ACME.com", "--organization", "acme", "--yes"]);
    instance.json(&[
        "domain",
        "delete",
        text(&allowed, "/id"),
        "--organization",
        "acme",
        "--yes",
    ]);
    instance
        .run(&["domain", "delete", "acme.com", "--organization", "acme", "--yes"])
        .failed(3, "Acme has no domain \"acme.com\".");
}

#[tokio::test]
async fn a_domain_on_somebodys_word_can_be_proved_by_an_operators() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance.json(&["domain", "create", "acme.com", "--organization", "acme"]);
    assert_eq!(
        (text(&created, "/status"), &created["proved_by"]),
        ("VERIFIED", &json!(null))
    );
    assert_eq!(text(&created, "/txt_record_name"), "_genkan-challenge.acme.com");
    let verify = [
        "domain",
        "verify",
        "ACME.com",
        "--organization",
        "acme",
        "--as-operator",
    ];
    for _ in 0..2 {
        let proved = instance.json(&verify);
        assert_eq!(
            (text(&proved, "/proved_by"), text(&proved, "/proved_actor")),
            ("OPERATOR", "cli")
        );
        assert!(!text(&proved, "/proved_at").is_empty());
    }
    let listing = instance.json(&["event", "list", "--kind", "domain.verified_by_operator"]);
    assert_eq!(listing["events"].as_array().unwrap().len(), 1, "{listing}");

    let allowed = [
        "domain",
        "create",
        "acme.net",
        "--organization",
        "acme",
        "--kind",
        "allowed-email",
    ];
    let allowed = instance.json(&allowed);
    instance
        .run(&[
            "domain",
            "verify",
            text(&allowed, "/id"),
            "--organization",
            "acme",
            "--as-operator",
        ])
        .failed(1, "There is nothing to prove about acme.net");
}

#[tokio::test]
async fn where_proof_is_required_the_command_line_and_imports_wait_for_it_too() {
    let instance = Instance::new().await;
    let text_of = std::fs::read_to_string(&instance.config).unwrap();
    std::fs::write(
        &instance.config,
        format!("{text_of}[domains]\nrequire_proof = true\n"),
    )
    .unwrap();
    let acme = [
        "org",
        "create",
        "--name",
        "Acme",
        "--external-id",
        "acme",
        "--domain",
        "acme.com",
    ];
    instance.json(&acme);
    let ran = instance.run(&["domain", "create", "acme.de", "--organization", "acme"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("_genkan-challenge.acme.de. TXT"), "{ran:?}");
    let file = instance.path().join("o.csv");
    std::fs::write(&file, "external_id,name,domains\nacme,Acme,acme.com;acme.fr\n").unwrap();
    for _ in 0..2 {
        instance.json(&["import", "organizations", file.to_str().unwrap()]);
    }
    let listing = instance.json(&["domain", "list", "--organization", "acme"]);
    let domains = listing["domains"].as_array().unwrap();
    assert_eq!(domains.len(), 3, "{listing}");
    for domain in domains {
        assert_eq!(text(domain, "/status"), "PENDING");
        assert!(text(domain, "/txt_record_value").starts_with("genkan-domain-verification="));
    }
}

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
async fn a_user_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        let ada = instance.json(&[
            "user",
            "create",
            "--email",
            "Ada@Acme.com",
            "--name",
            "Ada Lovelace",
            "--organization",
            "acme",
            "--role",
            "member",
        ]);
        let id = text(&ada, "/id");
        assert_eq!(
            (text(&ada, "/email"), text(&ada, "/memberships/0/roles/0")),
            ("ada@acme.com", "member")
        );
        assert_eq!(ada, instance.json(&["user", "show", "ada@acme.com"]));
        let grace = instance.json(&["user", "create", "--email", "grace@acme.com"]);
        assert_eq!(grace["memberships"], json!([]));
        assert_eq!(
            ids(&instance.json(&["user", "list"]), "users"),
            [text(&grace, "/id"), id]
        );
        assert_eq!(
            ids(
                &instance.json(&["user", "list", "--organization", "acme"]),
                "users"
            ),
            [id]
        );

        instance
            .run(&["user", "create", "--email", "ada@acme.com"])
            .failed(1, "Another user has this e-mail address.");
        instance
            .run(&["user", "create", "--email", "ada"])
            .failed(2, "invalid value 'ada'");
        instance
            .run(&[
                "user",
                "create",
                "--email",
                "x@acme.com",
                "--organization",
                "acme",
                "--role",
                "boss",
            ])
            .failed(3, "There is no role \"boss\".\n  The roles are");

        assert_eq!(instance.json(&["user", "disable", id])["disabled"], json!(true));
        assert_eq!(instance.json(&["user", "show", id])["disabled"], json!(true));
        assert_eq!(
            instance.json(&["user", "enable", "ada@acme.com"])["disabled"],
            json!(false)
        );
        instance.json(&["user", "delete", "ada@acme.com", "--yes"]);
        instance
            .run(&["user", "show", "ada@acme.com"])
            .failed(3, "There is no user \"ada@acme.com\".");
    }
}

#[tokio::test]
async fn keys_hand_over_with_overlap() {
    let instance = Instance::new().await;
    let state = |listing: &serde_json::Value| -> Vec<(String, String)> {
        let row =
            |key: &serde_json::Value| (text(key, "/algorithm").to_owned(), text(key, "/state").to_owned());
        listing["keys"].as_array().unwrap().iter().map(row).collect()
    };
    let pair = |algorithm: &str, state: &str| (algorithm.to_owned(), state.to_owned());
    let before = instance.json(&["keys", "list"]);
    assert_eq!(
        state(&before),
        [pair("RS256", "current"), pair("ES256", "current")]
    );

    let after = instance.json(&["keys", "rotate", "--alg", "ES256"]);
    assert_eq!(
        state(&after),
        [
            pair("RS256", "current"),
            pair("ES256", "current"),
            pair("ES256", "next")
        ]
    );
    assert_eq!(after["keys"][1]["signs_until"], after["keys"][2]["signs_from"]);

    // Tokens would end: somebody is asked, or says so before.
    let at_once = "keys rotate --alg RS256 --publish-lead 0s --overlap 1m --json";
    let at_once: Vec<&str> = at_once.split(' ').collect();
    instance.run(&at_once).failed(
        2,
        "This would take the old key away 1m after the handover, and tokens that it signed, which live up to 1d, \
         end with it",
    );
    assert_eq!(
        instance.json(&["keys", "list"])["keys"].as_array().unwrap().len(),
        3
    );
    let at_once = instance.run(&[&at_once[..], &["--yes"]].concat());
    let states = state(&at_once.json());
    assert!(
        states.contains(&pair("RS256", "retired")) && states.contains(&pair("RS256", "current")),
        "{states:?}"
    );
    instance
        .run(&["keys", "rotate", "--overlap", "soon"])
        .failed(2, "write a whole number and a unit");
}

#[tokio::test]
async fn events_tell_what_the_commands_did() {
    let instance = Instance::new().await;
    let acme = instance.json(&["org", "create", "--name", "Acme", "--domain", "acme.com"]);
    let listing = instance.json(&["event", "list", "--organization", text(&acme, "/id")]);
    let kinds: Vec<_> = listing["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| text(event, "/kind"))
        .collect();
    assert_eq!(kinds, ["organization.domain_created", "organization.created"]);
    assert_eq!(listing["events"][0]["data"], json!({ "domain": "acme.com" }));
    // Whoever is named is named as elsewhere.
    instance.json(&["user", "create", "--email", "ada@acme.com"]);
    let of_ada = instance.json(&["event", "list", "--user", "Ada@acme.com"]);
    assert_eq!(of_ada["events"][0]["kind"], "user.created");
    instance
        .run(&["event", "list", "--user", "nobody@acme.com"])
        .failed(3, "There is no user");
    instance.json(&["org", "create", "--name", "Zenith", "--external-id", "zen-2"]);
    let of_zenith = instance.json(&["event", "list", "--organization", "zen-2"]);
    assert_eq!(of_zenith["events"][0]["kind"], "organization.created");
    let filtered = instance.json(&["event", "list", "--kind", "organization.created"]);
    assert!(ids(&filtered, "events").contains(&text(&listing["events"][1], "/id").to_owned()));
    instance
        .run(&["event", "list", "--kind", "organization.vanished"])
        .failed(2, "not one of: ");
}

#[tokio::test]
async fn a_trace_shows_each_check() {
    let instance = Instance::new().await;
    let db = server::open_database(&instance.config()).await.unwrap();
    let ids = Generator::random();
    let at = Stamp::new(&ids, server::now());
    let mut trace = Trace::default();
    trace.pass("Issuer", "https://login.acme.com");
    trace.fail("Audience", "genkan", "somebody\u{1b}[31m");
    trace.not_reached("Nonce");
    let stored = LoginTrace {
        id: at.id(),
        interaction_id: None,
        connection_id: None,
        organization_id: None,
        client_id: None,
        cause: "invalid_id_token".to_owned(),
        remedy: "Enter the client ID that the provider gave.".to_owned(),
        trace,
        created_at: at.now,
    };
    db.tx(async |tx| login_trace::insert(tx, &stored).await)
        .await
        .unwrap();
    db.close().await;

    let id = stored.id.to_string();
    let shown = instance.json(&["trace", "show", &id]);
    assert_eq!(
        (text(&shown, "/cause"), text(&shown, "/checks/1/outcome")),
        ("invalid_id_token", "failed")
    );
    let page = instance.run(&["trace", "show", &id]).stdout;
    assert!(
        page.contains("What to do    Enter the client ID that the provider gave."),
        "{page}"
    );
    assert!(
        page.contains("ok      Issuer    https://login.acme.com"),
        "{page}"
    );
    assert!(
        page.contains("FAILED  Audience  expected genkan, received somebody"),
        "{page}"
    );
    assert!(
        page.contains("-       Nonce     not reached") && !page.contains('\u{1b}'),
        "{page}"
    );
    assert_eq!(super::ids(&instance.json(&["trace", "list"]), "traces"), [id]);
    instance
        .run(&["trace", "show", "err_1"])
        .failed(3, "There is no trace err_1.");
}

#[tokio::test]
async fn a_backup_is_the_whole_database_and_never_overwrites() {
    let instance = Instance::new().await;
    let acme = instance.json(&["org", "create", "--name", "Acme"]);
    let backup = instance.json(&["backup", "--output", "copy.db"]);
    assert_eq!(text(&backup, "/path"), "copy.db");
    instance
        .run(&["backup", "--output", "copy.db"])
        .failed(1, "copy.db");

    instance.json(&["org", "create", "--name", "Later"]);
    let restored = super::configuration("https://auth.example.com", "127.0.0.1:1", "sqlite:copy.db");
    std::fs::write(&instance.config, restored).unwrap();
    let listing = instance.json(&["org", "list"]);
    assert_eq!(ids(&listing, "organizations"), [text(&acme, "/id")]);
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

#[tokio::test]
async fn a_name_is_built_from_its_parts_where_nobody_gave_a_whole_one() {
    let instance = Instance::new().await;
    let create = [
        "user",
        "create",
        "--email",
        "grace@acme.test",
        "--given-name",
        "Grace",
        "--family-name",
        "Hopper",
    ];
    let created = instance.json(&create);
    assert_eq!(created["name"], "Grace Hopper");
    instance.json(&[
        "user",
        "create",
        "--email",
        "plato@acme.test",
        "--given-name",
        "Plato",
    ]);
    for words in [&["user", "list"][..], &["user", "show", "grace@acme.test"]] {
        let shown = instance.run(words).stdout;
        assert!(shown.contains("Grace Hopper"), "{shown}");
    }
    assert_eq!(
        instance.json(&["user", "show", "plato@acme.test"])["name"],
        "Plato"
    );
}

/// A folder that one may not enter is not an instance that was never started.
#[cfg(unix)]
#[tokio::test]
async fn a_database_that_may_not_be_looked_at_is_told_from_one_that_is_not_there() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let instance = Instance::new().await;
    let closed = instance.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    let database = format!("sqlite:{}", closed.join("genkan.db").display());
    let ask = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    ask(&closed, 0o000);
    ask(instance.path(), 0o755);
    // Root enters every folder, so it is somebody else then.
    let run = |words: &[&str]| -> crate::cli::Ran {
        let mut command = instance.command(words);
        command.env("GENKAN_DATABASE_URL", &database);
        if std::fs::read_dir(&closed).is_ok() {
            command.uid(65_534).gid(65_534);
        }
        command.output().unwrap().into()
    };
    let listed = run(&["org", "list"]);
    let looked_at = run(&["doctor"]);
    ask(&closed, 0o700);
    listed.failed(1, "cannot be looked at: Permission denied");
    listed.failed(1, "as the user that runs the instance");
    assert!(
        looked_at
            .stdout
            .contains("cannot be looked at: Permission denied"),
        "{looked_at:?}"
    );
    assert!(
        !looked_at.stdout.contains("Start the instance once"),
        "{looked_at:?}"
    );
}
