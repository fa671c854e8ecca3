//! Every field that a command sets at creation can be changed and cleared.

use clap::{Command, CommandFactory};
use genkan::cli::Cli;
use genkan_db::testing::Scratch;
use genkan_store::environment::Kind;
use serde_json::{Value, json};

use super::{Instance, text};

/// What is said when something is created and not afterwards, and where it is changed.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "app",
        "type",
        "an application of another type has other rules for its secrets: register another",
    ),
    ("connection", "oidc", "the protocol: create another connection"),
    ("connection", "saml", "the protocol: create another connection"),
    (
        "connection",
        "organization",
        "identities belong to it: create another connection",
    ),
    (
        "connection",
        "disabled",
        "`genkan connection enable` and `disable`",
    ),
    (
        "directory",
        "organization",
        "its people belong to it: create another directory",
    ),
    (
        "domain",
        "domain",
        "its name is what it is: create another domain",
    ),
    (
        "m2m",
        "organization",
        "its tokens speak for it: register another client",
    ),
    ("org", "domain", "`genkan domain create` and `delete`"),
    (
        "permission",
        "name",
        "the first word of update is its name, --name another",
    ),
    ("role", "name", "tokens carry it, for good"),
    (
        "token",
        "organization",
        "whom it stands for is what it is: make another token",
    ),
    (
        "token",
        "user",
        "whom it stands for is what it is: make another token",
    ),
    (
        "token",
        "expires_in",
        "whoever was given it counts on it: make another token",
    ),
    (
        "user",
        "organization",
        "`genkan user membership add` and `remove`",
    ),
    ("user", "role", "`genkan user membership roles`"),
];

/// The options and words of a command, as `--help` names them.
fn arguments(command: &Command) -> Vec<String> {
    let name = |argument: &clap::Arg| {
        let long = argument.get_long().map(|long| long.replace('-', "_"));
        long.unwrap_or_else(|| argument.get_id().to_string())
    };
    command
        .get_arguments()
        .filter(|argument| !argument.is_global_set())
        .map(name)
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn whatever_create_takes_update_takes() {
    let cli = Cli::command();
    let (mut missing, mut used) = (Vec::new(), Vec::new());
    for noun in cli.get_subcommands() {
        let Some(create) = noun.find_subcommand("create") else {
            continue;
        };
        let update = noun.find_subcommand("update").map(arguments);
        let Some(update) = update else {
            missing.push(format!("genkan {} update", noun.get_name()));
            continue;
        };
        for argument in arguments(create) {
            let elsewhere = ELSEWHERE
                .iter()
                .find(|(of, name, _)| *of == noun.get_name() && *name == argument);
            match elsewhere {
                Some(known) => used.push(known),
                None if update.contains(&argument) => {}
                None => missing.push(format!("genkan {} update --{argument}", noun.get_name())),
            }
        }
    }
    assert!(
        missing.is_empty(),
        "what can be created cannot be changed: {missing:#?}"
    );
    assert_eq!(
        used.len(),
        ELSEWHERE.len(),
        "some of the exceptions are none any more"
    );
}

#[tokio::test]
async fn an_organization_is_renamed_and_its_facts_are_changed_on_both_engines() {
    for database in Scratch::each().await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&[
            "org",
            "create",
            "--name",
            "Acme",
            "--external-id",
            "acme",
            "--metadata",
            "plan=gold",
        ]);
        let updated = instance.json(&[
            "org",
            "update",
            "acme",
            "--name",
            "Acme Corporation",
            "--slug",
            "acme.corp",
            "--logo-url",
            "https://acme.test/logo.png",
            "--region",
            "eu",
            "--metadata",
            "desk=1A",
        ]);
        assert_eq!(updated["display_name"], json!("Acme Corporation"));
        assert_eq!(
            (&updated["slug"], &updated["region"]),
            (&json!("acme.corp"), &json!("EU"))
        );
        assert_eq!(updated["external_id"], json!("acme"));
        assert_eq!(updated["metadata"], json!({ "plan": "gold", "desk": "1A" }));
        let cleared = instance.json(&[
            "org",
            "update",
            "acme",
            "--external-id",
            "",
            "--slug",
            "",
            "--logo-url",
            "",
            "--region",
            "",
            "--no-metadata",
        ]);
        for name in ["external_id", "slug", "logo_url", "region"] {
            assert_eq!(cleared[name], json!(null), "{name}");
        }
        assert_eq!(cleared["metadata"], json!({}));
        let id = text(&cleared, "/id");
        assert_eq!(
            instance.json(&["org", "show", id])["display_name"],
            json!("Acme Corporation")
        );
        instance
            .run(&["org", "update", id, "--slug", "Acme!"])
            .failed(2, "small letters");
        instance
            .run(&["org", "update", id, "--logo-url", "javascript:alert(1)"])
            .failed(2, "https://");
        instance
            .run(&["org", "update", "nobody", "--name", "A"])
            .failed(3, "no organization");
    }
}

#[tokio::test]
async fn a_user_is_renamed_and_moves_to_another_address_on_both_engines() {
    for database in Scratch::each().await {
        let instance = Instance::on(database, Kind::Production).await;
        let ada = instance.json(&[
            "user",
            "create",
            "--email",
            "ada@acme.test",
            "--given-name",
            "Ada",
            "--metadata",
            "desk=1A",
        ]);
        let id = text(&ada, "/id");
        let updated = instance.json(&[
            "user",
            "update",
            "ada@acme.test",
            "--family-name",
            "King",
            "--external-id",
            "u-1",
            "--locale",
            "de-AT",
            "--phone-number",
            "+442079460000",
            "--email",
            "ada@king.test",
            "--metadata",
            "desk=",
            "--metadata",
            "floor=2",
        ]);
        assert_eq!(
            (text(&updated, "/id"), text(&updated, "/email")),
            (id, "ada@king.test")
        );
        assert_eq!(updated["email_verified"], json!(false));
        assert_eq!(
            (text(&updated, "/name"), text(&updated, "/external_id")),
            ("Ada King", "u-1")
        );
        assert_eq!(updated["metadata"], json!({ "floor": "2" }));
        let cleared = instance.json(&[
            "user",
            "update",
            id,
            "--given-name",
            "",
            "--family-name",
            "",
            "--external-id",
            "",
            "--locale",
            "",
            "--phone-number",
            "",
            "--no-metadata",
        ]);
        for name in [
            "name",
            "given_name",
            "family_name",
            "external_id",
            "locale",
            "phone_number",
        ] {
            assert_eq!(cleared[name], json!(null), "{name}");
        }
        assert_eq!(cleared["metadata"], json!({}));
        instance.json(&["user", "create", "--email", "grace@acme.test"]);
        instance
            .run(&["user", "update", id, "--email", "grace@acme.test"])
            .failed(1, "Another user has this e-mail address");
        instance
            .run(&["user", "update", id, "--name", "Ada\u{202e}"])
            .failed(2, "--name holds control characters");
    }
}

#[tokio::test]
async fn a_domain_is_shown_and_gets_another_purpose_on_both_engines() {
    for database in Scratch::each().await {
        let instance = Instance::on(database, Kind::Production).await;
        instance.json(&[
            "org",
            "create",
            "--name",
            "Acme",
            "--external-id",
            "acme",
            "--domain",
            "acme.test",
        ]);
        let of_acme = ["--organization", "acme"];
        let show =
            |instance: &Instance| instance.json(&[&["domain", "show", "acme.test"], &of_acme[..]].concat());
        let before = show(&instance);
        let update = |kind| {
            instance.json(&[&["domain", "update", "acme.test", "--kind", kind], &of_acme[..]].concat())
        };
        instance.json(&[&["domain", "verify", "acme.test", "--as-operator"], &of_acme[..]].concat());
        let updated = update("allowed-email");
        assert_eq!(
            (text(&updated, "/kind"), text(&updated, "/id")),
            ("ALLOWED_EMAIL_DOMAIN", text(&before, "/id"))
        );
        let back = update("organization");
        assert_eq!(back["kind"], json!("ORGANIZATION_DOMAIN"));
        // What was proved of it is forgotten.
        assert_eq!(back["proved_by"], json!(null));
        assert_eq!(back["created_at"], before["created_at"]);
        // Nobody takes a domain from the organization that has it by changing its purpose.
        instance.json(&["org", "create", "--name", "Beta", "--external-id", "beta"]);
        let allowed = [
            "domain",
            "create",
            "acme.test",
            "--organization",
            "beta",
            "--kind",
            "allowed-email",
        ];
        instance.json(&allowed);
        instance
            .run(&[
                "domain",
                "update",
                "acme.test",
                "--organization",
                "beta",
                "--kind",
                "organization",
            ])
            .failed(1, "has this domain already");
        let kept = instance.json(&["domain", "show", "acme.test", "--organization", "beta"]);
        assert_eq!(kept["kind"], json!("ALLOWED_EMAIL_DOMAIN"));
    }
}

#[tokio::test]
async fn a_directory_is_renamed() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let made = instance.json(&[
        "directory",
        "create",
        "--organization",
        "acme",
        "--provider",
        "okta",
    ]);
    let id = text(&made, "/id");
    let updated = instance.json(&["directory", "update", id, "--name", "People", "--provider", ""]);
    assert_eq!(
        (&updated["name"], &updated["provider"]),
        (&json!("People"), &json!(null))
    );
}

/// What sets a setting of a connection, where it is shown, as what, and what clears it.
type Setting = (
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static [&'static str],
);

const SETTINGS: &[Setting] = &[
    (
        &["--name", "Okta"],
        "/name",
        r#""Okta""#,
        &["--name", "login.acme.test"],
    ),
    (
        &["--provider", "okta"],
        "/provider",
        r#""OKTA""#,
        &["--provider", "custom"],
    ),
    (
        &["--button-title", "Acme"],
        "/button_title",
        r#""Acme""#,
        &["--button-title", ""],
    ),
    (
        &["--key-id", "acme-okta"],
        "/key_id",
        r#""acme-okta""#,
        &["--key-id", ""],
    ),
    (&["--jit", "off"], "/jit_provisioning", "false", &["--jit", "on"]),
    (&["--no-jit"], "/jit_provisioning", "false", &["--jit", "on"]),
    (
        &["--no-sync-profile"],
        "/sync_profile",
        "false",
        &["--sync-profile", "on"],
    ),
    (
        &["--insecure-http"],
        "/oidc/insecure_http",
        "true",
        &["--insecure-http", "off"],
    ),
    (
        &["--discovery-endpoint", "https://login.acme.test/d"],
        "/oidc/discovery_endpoint",
        r#""https://login.acme.test/d""#,
        &["--discovery-endpoint", ""],
    ),
    (
        &["--authorize-uri", "https://login.acme.test/a"],
        "/oidc/authorize_uri",
        r#""https://login.acme.test/a""#,
        &["--authorize-uri", ""],
    ),
    (
        &["--token-uri", "https://login.acme.test/t"],
        "/oidc/token_uri",
        r#""https://login.acme.test/t""#,
        &["--token-uri", ""],
    ),
    (
        &["--user-info-uri", "https://login.acme.test/u"],
        "/oidc/user_info_uri",
        r#""https://login.acme.test/u""#,
        &["--user-info-uri", ""],
    ),
    (
        &["--jwks-uri", "https://login.acme.test/k"],
        "/oidc/jwks_uri",
        r#""https://login.acme.test/k""#,
        &["--jwks-uri", ""],
    ),
    (
        &["--scopes", "openid email groups"],
        "/oidc/scopes",
        r#"["openid", "email", "groups"]"#,
        &["--scopes", ""],
    ),
    (
        &["--token-auth", "post"],
        "/oidc/token_auth_type",
        r#""URL_PARAMS""#,
        &["--token-auth", "basic"],
    ),
    (
        &["--push-requests"],
        "/oidc/push_requests",
        "true",
        &["--push-requests", "off"],
    ),
    (
        &["--form-post"],
        "/oidc/form_post",
        "true",
        &["--form-post", "off"],
    ),
    (&["--no-pkce"], "/oidc/pkce_enabled", "false", &["--pkce", "on"]),
    (
        &["--attribute", "email=mail"],
        "/oidc/attribute_mapping",
        r#"{ "email": "mail" }"#,
        &["--attribute", "email="],
    ),
    (
        &["--attribute", "email=mail"],
        "/oidc/attribute_mapping",
        r#"{ "email": "mail" }"#,
        &["--no-attributes"],
    ),
    (
        &["--groups-claim", "grp"],
        "/oidc/groups_claim",
        r#""grp""#,
        &["--no-groups-claim"],
    ),
    (
        &["--roles-claim", "app_roles"],
        "/oidc/roles_claim",
        r#""app_roles""#,
        &["--no-roles-claim"],
    ),
    (
        &["--trust-unverified-email"],
        "/oidc/trust_unverified_email",
        "true",
        &["--trust-unverified-email", "off"],
    ),
    (
        &["--accept-emails", "verified"],
        "/oidc/only_verified_email",
        "true",
        &["--accept-emails", "undoubted"],
    ),
    (
        &["--check-hosted-domain", "off"],
        "/oidc/check_hosted_domain",
        "false",
        &["--check-hosted-domain", "on"],
    ),
    (
        &["--allow-idp-initiated"],
        "/oidc/allow_idp_initiated_login",
        "true",
        &["--allow-idp-initiated", "off"],
    ),
];

#[tokio::test]
async fn every_setting_of_a_connection_is_changed_and_cleared() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = [
        "connection",
        "create",
        "--oidc",
        "--organization",
        "acme",
        "--issuer",
        "https://login.acme.test",
        "--client-id",
        "genkan",
        "--client-secret-stdin",
        "--disabled",
        "--json",
    ];
    let fresh = instance.run_with("s3cret", &create).json();
    let id = text(&fresh, "/id").to_owned();
    let update = |words: &[&str]| instance.json(&[&["connection", "update", id.as_str()], words].concat());
    for (set, pointer, value, clear) in SETTINGS {
        let value: Value = serde_json::from_str(value).unwrap();
        let changed = update(set);
        assert_eq!(changed.pointer(pointer), Some(&value), "{set:?}");
        let cleared = update(clear);
        assert_eq!(cleared.pointer(pointer), fresh.pointer(pointer), "{clear:?}");
    }
    let forgotten = update(&["--no-client-secret"]);
    assert_eq!(forgotten["has_client_secret"], json!(false));
    instance
        .run(&[
            "connection",
            "update",
            &id,
            "--saml-sso-url",
            "https://idp.acme.test",
        ])
        .failed(2, "speaks OpenID Connect");
    instance
        .run(&["connection", "update", &id, "--issuer", "http://login.acme.test"])
        .failed(2, "--issuer is not https");
}

#[tokio::test]
async fn a_complete_connection_keeps_the_secret_that_people_sign_in_by() {
    let instance = Instance::new().await;
    instance.json(&["org", "create", "--name", "Acme", "--external-id", "acme"]);
    let create = [
        "connection",
        "create",
        "--oidc",
        "--organization",
        "acme",
        "--issuer",
        "https://login.acme.test",
        "--client-id",
        "genkan",
        "--client-secret-stdin",
        "--json",
    ];
    let created = instance.run_with("s3cret", &create).json();
    let id = text(&created, "/id");
    instance
        .run(&["connection", "update", id, "--no-client-secret"])
        .failed(2, "Missing: The client secret");
}
