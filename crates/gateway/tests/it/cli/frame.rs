//! Common behaviour of all commands: help, exit codes, finding the instance, confirmation.

use std::process::Stdio;

use insta::assert_snapshot;

use super::{Instance, Ran, genkan, ids, text};

fn run(words: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    genkan()
        .args(words)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

#[test]
fn help_tells_what_there_is() {
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    assert_snapshot!(help.stdout);
}

#[test]
fn every_command_has_help_with_an_example_or_verbs() {
    for verb in [
        "dev",
        "serve",
        "app",
        "org",
        "domain",
        "connection",
        "user",
        "keys",
        "backup",
        "doctor",
        "config",
        "trace",
        "event",
    ] {
        let help = run(&[verb, "--help"]);
        assert_eq!(help.code, 0, "{verb}");
        assert!(
            help.stdout.contains("Examples:") || help.stdout.contains("Commands:"),
            "{verb}: {}",
            help.stdout
        );
    }
}

#[test]
fn an_unknown_command_is_wrong_use() {
    run(&["organisation"]).failed(2, "unrecognized subcommand 'organisation'");
    run(&[]).failed(2, "Usage: genkan");
    run(&["org", "list", "--config", "a", "--data-dir", "b"]).failed(2, "cannot be used with");
    run(&["dev", "--config", "a"]).failed(2, "`genkan dev` reads no configuration file.");
    run(&["serve", "--data-dir", "b"]).failed(2, "--data-dir names a development instance");
}

#[test]
fn without_an_instance_the_command_says_where_it_looked() {
    run(&["org", "list"]).failed(1, "neither ./genkan.toml nor ./genkan-data exists");
    run(&["org", "list", "--data-dir", "nowhere"]).failed(1, "There is no development instance in nowhere.");
    run(&["org", "list", "--config", "nowhere.toml"]).failed(1, "nowhere.toml: cannot be read");
}

#[tokio::test]
async fn an_instance_that_was_never_started_is_not_set_up_by_a_command() {
    let instance = Instance::new().await;
    let text = super::configuration("https://auth.example.com", "127.0.0.1:1", "sqlite:other.db");
    std::fs::write(&instance.config, text).unwrap();
    instance
        .run(&["org", "list"])
        .failed(1, "Start the instance once with `genkan serve`");
    assert!(
        !instance.path().join("other.db").exists(),
        "the command made a database"
    );
}

#[tokio::test]
async fn the_configuration_file_of_the_folder_is_found() {
    let instance = Instance::new().await;
    let mut command = genkan();
    command
        .args(["org", "list", "--json"])
        .current_dir(instance.path());
    let listing = Ran::from(command.output().unwrap()).json();
    assert!(ids(&listing, "organizations").is_empty());
    let mut command = genkan();
    command
        .args(["org", "list"])
        .env("GENKAN_CONFIG", &instance.config);
    assert_eq!(
        Ran::from(command.output().unwrap()).stdout,
        "There are no organizations.\n"
    );
}

#[tokio::test]
async fn what_is_lost_needs_a_yes() {
    let instance = Instance::new().await;
    let acme = instance.json(&["org", "create", "--name", "Acme"]);
    let id = text(&acme, "/id");
    instance
        .run(&["org", "delete", id])
        .failed(2, "Add --yes to do it.");
    assert_eq!(instance.json(&["org", "show", id])["id"], id);
    assert_eq!(instance.json(&["org", "delete", id, "--yes"])["deleted"], true);
    instance
        .run(&["org", "show", id])
        .failed(3, "There is no organization");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let instance = Instance::new().await;
    let mut command = instance.command(&["keys", "list"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn the_version_is_printed() {
    let ran = run(&["version"]);
    assert_eq!(ran.stdout, format!("genkan {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        run(&["version", "--json"]).json()["version"],
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn config_check_prints_every_mistake_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("genkan.toml"),
        "public_url = \"https://a.example/\"\nlisen = 1\n",
    )
    .unwrap();
    let mut command = genkan();
    let ran = Ran::from(
        command
            .args(["config", "check"])
            .current_dir(folder.path())
            .output()
            .unwrap(),
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert_snapshot!(ran.stderr, @r#"
    error: The configuration has 3 mistakes.

    genkan.toml: instance_key_file is missing
      Run `genkan keys generate-instance-key --output instance.key` and write instance_key_file = "instance.key", or set GENKAN_INSTANCE_KEY.
    genkan.toml:1:14: public_url must be an address without a path, not "https://a.example/"
      Write "https://a.example": lower case, no path, no trailing slash, no user, no default port.
    genkan.toml:2:1: lisen is not a key
      Did you mean listen?
    "#);
    let mut command = genkan();
    command
        .args(["config", "check", "--json"])
        .current_dir(folder.path());
    let ran = Ran::from(command.output().unwrap());
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.code, 1);
    assert_eq!(text(&report, "/mistakes/2/place"), "genkan.toml:2:1");
}

#[tokio::test]
async fn config_check_and_show_work_without_a_database() {
    let instance = Instance::new().await;
    assert!(
        instance
            .run(&["config", "check"])
            .stdout
            .ends_with("genkan.toml is in order.\n")
    );
    let shown = instance.run(&["config", "show"]).stdout;
    assert!(
        shown.starts_with("public_url = \"https://auth.example.com\"  # "),
        "{shown}"
    );
}

#[test]
fn an_instance_key_is_made_once_per_file() {
    let folder = tempfile::tempdir().unwrap();
    let generate = || {
        let mut command = genkan();
        command
            .args(["keys", "generate-instance-key", "--output", "instance.key"])
            .current_dir(folder.path());
        Ran::from(command.output().unwrap())
    };
    assert_eq!(generate().code, 0);
    generate().failed(1, "A key is never overwritten");
    let (one, other) = (
        run(&["keys", "generate-instance-key"]),
        run(&["keys", "generate-instance-key"]),
    );
    assert_eq!(one.stdout.trim().len(), 44);
    assert_ne!(one.stdout, other.stdout);
}
