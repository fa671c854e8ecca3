//! The findings of `genkan doctor`; the healthy case is in `running_server.rs`.

use genkan::config::InstanceKeyBytes;
use serde_json::Value;

use super::{Instance, Ran, text};

/// The report, and the message of every check that failed.
fn failures(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, 1, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let checks = report["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| text(check, "/outcome") == "fail");
    failed
        .map(|check| {
            assert!(!text(check, "/remedy").is_empty(), "{check} has no remedy");
            format!("{}: {}", text(check, "/check"), text(check, "/message"))
        })
        .collect()
}

#[tokio::test]
async fn a_wrong_instance_key_is_found() {
    let instance = Instance::new().await;
    std::fs::remove_file(instance.path().join("instance.key")).unwrap();
    InstanceKeyBytes::generate()
        .write_new_file(&instance.path().join("instance.key"))
        .unwrap();
    let found = failures(&instance.run(&["doctor", "--json"]));
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("Instance key: does not belong to this database")),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_database_that_is_missing_is_not_made() {
    let instance = Instance::new().await;
    let text = super::configuration("http://localhost:1", "127.0.0.1:1", "sqlite:absent.db");
    std::fs::write(&instance.config, text).unwrap();
    let found = failures(&instance.run(&["doctor", "--json"]));
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("Database: there is no database at")),
        "{found:?}"
    );
    assert!(!instance.path().join("absent.db").exists());
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    let instance = Instance::new().await;
    let text = super::configuration(
        "http://localhost:1",
        "127.0.0.1:1",
        "postgres://genkan:hunter2@127.0.0.1:1/genkan",
    );
    std::fs::write(&instance.config, text).unwrap();
    let ran = instance.run(&["doctor", "--json"]);
    let found = failures(&ran);
    assert!(
        found.iter().any(|line| line.starts_with("Database: ")),
        "{found:?}"
    );
    assert!(
        !ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_told_from_a_way_that_is_blocked() {
    let instance = Instance::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap().to_string();
    let database = instance.config().database_url();
    let configure = |listen: &str| {
        let text = super::configuration("http://localhost:1", listen, database.expose());
        std::fs::write(&instance.config, text).unwrap();
    };
    configure(&listen);
    let blocked = instance.run(&["doctor"]).stdout;
    assert!(
        blocked.contains(&format!("Something listens on {listen}")),
        "{blocked}"
    );
    drop(listener);
    configure("127.0.0.1:1");
    let down = instance.run(&["doctor"]).stdout;
    assert!(
        down.contains("Nothing listens on 127.0.0.1:1 either: start the server."),
        "{down}"
    );
}

#[tokio::test]
async fn an_identity_provider_that_does_not_answer_is_named() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = [
        "connection",
        "create",
        "--oidc",
        "--organization",
        "acme",
        "--issuer",
        "https://127.0.0.1:1",
        "--client-id",
        "genkan",
        "--client-secret",
        "s3cret",
    ];
    let connection = instance.json(&create);
    let found = failures(&instance.run(&["doctor", "--json"]));
    let id = text(&connection, "/id");
    assert!(
        found
            .iter()
            .any(|line| line.starts_with(&format!("Connections: {id} (127.0.0.1): "))),
        "{found:?}"
    );

    instance.json(&["connection", "disable", id]);
    let found = failures(&instance.run(&["doctor", "--json"]));
    assert!(
        !found.iter().any(|line| line.starts_with("Connections")),
        "{found:?}"
    );
}

/// curl would reach it, for nothing guards curl.
#[tokio::test]
async fn a_provider_in_a_private_network_is_told_with_the_setting_that_allows_it() {
    let instance = Instance::new().await;
    let config = std::fs::read_to_string(&instance.config).unwrap();
    let config = config.replace(
        "allow_private_addresses = true",
        "allow_private_addresses = false",
    );
    std::fs::write(&instance.config, config).unwrap();
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = "connection create --oidc --organization acme --client-id genkan --client-secret s3cret";
    let create: Vec<&str> = create
        .split(' ')
        .chain(["--issuer", "https://127.0.0.1:1"])
        .collect();
    instance.json(&create);
    let told = instance.run(&["doctor"]).stdout;
    assert!(
        told.contains("set outbound.allow_private_addresses = true"),
        "{told}"
    );
    assert!(!told.contains("curl"), "{told}");
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_findings() {
    let instance = Instance::new().await;
    std::fs::write(&instance.config, "public_url = \"https://a.example/\"\n").unwrap();
    let found = failures(&instance.run(&["doctor", "--json"]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[1].contains("genkan.toml:1:14: public_url must be an address without a path"),
        "{found:?}"
    );
}
