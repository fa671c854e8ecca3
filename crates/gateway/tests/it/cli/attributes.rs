//! `genkan attribute`, and connections that map what it registers.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::{Value, json};

use super::{Instance, text};

#[tokio::test]
async fn an_attribute_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        let created = instance.json(&[
            "attribute",
            "create",
            "level",
            "--label",
            "Level",
            "--type",
            "number",
            "--oidc-claim",
            "job_level",
        ]);
        assert_eq!(
            [
                &created["key"],
                &created["type"],
                &created["enabled"],
                &created["required"]
            ],
            [&json!("level"), &json!("number"), &json!(true), &json!(false)]
        );
        assert_eq!(
            (&created["oidc_claim"], &created["saml_attribute"]),
            (&json!("job_level"), &Value::Null)
        );
        assert_eq!(created, instance.json(&["attribute", "show", "level"]));
        for key in ["level", "Level"] {
            instance
                .run(&["attribute", "create", key])
                .failed(1, "An attribute with this key is registered already.");
        }
        let updated = instance.json(&[
            "attribute",
            "update",
            "level",
            "--required",
            "--enabled",
            "off",
            "--oidc-claim",
            "",
        ]);
        assert_eq!(
            [
                &updated["label"],
                &updated["enabled"],
                &updated["required"],
                &updated["oidc_claim"]
            ],
            [&json!("Level"), &json!(false), &json!(true), &Value::Null]
        );
        let before = instance.json(&["event", "list"]);
        instance
            .run(&["attribute", "update", "level"])
            .failed(2, "There is nothing to change.");
        assert_eq!(instance.json(&["event", "list"]), before);
        let listing = instance.json(&["attribute", "list"]);
        assert_eq!(listing["attributes"], json!([updated]));
        instance
            .run(&["attribute", "delete", "level"])
            .failed(2, "there is nobody to ask");
        instance.json(&["attribute", "delete", "level", "--yes"]);
        for words in [
            &["attribute", "show", "level"][..],
            &["attribute", "update", "level", "--label", "Level"],
            &["attribute", "delete", "level", "--yes"],
        ] {
            instance.run(words).failed(3, "There is no attribute \"level\".");
        }
    }
}

#[tokio::test]
async fn bad_words_are_refused_by_their_names() {
    let instance = Instance::new().await;
    for (words, sentence) in [
        (&["create", "no"][..], "write 3 to 25 letters"),
        (&["create", "roles"], "tokens have another claim of this name"),
        (
            &["create", "level", "--type", "integer"],
            "write string, number, bool, array or object",
        ),
        (&["create", "Email"], "tokens have another claim of this name"),
        (&["create", "level", "--label", ""], "--label is empty."),
        (
            &["create", "level", "--label", "No"],
            "--label is no label: write at least 3 characters.",
        ),
        (
            &["create", "level", "--oidc-claim", &"c".repeat(257)],
            "--oidc-claim is longer than 256 characters.",
        ),
    ] {
        let words: Vec<&str> = ["attribute"].iter().chain(words).copied().collect();
        instance.run(&words).failed(2, sentence);
    }
    for number in 0..20 {
        instance.json(&["attribute", "create", &format!("key-{number}")]);
    }
    instance
        .run(&["attribute", "create", "one-more"])
        .failed(1, "There are 20 attributes already");
}

#[tokio::test]
async fn a_connection_maps_what_is_registered() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = [
        "connection",
        "create",
        "--saml",
        "--organization",
        "acme",
        "--disabled",
        "--attribute",
        "custom.department=dept",
    ];
    instance
        .run(&create)
        .failed(2, "--attribute names \"custom.department\", which is neither");
    instance.json(&["attribute", "create", "department"]);
    let connection = instance.json(&create);
    let id = text(&connection, "/id");
    instance
        .run(&["attribute", "delete", "department", "--yes"])
        .failed(1, &format!("Connections map the attribute: {id}."));
    instance.json(&["connection", "update", id, "--attribute", "custom.department="]);
    instance.json(&["attribute", "delete", "department", "--yes"]);
}

/// Before, such a name was stored as if it were a custom attribute, and no sign-in read it.
#[tokio::test]
async fn a_misspelt_attribute_is_refused_with_the_one_that_was_meant() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = [
        "connection",
        "create",
        "--saml",
        "--organization",
        "acme",
        "--disabled",
    ];
    let misspelt = ["--attribute", "emial=mail"];
    let refused = instance.run(&[&create[..], &misspelt].concat());
    refused.failed(2, "--attribute names \"emial\", which is neither");
    for part in [
        "Did you mean email?",
        "`genkan attribute create emial` registers a custom attribute: then write custom.emial.",
    ] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let connection = instance.json(&create);
    let update = ["connection", "update", text(&connection, "/id")];
    instance
        .run(&[&update[..], &misspelt].concat())
        .failed(2, "Did you mean email?");
    instance.json(&["attribute", "create", "department"]);
    instance
        .run(&[&update[..], &["--attribute", "deprtment=dept"]].concat())
        .failed(2, "Did you mean custom.department?");
    // The key of a registered attribute counts without the prefix, as in the API.
    instance.json(&[&update[..], &["--attribute", "department=dept"]].concat());
    instance.json(&[&update[..], &["--attribute", "deprtment="]].concat());
}

/// Before, an administrator learned it from the first person who was refused.
#[tokio::test]
async fn a_required_attribute_names_the_connections_that_do_not_map_it() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
        instance.json(&["attribute", "create", "department"]);
        let create = [
            "connection",
            "create",
            "--saml",
            "--organization",
            "acme",
            "--disabled",
        ];
        let maps = instance.json(&[&create[..], &["--attribute", "custom.department=dept"]].concat());
        let lacks = instance.json(&create);
        let (maps, lacks) = (text(&maps, "/id"), text(&lacks, "/id"));
        let update = |words: &[&str]| {
            let all = [&["attribute", "update", "department"][..], words].concat();
            let ran = instance.run(&all);
            assert_eq!(ran.code, 0, "{ran:?}");
            ran.stderr
        };
        let warned = update(&["--required", "on"]);
        assert!(
            warned.contains(&format!("no source for department: {lacks}.")),
            "{warned}"
        );
        assert!(warned.contains("--attribute custom.department=NAME"), "{warned}");
        assert!(!warned.contains(maps), "{warned}");
        // It refuses nobody while it is off, and a source of the register serves every connection by SAML.
        for harmless in [
            &["--enabled", "off"][..],
            &["--enabled", "on", "--saml-attribute", "department"],
            &["--saml-attribute", "", "--required", "off"],
        ] {
            let warned = update(harmless);
            assert!(!warned.contains("no source"), "{harmless:?}: {warned}");
        }
        let created = instance.run(&["attribute", "create", "level", "--required"]);
        assert!(created.stderr.contains("no source for level: "), "{created:?}");
        assert!(
            created.stderr.contains(maps) && created.stderr.contains(lacks),
            "{created:?}"
        );
    }
}
