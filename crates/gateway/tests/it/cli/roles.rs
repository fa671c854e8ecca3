//! `genkan role` and `genkan permission`.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::{Value, json};

use super::{Instance, text};

fn names<'a>(listing: &'a Value, of: &str) -> Vec<&'a str> {
    let rows = listing[of].as_array().expect("a list");
    rows.iter().map(|row| text(row, "/name")).collect()
}

#[tokio::test]
async fn a_permission_comes_and_goes() {
    let instance = Instance::new().await;
    instance.json(&[
        "permission",
        "create",
        "invoices:read",
        "--description",
        "Sees invoices",
    ]);
    instance.json(&["permission", "create", "invoices:write"]);
    let listing = instance.json(&["permission", "list"]);
    assert_eq!(
        names(&listing, "permissions"),
        ["invoices:write", "invoices:read"]
    );
    instance
        .run(&["permission", "create", "invoices:read"])
        .failed(1, "A permission of this name exists.");
    instance
        .run(&["permission", "create", "invoices.read"])
        .failed(2, "letters, digits, underscores and colons");
    let renamed = instance.json(&["permission", "update", "invoices:read", "--name", "bills:read"]);
    assert_eq!(
        (text(&renamed, "/name"), text(&renamed, "/description")),
        ("bills:read", "Sees invoices")
    );
    instance
        .run(&["permission", "delete", "invoices:write"])
        .failed(2, "there is nobody to ask");
    instance.json(&["permission", "delete", "invoices:write", "--yes"]);
    instance
        .run(&["permission", "delete", "invoices:write", "--yes"])
        .failed(3, "There is no permission \"invoices:write\".");
}

#[tokio::test]
async fn a_role_comes_and_goes_on_both_engines() {
    for database in Scratch::each_with(MIGRATIONS).await {
        let instance = Instance::on(database, Kind::Production).await;
        for name in ["read", "write"] {
            instance.json(&["permission", "create", name]);
        }
        let reader = [
            "role",
            "create",
            "reader",
            "--display-name",
            "Reader",
            "--permission",
            "read",
        ];
        assert_eq!(instance.json(&reader)["permissions"], json!(["read"]));
        instance.run(&reader).failed(1, "A role of this name exists.");
        let writer = instance.json(&[
            "role",
            "create",
            "writer",
            "--display-name",
            "Writer",
            "--extends",
            "reader",
            "--permission",
            "write",
        ]);
        assert_eq!(text(&writer, "/extends"), "reader");
        assert_eq!(writer["effective_permissions"], json!(["read", "write"]));
        assert_eq!(writer, instance.json(&["role", "show", "writer"]));
        let unknown = [
            "role",
            "create",
            "spy",
            "--display-name",
            "Spy",
            "--permission",
            "spy",
        ];
        instance
            .run(&unknown)
            .failed(3, "There is no permission \"spy\".");
        assert_eq!(
            names(&instance.json(&["role", "list"]), "roles"),
            ["admin", "member", "reader", "writer"],
            "half a command was kept"
        );

        instance
            .run(&["role", "update", "reader", "--extends", "writer"])
            .failed(1, "The role would extend itself.");
        instance
            .run(&["role", "delete", "reader", "--yes"])
            .failed(1, "Other roles extend the role.");
        let free = instance.json(&["role", "update", "writer", "--extends", "", "--permission", ""]);
        assert_eq!(
            (&free["extends"], &free["effective_permissions"]),
            (&Value::Null, &json!([]))
        );
        instance.json(&["role", "delete", "reader", "--yes"]);
        instance
            .run(&["role", "show", "reader"])
            .failed(3, "There is no role \"reader\".");
    }
}

#[tokio::test]
async fn new_members_get_the_default_roles() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    instance.json(&["role", "create", "guest", "--display-name", "Guest"]);
    instance.json(&["role", "update", "guest", "--default-member"]);
    instance.json(&[
        "role",
        "update",
        "admin",
        "--display-name",
        "Chief",
        "--default-creator",
    ]);
    instance.json(&[
        "role",
        "create",
        "clerk",
        "--display-name",
        "Clerk",
        "--organization",
        "acme",
    ]);
    let join = |address: &str| {
        let user = instance.json(&["user", "create", "--email", address, "--organization", "acme"]);
        user["memberships"][0]["roles"].clone()
    };
    assert_eq!(join("ada@acme.com"), json!(["admin"]));
    assert_eq!(join("bob@acme.com"), json!(["guest"]));
    let clerk = instance.json(&[
        "role",
        "update",
        "clerk",
        "--organization",
        "acme",
        "--default-member",
    ]);
    assert_eq!(clerk["default_member"], json!(true));
    assert_eq!(join("eve@acme.com"), json!(["clerk"]));

    instance
        .run(&[
            "role",
            "update",
            "member",
            "--organization",
            "acme",
            "--display-name",
            "x",
        ])
        .failed(1, "The role member belongs to the environment.");
    instance.json(&[
        "role",
        "update",
        "member",
        "--organization",
        "acme",
        "--default-member",
    ]);
    assert_eq!(join("mel@acme.com"), json!(["member"]));
    instance
        .run(&["role", "delete", "clerk", "--organization", "acme", "--yes"])
        .failed(1, "People have the role.");
    instance.json(&[
        "role",
        "delete",
        "clerk",
        "--organization",
        "acme",
        "--reassign",
        "guest",
        "--yes",
    ]);
    let eve = instance.json(&["user", "show", "eve@acme.com"]);
    assert_eq!(eve["memberships"][0]["roles"], json!(["guest"]));
    let listed = instance.run(&["role", "list", "--organization", "acme"]);
    let environment = listed
        .stdout
        .lines()
        .filter(|line| line.contains("environment"))
        .count();
    assert_eq!((environment, listed.stdout.contains("clerk")), (3, false));
}
