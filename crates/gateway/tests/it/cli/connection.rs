//! `genkan connection`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use genkan::server;
use genkan_db::testing::Scratch;
use genkan_protocol::Trace;
use genkan_store::environment::Kind;
use genkan_store::{MIGRATIONS, Secret, connection_test};
use serde_json::json;

use super::{Instance, ids, text};

/// A connection with its secret from standard input.
const CONNECT: &[&str] = &[
    "connection",
    "create",
    "--oidc",
    "--organization",
    "acme",
    "--issuer",
    "https://login.acme.com",
    "--client-id",
    "genkan",
    "--client-secret-stdin",
];

#[tokio::test]
async fn a_connection_comes_changes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        let more = [
            "--provider",
            "okta",
            "--token-auth",
            "post",
            "--attribute",
            "email=mail",
            "--groups-claim",
            "groups",
            "--json",
        ];
        let created = instance.run_with(" s3cret \n", &[CONNECT, &more].concat()).json();
        let id = text(&created, "/id");
        assert_eq!(
            text(&created, "/redirect_uri"),
            format!("https://auth.example.com/sso/v1/oidc/{id}/callback")
        );
        assert_eq!(
            (&created["provider"], &created["enabled"]),
            (&json!("OKTA"), &json!(true))
        );
        assert_eq!(created["oidc"]["token_auth_type"], json!("URL_PARAMS"));
        assert_eq!(created["oidc"]["attribute_mapping"], json!({ "email": "mail" }));
        assert!(!created.to_string().contains("s3cret"));
        assert_eq!(secret_of(&instance, id).await, " s3cret ");

        let test = instance.json(&["connection", "test", id, "--no-wait"]);
        let (address, word) = text(&test, "/test_uri").split_once("?word=").unwrap();
        assert_eq!(address, format!("https://auth.example.com/sso/v1/oidc/{id}/test"));
        assert!(word.len() >= 40, "{word}");
        assert!(text(&test, "/test_request_id").starts_with("test_"));
        assert_eq!(
            instance.json(&["connection", "disable", id])["enabled"],
            json!(false)
        );
        assert_eq!(
            instance.json(&["connection", "show", id])["enabled"],
            json!(false)
        );
        assert_eq!(
            instance.json(&["connection", "enable", id])["enabled"],
            json!(true)
        );
        let update = [
            "connection",
            "update",
            id,
            "--client-id",
            "genkan-2",
            "--client-secret-stdin",
            "--json",
        ];
        let updated = instance.run_with("newer", &update).json();
        assert_eq!(updated["oidc"]["client_id"], json!("genkan-2"));
        assert_eq!(secret_of(&instance, id).await, "newer");

        let listing = instance.json(&["connection", "list", "--organization", "acme"]);
        assert_eq!(ids(&listing, "connections"), [id]);
        assert_eq!(ids(&instance.json(&["connection", "list"]), "connections"), [id]);
        assert_eq!(
            text(&instance.json(&["org", "show", "acme"]), "/connections/0/id"),
            id
        );
        instance.json(&["connection", "delete", id, "--yes"]);
        instance
            .run(&["connection", "show", id])
            .failed(3, "There is no connection");
    }
}

/// What the server would send to the provider.
async fn secret_of(instance: &Instance, id: &str) -> String {
    let config = instance.config();
    let key = server::instance_key(&config).unwrap();
    let db = server::open_database(&config).await.unwrap();
    let id = id.parse().unwrap();
    let connection = db
        .read(async |tx| genkan_store::connection::find(tx, &id).await)
        .await
        .unwrap()
        .unwrap();
    db.close().await;
    connection
        .open_client_secret(&key)
        .unwrap()
        .unwrap()
        .expose()
        .to_owned()
}

#[tokio::test]
async fn a_secret_comes_from_a_file_and_on_the_command_line_with_a_warning() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    std::fs::write(instance.path().join("secret"), "from a file\r\n").unwrap();
    let base = &CONNECT[..CONNECT.len() - 1];
    let filed = instance.run(&[base, &["--client-secret-file", "secret", "--json"]].concat());
    assert_eq!(
        secret_of(&instance, text(&filed.json(), "/id")).await,
        "from a file"
    );
    assert!(!filed.stderr.contains("warning"), "{}", filed.stderr);
    let shown = instance.run(&[base, &["--client-secret", "on the line", "--json"]].concat());
    assert_eq!(
        secret_of(&instance, text(&shown.json(), "/id")).await,
        "on the line"
    );
    assert!(
        shown
            .stderr
            .contains("warning: the secret on the command line can be seen"),
        "{}",
        shown.stderr
    );

    instance
        .run(base)
        .failed(2, "required arguments were not provided");
    instance
        .run(&[base, &["--client-secret", "a", "--client-secret-stdin"]].concat())
        .failed(2, "cannot be used with");
    instance
        .run(&[base, &["--client-secret-file", "absent"]].concat())
        .failed(1, "absent cannot be read");
    instance
        .run_with("two\nlines\n", CONNECT)
        .failed(2, "holds several lines");
    instance
        .run_with("", CONNECT)
        .failed(2, "The client secret is empty");
}

#[tokio::test]
async fn a_connection_that_could_not_be_trusted_is_refused() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let attempt = |words: &[&str]| {
        let mut all: Vec<&str> = CONNECT.to_vec();
        if let Some(at) = words.iter().position(|word| *word == "--issuer") {
            all[6] = words[at + 1];
            all.extend(words.iter().take(at).chain(words.iter().skip(at + 2)));
        } else {
            all.extend(words);
        }
        instance.run_with("s3cret", &all)
    };
    attempt(&["--issuer", "http://login.acme.com"]).failed(2, "--issuer is not https");
    attempt(&["--issuer", "https://login.acme.com?tenant=1"]).failed(2, "must not have a query");
    attempt(&["--issuer", "https://root@login.acme.com"]).failed(2, "without a user");
    attempt(&["--issuer", "login.acme.com"]).failed(2, "is not an address");
    attempt(&["--scopes", "profile"]).failed(2, "--scopes lacks openid");
    attempt(&["--authorize-uri", "https://login.acme.com/a"]).failed(2, "--token-uri");
    attempt(&["--provider", "acme"]).failed(2, "invalid value 'acme'");
    attempt(&["--attribute", "mail"]).failed(2, "write NAME=VALUE");
    assert!(ids(&instance.json(&["connection", "list"]), "connections").is_empty());
    let accepted = attempt(&[
        "--issuer",
        "http://login.acme.com",
        "--insecure-http",
        "--disabled",
        "--json",
    ])
    .json();
    assert_eq!(
        (&accepted["oidc"]["insecure_http"], &accepted["enabled"]),
        (&json!(true), &json!(false))
    );

    let other = genkan::config::InstanceKeyBytes::generate();
    std::fs::remove_file(instance.path().join("instance.key")).unwrap();
    other
        .write_new_file(&instance.path().join("instance.key"))
        .unwrap();
    attempt(&[]).failed(1, "The instance key does not belong to this database.");
}

/// Refused with the words that say where the tenant id stands.
#[tokio::test]
async fn an_issuer_of_all_of_entras_tenants_is_refused() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    for tenant in ["common", "organizations", "consumers"] {
        let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let create = [
            "connection",
            "create",
            "--oidc",
            "--organization",
            "acme",
            "--issuer",
            &issuer,
            "--client-id",
            "genkan",
            "--client-secret-stdin",
        ];
        let ran = instance.run_with("s3cret", &create);
        ran.failed(2, "Tenant ID");
    }
}

#[tokio::test]
async fn the_check_of_google_accounts_is_on_and_can_be_turned_off() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance
        .run_with("s3cret", &[CONNECT, &["--provider", "google", "--json"]].concat())
        .json();
    let id = text(&created, "/id");
    assert_eq!(created["oidc"]["check_hosted_domain"], json!(true));
    let warns = |instance: &Instance| {
        let ran = instance.run(&["doctor", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let mut checks = report["checks"].as_array().unwrap().iter();
        checks.any(|check| text(check, "/check") == "Google accounts" && text(check, "/outcome") == "warn")
    };
    assert!(!warns(&instance));
    let off = instance.json(&["connection", "update", id, "--check-hosted-domain", "off"]);
    assert_eq!(off["oidc"]["check_hosted_domain"], json!(false));
    assert!(warns(&instance));
}

#[tokio::test]
async fn an_operator_allows_another_subject() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance
        .run_with("s3cret", &[CONNECT, &["--json"]].concat())
        .json();
    let id = text(&created, "/id");
    let ada = instance.json(&["user", "create", "--email", "ada@acme.com"]);
    let all = instance.json(&["connection", "relink", id]);
    assert_eq!(
        (text(&all, "/connection_id"), &all["user_id"]),
        (id, &json!(null))
    );
    let one = instance.json(&["connection", "relink", id, "--user", "ada@acme.com"]);
    assert_eq!(text(&one, "/user_id"), text(&ada, "/id"));
    instance
        .run(&["connection", "relink", id, "--user", "nobody@acme.com"])
        .failed(3, "There is no user");
    let listing = instance.json(&["event", "list", "--kind", "connection.relink_allowed"]);
    assert_eq!(listing["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_secret_does_not_follow_a_connection_to_another_provider() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance
        .run_with("s3cret", &[CONNECT, &["--json"]].concat())
        .json();
    let id = text(&created, "/id");
    for change in [
        ["--issuer", "https://thief.test"],
        ["--discovery-endpoint", "https://thief.test/d"],
        ["--token-uri", "https://thief.test/t"],
    ] {
        let update = [&["connection", "update", id], &change[..]].concat();
        instance
            .run(&update)
            .failed(2, "The client secret would go to whoever answers there now");
    }
    let brought = [
        "connection",
        "update",
        id,
        "--issuer",
        "https://login.acme.test",
        "--client-secret-stdin",
        "--json",
    ];
    let moved = instance.run_with("newer", &brought).json();
    assert_eq!(moved["oidc"]["issuer"], json!("https://login.acme.test"));
    assert_eq!(secret_of(&instance, id).await, "newer");

    instance.json(&["connection", "disable", id]);
    let update = [
        "connection",
        "update",
        id,
        "--issuer",
        "https://thief.test",
        "--json",
    ];
    let forgotten = instance.run(&update);
    assert!(
        forgotten.stderr.contains("The client secret is forgotten"),
        "{}",
        forgotten.stderr
    );
    let forgotten = forgotten.json();
    assert_eq!(
        (&forgotten["has_client_secret"], &forgotten["missing"]),
        (&json!(false), &json!(["client_secret"]))
    );
}

/// What the server does when somebody opens the link and comes back.
async fn come_back(instance: &Instance, connection_id: &str, word: &str, passes: bool) {
    let db = server::open_database(&instance.config()).await.unwrap();
    let id = connection_id.parse().unwrap();
    let (word, now) = (Secret::from_presented(word).sha256(), server::now());
    let claims = json!({ "email": "ada@acme.test", "na\u{1b}me": "\u{202e}Ada" });
    let claims = claims.as_object().unwrap();
    db.tx(async |tx| -> Result<(), genkan_store::Error> {
        let test = connection_test::begin(tx, &id, &word, now)
            .await?
            .expect("it is the word");
        let mut trace = Trace::default();
        if passes {
            trace.pass("Issuer", "https://login.acme.com");
            return connection_test::succeed(tx, &test, claims, &trace).await;
        }
        trace.fail("Audience", "genkan", "another");
        let failure = connection_test::TestFailure {
            error: "id_token_audience_mismatch".to_owned(),
            description: "Enter the client id.".to_owned(),
            details: serde_json::to_value(&trace).expect("it is JSON"),
        };
        connection_test::fail(tx, &test, &failure).await
    })
    .await
    .unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_test_waits_for_whoever_opens_its_link_and_tells_the_checks() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let disabled = [CONNECT, &["--disabled", "--json"]].concat();
    let created = instance.run_with("s3cret", &disabled).json();
    let id = text(&created, "/id");
    for passes in [true, false] {
        let mut child = instance
            .command(&["connection", "test", id])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let word = loop {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "no link was told");
            if let Some((_, word)) = line.trim().split_once("?word=") {
                break word.to_owned();
            }
        };
        come_back(&instance, id, &word, passes).await;
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), passes, "{shown}");
        let expected: &[&str] = match passes {
            true => &["SUCCESS", "ok", "https://login.acme.com", "ada@acme.test"],
            false => &[
                "FAILURE",
                "Enter the client id.",
                "expected genkan, received another",
            ],
        };
        for words in expected {
            assert!(shown.contains(words), "{words} in {shown}");
        }
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
}

#[tokio::test]
async fn names_are_letters_and_no_commands() {
    let instance = Instance::new().await;
    for name in ["Acme\u{1b}[2J", "Acme\u{202e}moc", "Ac\u{2066}me", "Ac\u{85}me"] {
        instance
            .run(&["org", "create", "--name", name])
            .failed(2, "--name holds control characters");
        instance
            .run(&["app", "create", "--name", name])
            .failed(2, "--name holds control characters");
        instance
            .run(&[
                "user",
                "create",
                "--email",
                "ada@acme.test",
                "--family-name",
                name,
            ])
            .failed(2, "--family-name holds control characters");
        let line = json!({ "external_id": "acme", "name": name }).to_string();
        std::fs::write(instance.path().join("organizations.jsonl"), line).unwrap();
        let imported = instance.run(&["import", "organizations", "organizations.jsonl"]);
        let all = format!("{}{}", imported.stdout, imported.stderr);
        assert!(all.contains("name holds control characters"), "{all}");
        assert_ne!(imported.code, 0);
    }
    assert!(ids(&instance.json(&["org", "list"]), "organizations").is_empty());
    instance.json(&["org", "create", "--name", "شركة\u{200f} & Söhne"]);
}
