//! `genkan directory`, and SAML connections.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::json;

use super::{Instance, ids, text};

#[tokio::test]
async fn a_directory_gets_secrets_and_goes_only_when_disabled() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        let create = [
            "directory",
            "create",
            "--organization",
            "acme",
            "--provider",
            "okta",
        ];
        let created = instance.json(&create);
        let id = text(&created, "/id");
        assert_eq!(created["enabled"], json!(true));
        assert_eq!(
            text(&created, "/endpoint"),
            format!("https://auth.example.com/directory/{id}/scim/v2")
        );
        let first = instance.json(&["directory", "secret", id]);
        let second = instance.json(&["directory", "secret", id]);
        assert_ne!(first["secret"], second["secret"]);
        instance.run(&["directory", "secret", id]).failed(1, "--replace");
        instance.json(&["directory", "secret", id, "--replace"]);
        let listing = instance.json(&["directory", "list", "--organization", "acme"]);
        assert_eq!(ids(&listing, "directories"), [id]);
        instance
            .run(&["directory", "delete", id, "--yes"])
            .failed(1, "directory disable");
        assert_eq!(
            instance.json(&["directory", "disable", id])["enabled"],
            json!(false)
        );
        instance.json(&["directory", "delete", id, "--yes"]);
        instance
            .run(&["directory", "enable", id])
            .failed(3, "There is no directory");
    }
}

#[tokio::test]
async fn a_saml_connection_is_enabled_when_it_is_complete() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = ["connection", "create", "--saml", "--organization", "acme"];
    instance.run(&create).failed(2, "idp_metadata_url missing");
    let created = instance.json(&[&create[..], &["--disabled", "--provider", "adfs"]].concat());
    let id = text(&created, "/id");
    assert_eq!(
        (&created["type"], &created["status"]),
        (&json!("SAML"), &json!("DRAFT"))
    );
    instance
        .run(&["connection", "enable", id])
        .failed(1, "idp_metadata_url missing");
    instance
        .run(&[
            "connection",
            "update",
            id,
            "--saml-sso-url",
            "javascript:alert(1)",
        ])
        .failed(2, "--saml-sso-url must be https");
    instance
        .run(&["connection", "update", id, "--client-id", "genkan"])
        .failed(2, "speaks SAML");
    std::fs::write(instance.path().join("broken.xml"), "<a/>").unwrap();
    instance
        .run(&["connection", "update", id, "--saml-metadata-file", "broken.xml"])
        .failed(2, "describes no identity provider");
    let url = "https://idp.acme.test/metadata";
    let updated = instance.json(&["connection", "update", id, "--saml-metadata-url", url]);
    assert_eq!(updated["saml"]["idp_metadata_url"], json!(url));
    assert_eq!(updated["status"], json!("COMPLETED"));
    assert_eq!(
        instance.json(&["connection", "enable", id])["enabled"],
        json!(true)
    );
    let ended = instance.json(&["connection", "disable", id, "--end-sessions"]);
    assert_eq!(ended["enabled"], json!(false));
}
