//! Organizations at the command line: create, list, show, change, delete.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::json;

use super::{Instance, ids, text};

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
        instance
            .run(&["domain", "create", "ACME.com", "--organization", "acme-17"])
            .failed(1, "has the domain acme.com already.");
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
