//! The API can change and clear later every field that it can set at creation.

use genkan_api::descriptors::pool;
use genkan_store::ConnectionId;
use genkan_store::connection::key::{self, ConnectionKey, Purpose};
use prost_reflect::FieldDescriptor;
use serde_json::{Value as Json, json};

use crate::clients::with_login_start;
use crate::rest::{get, organization, rest};
use crate::support::{Harness, on_each_engine};

/// The fields that can be set only at creation, and why.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("users.CreateUser", "membership", "UpdateMembership changes it"),
    ("users.CreateMembership", "inviter_email", "it says who invited"),
    (
        "connections.CreateConnection",
        "context",
        "UpdateConnectionContext changes it",
    ),
    ("connections.CreateConnection", "auth_mode", "it is ignored"),
    (
        "domains.CreateDomain",
        "domain",
        "its name is what it is: create another domain",
    ),
];

/// The messages that create and change the same thing.
const PAIRS: &[(&str, &str)] = &[
    (
        "organizations.CreateOrganization",
        "organizations.UpdateOrganization",
    ),
    ("users.CreateUser", "users.UpdateUser"),
    ("users.CreateUserProfile", "users.UpdateUserProfile"),
    ("users.CreateMembership", "users.UpdateMembership"),
    ("connections.CreateConnection", "connections.UpdateConnection"),
    ("domains.CreateDomain", "domains.UpdateDomain"),
    ("directories.CreateDirectory", "directories.UpdateDirectory"),
];

/// The fields of a message that callers write.
fn fields(message: &str) -> Vec<String> {
    let descriptor = pool().get_message_by_name(&format!("scalekit.v1.{message}"));
    let fields = descriptor.unwrap_or_else(|| panic!("no message {message}"));
    let fields = fields.fields().filter(|field| !is_output(field));
    fields.map(|field| field.name().to_owned()).collect()
}

/// `(google.api.field_behavior) = OUTPUT_ONLY`
fn is_output(field: &FieldDescriptor) -> bool {
    const OUTPUT_ONLY: i32 = 3;
    let behavior = pool().get_extension_by_name("google.api.field_behavior").unwrap();
    let options = field.options();
    let behavior = options.get_extension(&behavior);
    let mut words = behavior.as_list().into_iter().flatten();
    words.any(|word| word.as_enum_number() == Some(OUTPUT_ONLY))
}

#[test]
fn whatever_create_takes_update_takes() {
    let (mut missing, mut used) = (Vec::new(), 0);
    for (create, update) in PAIRS {
        let update_fields = fields(update);
        for field in fields(create) {
            if update_fields.contains(&field) {
                continue;
            }
            match ELSEWHERE
                .iter()
                .find(|(message, name, _)| message == create && *name == field)
            {
                Some(_) => used += 1,
                None => missing.push(format!("{update}.{field}")),
            }
        }
    }
    assert!(
        missing.is_empty(),
        "what can be created cannot be changed: {missing:#?}"
    );
    assert_eq!(used, ELSEWHERE.len(), "some of the exceptions are none any more");
}

/// A way to a value of an answer, what sets it, and what clears it.
type Case = (&'static str, Json, Json);

/// `{"a":{"b":value}}` for `/a/b`.
fn body(pointer: &str, value: &Json) -> Json {
    pointer
        .rsplit('/')
        .filter(|name| !name.is_empty())
        .fold(value.clone(), |inner, name| {
            let mut object = serde_json::Map::new();
            object.insert(name.to_owned(), inner);
            object.into()
        })
}

/// Sets and clears each, over REST, where the body is the mask.
async fn each_is_changed_and_cleared(harness: &Harness, target: &str, root: &str, cases: &[Case]) {
    let fresh = get(harness, target).await[root].clone();
    for (pointer, set, clear) in cases {
        let patch = async |value: &Json| {
            let reply = rest(harness, "PATCH", target, &body(pointer, value)).await;
            assert_eq!(reply.status.as_u16(), 200, "{pointer} {value}: {reply:?}");
            get(harness, target).await[root].pointer(pointer).cloned()
        };
        assert_eq!(patch(set).await.as_ref(), Some(set), "{pointer} is not changed");
        assert_eq!(
            patch(clear).await.as_ref(),
            fresh.pointer(pointer),
            "{pointer} is not cleared"
        );
    }
}

/// The fields of a message, all of which the cases below `prefix` must try.
#[track_caller]
fn all_are_tried(message: &str, prefix: &str, cases: &[Case], not_here: &[&str]) {
    let untried: Vec<String> = fields(message)
        .into_iter()
        .filter(|field| !not_here.contains(&field.as_str()))
        .filter(|field| {
            !cases
                .iter()
                .any(|(pointer, ..)| *pointer == format!("{prefix}/{field}"))
        })
        .collect();
    assert!(untried.is_empty(), "nobody tries to change {message} {untried:?}");
}

async fn connection(harness: &Harness, organization_id: &str, kind: &str) -> String {
    let target = format!("/api/v1/organizations/{organization_id}/connections");
    let wanted = json!({ "provider": "OKTA", "type": kind, "name": "Acme's Okta" });
    let reply = rest(harness, "POST", &target, &wanted).await;
    let made = &reply.json["connection"];
    assert_eq!(made["name"], "Acme's Okta", "{reply:?}");
    format!("{target}/{}", made["id"].as_str().unwrap())
}

fn oidc_cases() -> Vec<Case> {
    let url = |path: &str| json!(format!("https://login.acme.test/{path}"));
    let empty = || json!("");
    vec![
        ("/name", json!("Acme Inc."), json!("Acme's Okta")),
        ("/provider", json!("ADFS"), json!("OKTA")),
        ("/provider_key", json!("AUTH0"), json!("OKTA")),
        ("/debug_enabled", json!(true), json!(false)),
        ("/ui_button_title", json!("Sign in with Acme"), empty()),
        ("/key_id", json!("acme-okta"), Json::Null),
        ("/configuration_type", json!("MANUAL"), json!("DISCOVERY")),
        (
            "/attribute_mapping",
            json!({ "email": "mail", "groups": "grp" }),
            json!({}),
        ),
        ("/oidc_config/issuer", url(""), empty()),
        ("/oidc_config/discovery_endpoint", url("d"), empty()),
        ("/oidc_config/authorize_uri", url("a"), empty()),
        ("/oidc_config/token_uri", url("t"), Json::Null),
        ("/oidc_config/user_info_uri", url("u"), empty()),
        ("/oidc_config/jwks_uri", url("k"), empty()),
        ("/oidc_config/client_id", json!("genkan"), empty()),
        ("/oidc_config/scopes", json!(["openid", "phone"]), json!([])),
        (
            "/oidc_config/other_scopes",
            json!("groups offline_access"),
            empty(),
        ),
        (
            "/oidc_config/token_auth_type",
            json!("URL_PARAMS"),
            json!("BASIC_AUTH"),
        ),
        ("/oidc_config/pkce_enabled", json!(false), json!(true)),
        ("/oidc_config/push_requests", json!(true), json!(false)),
        ("/oidc_config/form_post", json!(true), json!(false)),
        ("/oidc_config/idp_logout_required", json!(true), json!(false)),
        (
            "/oidc_config/sync_user_profile_on_login",
            json!(false),
            json!(true),
        ),
        (
            "/oidc_config/jit_provisioning_with_sso_enabled",
            json!(false),
            json!(true),
        ),
        (
            "/oidc_config/allow_idp_initiated_login",
            json!(true),
            json!(false),
        ),
        ("/oidc_config/only_verified_emails", json!(true), json!(false)),
        ("/oidc_config/trust_unverified_emails", json!(true), json!(false)),
    ]
}

#[tokio::test]
async fn every_setting_of_an_oidc_connection_is_changed_and_cleared() {
    on_each_engine(async |harness| {
        let acme = organization(&harness, "Acme").await;
        let target = connection(&harness, &acme, "OIDC").await;
        let cases = oidc_cases();
        each_is_changed_and_cleared(&harness, &target, "connection", &cases).await;
        let kinds = [
            "type",
            "oidc_config",
            "saml_config",
            "oauth_config",
            "passwordless_config",
            "static_config",
            "webauthn_config",
            "google_dwd_config",
        ];
        all_are_tried("connections.UpdateConnection", "", &cases, &kinds);
        // The secret is never shown; the check of `hd` belongs to Google.
        let apart = ["client_secret", "redirect_uri", "check_hosted_domain"];
        all_are_tried("connections.OIDCConnectionConfig", "/oidc_config", &cases, &apart);
        let google = json!({ "provider": "GOOGLE", "oidc_config": { "check_hosted_domain": false } });
        let reply = rest(&harness, "PATCH", &target, &google).await;
        assert_eq!(
            reply.json["connection"]["oidc_config"]["check_hosted_domain"],
            json!(false)
        );
    })
    .await;
}

/// Adds a signing key of our own to the connection at `target`.
async fn signing_key(harness: &Harness, target: &str) -> String {
    let id = ConnectionId::parse(target.rsplit('/').next().unwrap()).unwrap();
    let key = ConnectionKey {
        id: harness.at().id(),
        connection_id: id.clone(),
        purpose: Purpose::Signing,
        number: 1,
        private_key_sealed: Vec::new(),
        certificate: Vec::new(),
        created_at: harness.now(),
        ends_at: None,
    };
    let keys = [key.clone()];
    harness
        .tx(async |tx, at| key::insert_first(tx, at, &id, &keys).await)
        .await;
    key.id.to_string()
}

#[tokio::test]
async fn every_setting_of_a_saml_connection_is_changed_and_cleared() {
    on_each_engine(async |harness| {
        let acme = organization(&harness, "Acme").await;
        let target = connection(&harness, &acme, "SAML").await;
        let url = |path: &str| json!(format!("https://idp.acme.test/{path}"));
        let empty = || json!("");
        let shown = get(&harness, &target).await["connection"]["saml_config"].clone();
        let own_key = signing_key(&harness, &target).await;
        with_login_start(&harness, "https://idp.acme.test/r").await;
        let cases: Vec<Case> = vec![
            ("/attribute_mapping", json!({ "email": "mail" }), json!({})),
            ("/saml_config/idp_metadata_url", url("m"), empty()),
            ("/saml_config/idp_entity_id", url("e"), empty()),
            ("/saml_config/idp_sso_url", url("s"), Json::Null),
            ("/saml_config/idp_slo_url", url("l"), empty()),
            ("/saml_config/ui_button_title", json!("Acme"), empty()),
            (
                "/saml_config/idp_name_id_format",
                json!("EMAIL"),
                json!("UNSPECIFIED"),
            ),
            (
                "/saml_config/idp_sso_request_binding",
                json!("HTTP_POST"),
                json!("HTTP_REDIRECT"),
            ),
            (
                "/saml_config/idp_slo_request_binding",
                json!("HTTP_POST"),
                json!("HTTP_REDIRECT"),
            ),
            (
                "/saml_config/saml_signing_option",
                json!("SAML_ONLY_ASSERTION_SIGNING"),
                shown["saml_signing_option"].clone(),
            ),
            ("/saml_config/force_authn", json!(true), json!(false)),
            ("/saml_config/default_redirect_uri", url("r"), empty()),
            ("/saml_config/assertion_encrypted", json!(true), json!(false)),
            ("/saml_config/want_request_signed", json!(true), json!(false)),
            ("/saml_config/certificate_id", json!(own_key), empty()),
            ("/saml_config/idp_slo_required", json!(true), json!(false)),
            ("/saml_config/sp_entity_id", url("us"), empty()),
            ("/saml_config/sp_assertion_url", url("us/acs"), empty()),
            ("/saml_config/sp_slo_url", url("us/slo"), empty()),
            (
                "/saml_config/sync_user_profile_on_login",
                json!(false),
                json!(true),
            ),
            (
                "/saml_config/jit_provisioning_with_sso_enabled",
                json!(false),
                json!(true),
            ),
            (
                "/saml_config/allow_idp_initiated_login",
                json!(true),
                json!(false),
            ),
        ];
        each_is_changed_and_cleared(&harness, &target, "connection", &cases).await;
        let apart = ["idp_certificate"];
        all_are_tried(
            "connections.SAMLConnectionConfigRequest",
            "/saml_config",
            &cases,
            &apart,
        );
        let certificate = include_str!("saml_certificate.pem");
        for (entered, count) in [(certificate, 1), ("", 0)] {
            let config = json!({ "saml_config": { "idp_certificate": entered } });
            let reply = rest(&harness, "PATCH", &target, &config).await;
            let shown = &reply.json["connection"]["saml_config"]["idp_certificates"];
            assert_eq!(shown.as_array().map_or(0, Vec::len), count, "{reply:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_field_of_organizations_users_and_memberships_is_changed_and_cleared() {
    on_each_engine(async |harness| {
        let acme = organization(&harness, "Acme").await;
        let empty = || json!("");
        let facts = || json!({ "plan": "gold" });
        let cases: Vec<Case> = vec![
            ("/display_name", json!("Acme Inc."), json!("Acme")),
            ("/external_id", json!("acme-1"), empty()),
            ("/metadata", facts(), json!({})),
            ("/slug", json!("acme"), Json::Null),
            ("/logo_url", json!("https://acme.test/logo.png"), empty()),
            ("/region_code", json!("EU"), Json::Null),
        ];
        let target = format!("/api/v1/organizations/{acme}");
        each_is_changed_and_cleared(&harness, &target, "organization", &cases).await;
        all_are_tried("organizations.UpdateOrganization", "", &cases, &[]);

        let wanted = json!({ "email": "ada@acme.test" });
        let made = format!("/api/v1/organizations/{acme}/users?send_invitation_email=false");
        let reply = rest(&harness, "POST", &made, &wanted).await;
        let id = reply.json["user"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply:?}"));
        let cases: Vec<Case> = vec![
            ("/email", json!("ada@king.test"), json!("ada@acme.test")),
            ("/external_id", json!("u-1"), empty()),
            ("/metadata", facts(), json!({})),
            ("/user_profile/given_name", json!("Ada"), empty()),
            ("/user_profile/family_name", json!("King"), empty()),
            ("/user_profile/first_name", json!("Ada"), empty()),
            ("/user_profile/last_name", json!("King"), empty()),
            ("/user_profile/name", json!("Ada King"), empty()),
            ("/user_profile/locale", json!("de-AT"), Json::Null),
            ("/user_profile/phone_number", json!("+442079460000"), empty()),
            ("/user_profile/preferred_username", json!("ada"), empty()),
            (
                "/user_profile/picture",
                json!("https://acme.test/ada.png"),
                empty(),
            ),
            ("/user_profile/gender", json!("female"), empty()),
            ("/user_profile/groups", json!(["engines"]), json!([])),
            ("/user_profile/metadata", facts(), json!({})),
            (
                "/user_profile/custom_attributes",
                json!({ "badge": "7" }),
                json!({}),
            ),
        ];
        let target = format!("/api/v1/users/{id}");
        each_is_changed_and_cleared(&harness, &target, "user", &cases).await;
        all_are_tried("users.UpdateUser", "", &cases, &["user_profile"]);
        all_are_tried("users.UpdateUserProfile", "/user_profile", &cases, &[]);

        let membership = format!("/api/v1/memberships/organizations/{acme}/users/{id}");
        let of_user = async |body: Json| {
            let reply = rest(&harness, "PATCH", &membership, &body).await;
            assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
            get(&harness, &target).await["user"]["memberships"][0].clone()
        };
        assert_eq!(of_user(json!({ "metadata": facts() })).await["metadata"], facts());
        assert_eq!(of_user(json!({ "metadata": {} })).await["metadata"], json!({}));
        let roles = |membership: &Json| membership["roles"].as_array().map_or(0, Vec::len);
        let before = of_user(json!({ "roles": [{ "name": "member" }] })).await;
        assert_eq!(roles(&before), 1);
        assert_eq!(roles(&of_user(json!({ "metadata": facts() })).await), 1);
        assert_eq!(roles(&of_user(json!({ "roles": [] })).await), 0);
    })
    .await;
}

#[tokio::test]
async fn a_mask_says_what_of_the_body_counts() {
    let harness = Harness::start().await;
    let acme = organization(&harness, "Acme").await;
    let target = connection(&harness, &acme, "OIDC").await;
    let sent = json!({ "provider": "ADFS", "key_id": "acme", "oidc_config": { "client_id": "genkan" } });
    let masked = format!("{target}?update_mask=key_id,oidcConfig.scopes");
    let changed = rest(&harness, "PATCH", &masked, &sent).await.json["connection"].clone();
    assert_eq!(
        (&changed["provider"], &changed["key_id"]),
        (&json!("OKTA"), &json!("acme"))
    );
    assert_eq!(changed["oidc_config"].get("client_id"), None);
    for wrong in ["id", "oidc_config.redirect", "organization_id"] {
        let masked = format!("{target}?update_mask={wrong}");
        let refused = rest(&harness, "PATCH", &masked, &sent).await;
        assert!(
            refused
                .refused(400, 3, "INVALID_ARGUMENT")
                .contains("update_mask"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_domain_gets_another_purpose() {
    on_each_engine(async |harness| {
        let acme = organization(&harness, "Acme").await;
        let domains = format!("/api/v1/organizations/{acme}/domains");
        let reply = rest(&harness, "POST", &domains, &json!({ "domain": "acme.test" })).await;
        let id = reply.json["domain"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply:?}"));
        let target = format!("{domains}/{id}");
        for kind in ["ALLOWED_EMAIL_DOMAIN", "ORGANIZATION_DOMAIN"] {
            let reply = rest(&harness, "PATCH", &target, &json!({ "domain_type": kind })).await;
            assert_eq!(reply.json["domain"]["domain_type"], kind, "{reply:?}");
            assert_eq!(reply.json["domain"]["id"], id);
        }
        let untouched = rest(&harness, "PATCH", &target, &json!({})).await;
        assert_eq!(untouched.json["domain"]["domain_type"], "ORGANIZATION_DOMAIN");
    })
    .await;
}
