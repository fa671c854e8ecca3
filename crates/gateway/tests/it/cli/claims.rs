//! The claims that a connection reads, and the roles that providers may give.

use genkan::server;
use genkan_store::{Error, Generator, Stamp, Timestamp, connection};
use serde_json::{Value, json};

use super::{Instance, text};

const CONNECT: &[&str] = &[
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
];

async fn connected(more: &[&str]) -> (Instance, String) {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let created = instance.run_with("s3cret", &[CONNECT, more].concat()).json();
    let id = text(&created, "/id").to_owned();
    (instance, id)
}

#[tokio::test]
async fn a_connection_names_the_claims_that_count() {
    let (instance, id) = connected(&["--attribute", "email=mail", "--attribute", "groups=grp"]).await;
    let shown = || instance.json(&["connection", "show", &id])["oidc"].clone();
    let of = |oidc: &Value| {
        let of = |name: &str| oidc[name].clone();
        (of("groups_claim"), of("roles_claim"), of("unnamed_roles_claim"))
    };
    assert_eq!(of(&shown()), (json!("grp"), Value::Null, json!(false)));
    assert_eq!(shown()["attribute_mapping"], json!({ "email": "mail" }));

    let update = |more: &[&str]| instance.run(&[&["connection", "update", id.as_str()], more].concat());
    let ran = update(&[
        "--roles-claim",
        "app_roles",
        "--accept-emails",
        "verified",
        "--json",
    ]);
    let said = &ran.stderr;
    assert!(
        said.contains("genkan role update ROLE --assignable-by-providers"),
        "{said}"
    );
    assert_eq!(of(&shown()), (json!("grp"), json!("app_roles"), json!(false)));
    assert_eq!(shown()["only_verified_email"], true);

    let oidc = update(&[
        "--no-groups-claim",
        "--no-roles-claim",
        "--accept-emails",
        "any",
        "--json",
    ])
    .json();
    assert_eq!(of(&oidc["oidc"]), (Value::Null, Value::Null, json!(false)));
    assert_eq!(
        (
            &shown()["only_verified_email"],
            &shown()["trust_unverified_email"]
        ),
        (&json!(false), &json!(true))
    );
    assert_eq!(update(&["--groups-claim", "a", "--no-groups-claim"]).code, 2);
}

#[tokio::test]
async fn a_role_of_the_environment_is_marked_as_the_providers_to_give() {
    let instance = Instance::new().await;
    let billing = ["role", "create", "billing", "--display-name", "Billing"];
    assert_eq!(instance.json(&billing)["assignable_by_providers"], false);
    let update = |more: &str| instance.json(&["role", "update", "billing", more]);
    assert_eq!(
        update("--assignable-by-providers")["assignable_by_providers"],
        true
    );
    assert_eq!(update("--display-name=Bills")["assignable_by_providers"], true);
    assert_eq!(
        update("--assignable-by-providers=false")["assignable_by_providers"],
        false
    );
    let marked = [
        "role",
        "create",
        "clerk",
        "--display-name",
        "Clerk",
        "--assignable-by-providers",
    ];
    assert_eq!(instance.json(&marked)["assignable_by_providers"], true);
}

/// As after an upgrade from a version that read claims which nobody had named.
#[tokio::test]
async fn the_doctor_tells_what_an_upgrade_left_to_decide() {
    let (instance, id) = connected(&[]).await;
    let told = || {
        let report: Value = serde_json::from_str(&instance.run(&["doctor", "--json"]).stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let claims = checks.into_iter().filter(|check| check["check"] == "Claims");
        claims
            .map(|check| {
                assert_eq!(check["outcome"], "warn");
                assert!(!text(&check, "/remedy").is_empty());
                text(&check, "/message").to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(told(), [""; 0], "nothing to decide");

    let db = server::open_database(&instance.config()).await.unwrap();
    let connection_id = id.parse().unwrap();
    let ids = Generator::random();
    let at = Stamp::new(&ids, Timestamp::from_secs(2_000_000_000));
    db.tx(async |tx| -> Result<(), Error> {
        let mut found = connection::find(tx, &connection_id).await?.unwrap();
        let settings = found.settings.as_oidc_mut().unwrap();
        settings.groups_claim = Some("groups".to_owned());
        settings.groups_claim_by_upgrade = true;
        settings.unnamed_roles_claim = true;
        connection::update(tx, at, &found).await
    })
    .await
    .unwrap();
    db.close().await;
    let messages = told();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("an upgrade named `groups`"), "{messages:?}");
    assert!(
        messages[1].contains("nobody has a role from a provider there"),
        "{messages:?}"
    );
    instance.json(&[
        "connection",
        "update",
        &id,
        "--groups-claim",
        "groups",
        "--roles-claim",
        "roles",
    ]);
    assert_eq!(told(), [""; 0]);
}
