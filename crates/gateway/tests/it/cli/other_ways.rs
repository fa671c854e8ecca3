//! `genkan org allow-other-ways`, and the events of what is gone.

use serde_json::json;

use super::{Instance, text};

#[tokio::test]
async fn an_organization_whose_connection_is_gone_is_opened_by_an_operators_word() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    assert_eq!(instance.json(&["org", "show", "acme"])["connection_gone"], false);
    let made = instance.run_with(
        "secret",
        &[
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
            "--json",
        ],
    );
    let id = text(&made.json(), "/id").to_owned();
    instance
        .run(&["org", "allow-other-ways", "acme", "--yes"])
        .failed(1, "Acme has a connection, and is entered by that alone.");
    instance.json(&["connection", "delete", &id, "--yes"]);
    assert_eq!(instance.json(&["org", "show", "acme"])["connection_gone"], true);
    let shown = instance.run(&["org", "show", "acme"]);
    assert!(shown.stdout.contains("nobody enters"), "{}", shown.stdout);
    let opened = instance.run(&["org", "allow-other-ways", "acme", "--yes", "--json"]);
    assert!(
        opened.stderr.contains("Other ways are allowed from now on."),
        "{}",
        opened.stderr
    );
    let opened = opened.json();
    assert_eq!(
        (&opened["connection_gone"], &opened["other_ways_allowed"]),
        (&json!(false), &json!(true))
    );
    let shown = instance.run(&["org", "show", "acme"]);
    assert!(
        shown.stdout.contains("enter with sessions of elsewhere"),
        "{}",
        shown.stdout
    );
    // Again it changes nothing.
    let again = instance.run(&["org", "allow-other-ways", "acme"]);
    assert!(again.stderr.contains("nothing was changed"), "{}", again.stderr);
    let events = instance.json(&["event", "list", "--kind", "organization.updated"]);
    assert_eq!(events["events"].as_array().unwrap().len(), 1);
    // Events of a connection are found by it.
    let about = instance.json(&["event", "list", "--connection", &id]);
    let kinds: Vec<_> = about["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds.first(), Some(&json!("organization.sso_deleted")), "{about}");
    instance
        .run(&["event", "list", "--directory", &id])
        .failed(2, "not an identifier of the right kind");
}
