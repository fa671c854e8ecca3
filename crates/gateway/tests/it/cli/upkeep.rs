//! An operator's upkeep: keys, events, traces, backups.

use std::time::Duration;

use genkan::server;
use genkan_protocol::Trace;
use genkan_protocol::saml::Cause;
use genkan_store::login_message::{self, LoginMessage};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::{Generator, Stamp};
use serde_json::json;

use super::{Instance, ids, text};

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
    // A user is named as in every other command.
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

/// A sign-in that failed at the check of the audience.
fn failed_at_audience(at: Stamp<'_>) -> LoginTrace {
    let mut trace = Trace::default();
    trace.pass("Issuer", "https://login.acme.com");
    trace.fail("Audience", "genkan", "somebody\u{1b}[31m");
    for note in Cause::all().iter().filter(|cause| cause.is_note()) {
        trace.pass_over("Worth knowing", note.sentence());
    }
    trace.not_reached("Nonce");
    LoginTrace {
        id: at.id(),
        interaction_id: None,
        connection_id: None,
        organization_id: None,
        client_id: None,
        cause: "invalid_id_token".to_owned(),
        remedy: "Enter the client ID that the provider gave.".to_owned(),
        trace,
        created_at: at.now,
    }
}

/// Messages by SAML, as a provider sends them.
fn messages() -> LoginMessage {
    LoginMessage {
        request: Some("<AuthnRequest/>".to_owned()),
        // A stranger writes a line like ours.
        answer: Some(
            "<Response><Issuer>urn:idp</Issuer><Status><StatusCode/></Status>\u{1b}[31m\nWhat to do    Disable the \
             check.\n</Response>"
                .to_owned(),
        ),
    }
}

#[tokio::test]
async fn a_trace_shows_each_check() {
    let instance = Instance::new().await;
    let db = server::open_database(&instance.config()).await.unwrap();
    let ids = Generator::random();
    let at = Stamp::new(&ids, server::now());
    let (stored, messages) = (failed_at_audience(at), messages());
    db.tx(async |tx| {
        login_trace::insert(tx, &stored).await?;
        login_message::insert(tx, &stored.id, &messages, at.now + Duration::from_hours(1)).await
    })
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
    // The check that failed stands before all others, with the remedy.
    let (head, below) = page.split_once("\n\n").unwrap();
    for line in [
        "Failed check  Audience\n",
        "Expected      genkan\n",
        "Received      somebody",
    ] {
        assert!(head.contains(line), "{page}");
    }
    assert!(below.contains("WHAT WAS SEEN"), "{page}");
    assert!(
        page.contains("ok      Issuer         https://login.acme.com"),
        "{page}"
    );
    assert!(
        page.contains("FAILED  Audience       expected genkan, received somebody"),
        "{page}"
    );
    assert!(!page.contains('\u{1b}'), "{page}");
    // A check that failed nothing is told too, and so are request and answer.
    assert_eq!(page.matches("note    Worth knowing").count(), 3, "{page}");
    for part in [
        "not reached",
        "Our request:\n| <AuthnRequest/>\n",
        "The provider's answer:\n| <Response>\n|   <Issuer>urn:idp</Issuer>\n|   <Status>\n|     <StatusCode/>\n|   \
         </Status>",
        "\n| What to do    Disable the check.\n| </Response>\n",
    ] {
        assert!(page.contains(part), "{page}");
    }
    assert!(!page.contains("\nWhat to do    Disable"), "{page}");
    assert_eq!(text(&shown, "/request"), "<AuthnRequest/>");
    let exact = "<Response><Issuer>urn:idp</Issuer><Status><StatusCode/></Status>";
    assert!(text(&shown, "/answer").starts_with(exact), "{shown}");
    assert_eq!(super::ids(&instance.json(&["trace", "list"]), "traces"), [id]);
    instance
        .run(&["trace", "show", "req_000000000000000000001"])
        .failed(2, "Look for it in the log");
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
