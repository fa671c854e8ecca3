//! The simulator of `genkan dev` as a SAML provider.

use std::path::Path;

use serde_json::{Value, json};

use super::{Dev, Ran, genkan};
use crate::cli::text;

/// Runs a command on the instance.
fn run(dev: &Dev, words: &[&str]) -> Value {
    let mut command = genkan();
    command.args(words).arg("--json").arg("--data-dir");
    let folder: &Path = dev.folder.path();
    Ran::from(command.arg(folder).output().unwrap()).json()
}

/// The command on the simulator's first page.
async fn told(dev: &Dev) -> String {
    let host = format!("localhost:{}", dev.listen.port());
    let page = dev.get(dev.listen, "/simulator/", &host).await;
    let (_, rest) = page.split_once(">genkan connection create ").unwrap();
    let (options, _) = rest.split_once('<').unwrap();
    format!("connection create {options}")
}

#[tokio::test]
async fn the_command_on_the_page_makes_a_connection_that_follows_the_simulator() {
    let dev = Dev::start();
    let command = told(&dev).await;
    let words: Vec<&str> = command.split(' ').collect();
    let made = run(&dev, &words);
    assert_eq!((&made["enabled"], &made["missing"]), (&json!(true), &json!([])));
    let id = text(&made, "/id").to_owned();
    let organization = dev.variable("GENKAN_TEST_ORGANIZATION_ID").unwrap();
    assert_eq!(text(&made, "/organization_id"), organization);

    // Nobody's key survives a restart, and the port is another one.
    let dev = Dev::start_in(dev.stop(), &[]);
    let followed = run(&dev, &["connection", "show", &id]);
    let simulator = format!("http://localhost:{}/simulator/saml", dev.listen.port());
    assert_eq!(
        text(&followed, "/saml/idp_entity_id"),
        format!("{simulator}/metadata")
    );
    assert_eq!(
        text(&followed, "/saml/idp_metadata_url"),
        format!("{simulator}/metadata")
    );
    assert_eq!(text(&followed, "/saml/idp_sso_url"), format!("{simulator}/sso"));
    let certificate = text(&followed, "/saml/certificates/0/pem");
    assert_ne!(certificate, text(&made, "/saml/certificates/0/pem"));
    let host = format!("localhost:{}", dev.listen.port());
    let metadata = dev.get(dev.listen, "/simulator/saml/metadata", &host).await;
    let base64: String = certificate
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    assert!(metadata.contains(&base64), "{metadata}");
}
