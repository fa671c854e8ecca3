//! `genkan m2m` and `genkan token`.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::json;

use super::{Instance, ids, text};

#[tokio::test]
async fn a_machine_client_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme-17"]);
        let created = instance.json(&[
            "m2m",
            "create",
            "--organization",
            "acme-17",
            "--name",
            "Reports",
            "--audience",
            "https://api.example.com",
            "--scope",
            "reports:read reports:write",
            "--custom-claim",
            "wksp_id=42",
        ]);
        let id = text(&created, "/id");
        assert!(id.starts_with("m2morg_") && text(&created, "/secret").starts_with("prd_"));
        assert_eq!(created["scopes"], json!(["reports:read", "reports:write"]));
        assert_eq!(
            created["custom_claims"],
            json!([{"key": "wksp_id", "value": "42"}])
        );
        assert_eq!(created["access_token_lifetime"], 3600);

        let update = [
            "m2m",
            "update",
            id,
            "--name",
            "Exports",
            "--audience",
            "",
            "--access-token-lifetime",
            "10m",
        ];
        let updated = instance.json(&update);
        assert_eq!(
            (&updated["name"], &updated["audience"]),
            (&json!("Exports"), &json!([]))
        );
        assert_eq!(
            (&updated["scopes"], &updated["access_token_lifetime"]),
            (&created["scopes"], &json!(600))
        );
        let shown = instance.json(&["m2m", "show", id]);
        assert_eq!(shown, updated);
        assert!(shown.get("secret").is_none(), "the secret was shown again");
        let list = ["m2m", "list", "--organization", "acme-17"];
        assert_eq!(ids(&instance.json(&list), "clients"), [id]);
        assert!(ids(&instance.json(&["app", "list"]), "applications").is_empty());

        let first = text(&shown, "/secrets/0/id");
        instance
            .run(&["m2m", "secret", "delete", id, first, "--yes"])
            .failed(1, "It is the only secret");
        instance.json(&["m2m", "secret", "add", id, "--expires-in", "90d"]);
        instance.json(&["m2m", "secret", "delete", id, first, "--yes"]);

        for (option, value, words) in [
            ("--custom-claim", "nothing", "is not KEY=VALUE"),
            ("--access-token-lifetime", "31d", "30 days"),
            ("--scope", "é", "printable ASCII"),
        ] {
            instance
                .run(&["m2m", "update", id, option, value])
                .failed(2, words);
        }
        instance.json(&["m2m", "delete", id, "--yes"]);
        instance
            .run(&["m2m", "show", id])
            .failed(3, "There is no machine client");
    }
}

#[tokio::test]
async fn an_api_token_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme-17"]);
        let created = instance.json(&[
            "token",
            "create",
            "--organization",
            "acme-17",
            "--description",
            "Nightly export",
            "--custom-claim",
            "tier=gold",
            "--expires-in",
            "90d",
        ]);
        let id = text(&created, "/id");
        let value = text(&created, "/token");
        assert!(value.starts_with("prd_api_") && value.ends_with(text(&created, "/suffix")));
        assert_eq!(created["custom_claims"], json!({"tier": "gold"}));
        let list = ["token", "list", "--organization", "acme-17"];
        assert_eq!(ids(&instance.json(&list), "tokens"), [id]);

        instance.json(&[
            "token",
            "update",
            id,
            "--custom-claim",
            "tier=iron",
            "--description",
            "",
        ]);
        let shown = instance.json(&["token", "show", id]);
        assert_eq!(
            (&shown["custom_claims"], &shown["description"]),
            (&json!({"tier": "iron"}), &json!(null))
        );
        assert!(shown.get("token").is_none(), "the value was shown again");

        let long = format!("tier={}", "x".repeat(257));
        instance
            .run(&["token", "update", id, "--custom-claim", &long])
            .failed(2, "The claims cannot be kept");
        instance
            .run(&["token", "create", "--organization", "acme-17", "--user", "usr_1"])
            .failed(3, "no active member");
        instance.json(&["token", "revoke", id, "--yes"]);
        instance
            .run(&["token", "show", id])
            .failed(3, "There is no token");
        assert!(ids(&instance.json(&list), "tokens").is_empty());
    }
}
