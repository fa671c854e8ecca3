//! Users at the command line, and how their names are built.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::json;

use super::{Instance, ids, text};

#[tokio::test]
async fn a_user_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        let ada = instance.json(&[
            "user",
            "create",
            "--email",
            "Ada@Acme.com",
            "--name",
            "Ada Lovelace",
            "--organization",
            "acme",
            "--role",
            "member",
        ]);
        let id = text(&ada, "/id");
        assert_eq!(
            (text(&ada, "/email"), text(&ada, "/memberships/0/roles/0")),
            ("ada@acme.com", "member")
        );
        assert_eq!(ada, instance.json(&["user", "show", "ada@acme.com"]));
        let grace = instance.json(&["user", "create", "--email", "grace@acme.com"]);
        assert_eq!(grace["memberships"], json!([]));
        assert_eq!(
            ids(&instance.json(&["user", "list"]), "users"),
            [text(&grace, "/id"), id]
        );
        assert_eq!(
            ids(
                &instance.json(&["user", "list", "--organization", "acme"]),
                "users"
            ),
            [id]
        );

        instance
            .run(&["user", "create", "--email", "ada@acme.com"])
            .failed(1, "Another user has this e-mail address.");
        instance
            .run(&["user", "create", "--email", "ada"])
            .failed(2, "invalid value 'ada'");
        instance
            .run(&[
                "user",
                "create",
                "--email",
                "x@acme.com",
                "--organization",
                "acme",
                "--role",
                "boss",
            ])
            .failed(3, "There is no role \"boss\".\n  The roles are");

        assert_eq!(instance.json(&["user", "disable", id])["disabled"], json!(true));
        assert_eq!(instance.json(&["user", "show", id])["disabled"], json!(true));
        assert_eq!(
            instance.json(&["user", "enable", "ada@acme.com"])["disabled"],
            json!(false)
        );
        instance.json(&["user", "delete", "ada@acme.com", "--yes"]);
        instance
            .run(&["user", "show", "ada@acme.com"])
            .failed(3, "There is no user \"ada@acme.com\".");
    }
}

#[tokio::test]
async fn a_name_is_built_from_its_parts_where_nobody_gave_a_whole_one() {
    let instance = Instance::new().await;
    let create = [
        "user",
        "create",
        "--email",
        "grace@acme.test",
        "--given-name",
        "Grace",
        "--family-name",
        "Hopper",
    ];
    let created = instance.json(&create);
    assert_eq!(created["name"], "Grace Hopper");
    instance.json(&[
        "user",
        "create",
        "--email",
        "plato@acme.test",
        "--given-name",
        "Plato",
    ]);
    for words in [&["user", "list"][..], &["user", "show", "grace@acme.test"]] {
        let shown = instance.run(words).stdout;
        assert!(shown.contains("Grace Hopper"), "{shown}");
    }
    assert_eq!(
        instance.json(&["user", "show", "plato@acme.test"])["name"],
        "Plato"
    );
}
