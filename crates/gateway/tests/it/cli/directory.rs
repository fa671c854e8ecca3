//! `genkan directory`.

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
