//! An organization's data is reached only through that organization: every method
//! that takes an organization is called with one organization and with identifiers
//! of another.

use std::collections::{BTreeMap, BTreeSet};

use genkan_api::methods::{self, Callers, Method};
use prost_reflect::{DynamicMessage, FieldDescriptor, SerializeOptions};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::sample::{self, Arm};
use super::{call, call_raw};
use crate::support::{Harness, MANAGEMENT};

/// A mark in all rows of the other organization.
const MARK: &str = "zzforeign";

/// Methods that may name rows of others, and why.
const MAY_NAME_OTHERS: &[(&str, &str)] = &[("CreateMembership", "makes a user of the environment a member")];

/// Methods whose message refers to a base role: an unknown one is a bad argument, not a
/// missing object.
const REFER: &[&str] = &["CreateOrganizationRole", "UpdateOrganizationRole"];

/// Calls a method in JSON.
async fn json_call(harness: &Harness, path: &str, message: Value) -> Result<Value, Status> {
    let path = format!("/scalekit.v1.{path}");
    let method = methods::find(&path).unwrap_or_else(|| panic!("{path}"));
    let message = DynamicMessage::deserialize(method.descriptor.input(), message).unwrap();
    let bytes = call(harness, MANAGEMENT, &path, &message).await?;
    let answer = DynamicMessage::decode(method.descriptor.output(), bytes).unwrap();
    let options = SerializeOptions::new().use_proto_field_name(true);
    Ok(answer
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap())
}

fn text(answer: &Value, pointer: &str) -> String {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {answer}"))
        .to_owned()
}

/// Two organizations; the second one has a row of every kind.
struct World {
    ours: String,
    /// The identifiers of the other organization's rows, by kind.
    foreign: BTreeMap<&'static str, String>,
}

impl World {
    async fn build(harness: &Harness) -> Self {
        let create = async |path, message| json_call(harness, path, message).await.unwrap();
        let organization = "organizations.OrganizationService/CreateOrganization";
        let ours = create(organization, json!({"organization": {"display_name": "Ours"}})).await;
        let theirs = create(
            organization,
            json!({"organization": {"display_name": MARK, "external_id": "zzforeign-organization"}}),
        )
        .await;
        let theirs = text(&theirs, "/organization/id");
        let mut foreign = BTreeMap::from([("organization", theirs.clone())]);
        let things = [
            (
                "user",
                "/user/id",
                "users.UserService/CreateUserAndMembership",
                json!({"organization_id": theirs, "user": {
                    "email": "zzforeign@theirs.test", "external_id": "zzforeign-user",
                    "user_profile": {"given_name": MARK}}}),
            ),
            (
                "domain",
                "/domain/id",
                "domains.DomainService/CreateDomain",
                json!({"organization_id": theirs, "domain": {"domain": "zzforeign.test"}}),
            ),
            (
                "connection",
                "/connection/id",
                "connections.ConnectionService/CreateConnection",
                json!({"organization_id": theirs, "connection": {"type": 1, "provider": 1}}),
            ),
            (
                "directory",
                "/directory/id",
                "directories.DirectoryService/CreateDirectory",
                json!({"organization_id": theirs, "directory": {"directory_type": 1, "directory_provider": 1}}),
            ),
            (
                "role",
                "/role/name",
                "roles.RolesService/CreateOrganizationRole",
                json!({"org_id": theirs, "role": {"name": "zzforeign_role", "display_name": MARK}}),
            ),
            (
                "client",
                "/client/client_id",
                "clients.ClientService/CreateOrganizationClient",
                json!({"organization_id": theirs, "client": {"name": MARK}}),
            ),
            (
                "link",
                "/link/id",
                "organizations.OrganizationService/GeneratePortalLink",
                json!({"id": theirs}),
            ),
        ];
        for (what, pointer, path, message) in things {
            foreign.insert(what, text(&create(path, message).await, pointer));
        }
        let secret = json!({"organization_id": theirs, "client_id": foreign["client"]});
        let secret = create("clients.ClientService/CreateOrganizationClientSecret", secret).await;
        foreign.insert("secret", text(&secret, "/secret/id"));
        let token = json!({"token": {"organization_id": theirs, "description": MARK}});
        let token = create("tokens.ApiTokenService/CreateToken", token).await;
        foreign.insert("token", text(&token, "/token_id"));
        Self {
            ours: text(&ours, "/organization/id"),
            foreign,
        }
    }

    /// The value of a text field, and whether it is the other organization's.
    fn text_for(&self, method: &Method, field: &FieldDescriptor) -> Option<(String, bool)> {
        let service = method.descriptor.parent_service();
        let foreign = |what: &str| Some((self.foreign[what].clone(), true));
        match (service.name(), field.name()) {
            (_, "organization_id" | "org_id") | ("OrganizationService", "id") => {
                Some((self.ours.clone(), false))
            }
            (_, "user_id") | ("UserService", "id") => foreign("user"),
            ("DomainService", "id") | (_, "domain_id" | "domain_ids") => foreign("domain"),
            ("ConnectionService", "id") | (_, "connection_id") => foreign("connection"),
            ("DirectoryService", "id") | (_, "directory_id") => foreign("directory"),
            ("ClientService", "client_id") => foreign("client"),
            (_, "secret_id") => foreign("secret"),
            (_, "link_id") => foreign("link"),
            (_, "role_name") | ("RolesService", "extends") => foreign("role"),
            // In a user to be made it is a new name, and one of the environment.
            ("UserService", "external_id") if field.parent_message().name() != "CreateUser" => {
                Some(("zzforeign-user".to_owned(), true))
            }
            _ => Self::own(field).map(|text| (text.to_owned(), false)),
        }
    }

    /// A text that also keeps the checks of services, beyond the rules in `proto/`.
    fn own(field: &FieldDescriptor) -> Option<&'static str> {
        Some(match (field.parent_message().name(), field.name()) {
            (_, "domain") => "sample.test",
            (_, "include") => "",
            (_, "logo_url") => "https://acme.test/logo.png",
            ("OrganizationSettingsFeature", "name") => "sso",
            _ => return None,
        })
    }

    /// Whether an answer shows something of the other organization.
    fn shows_foreign(&self, answer: &[u8]) -> Option<&str> {
        let contains = |needle: &str| {
            answer
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        };
        let named = self.foreign.values().map(String::as_str);
        named.chain([MARK]).find(|needle| contains(needle))
    }
}

/// The methods that take an organization.
fn methods_of_an_organization() -> impl Iterator<Item = (&'static str, &'static Method)> {
    methods::served().filter(|(_, method)| {
        let fields: BTreeSet<String> = method
            .descriptor
            .input()
            .fields()
            .map(|field| field.name().to_owned())
            .collect();
        let is_organizations_own = method.descriptor.parent_service().name() == "OrganizationService";
        method.callers == Callers::Clients
            && (fields.contains("organization_id")
                || fields.contains("org_id")
                || (is_organizations_own && fields.contains("id")))
    })
}

#[tokio::test]
async fn what_belongs_to_another_organization_is_not_found() {
    let harness = Harness::start().await;
    let world = World::build(&harness).await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (path, method) in methods_of_an_organization() {
        let may_name_others = MAY_NAME_OTHERS
            .iter()
            .any(|(name, _)| *name == method.descriptor.name());
        for arm in [Arm::First, Arm::Last] {
            let names_foreign = std::cell::Cell::new(false);
            let texts = |field: &FieldDescriptor| {
                let (text, is_foreign) = world.text_for(method, field)?;
                names_foreign.set(names_foreign.get() || is_foreign);
                Some(text)
            };
            let message = sample::message_with(&method.descriptor.input(), arm, &texts);
            let before = harness.rows_with(&world.foreign, MARK);
            let answer = call(&harness, MANAGEMENT, path, &message).await;
            tried += 1;
            let lost: Vec<String> = before
                .difference(&harness.rows_with(&world.foreign, MARK))
                .cloned()
                .collect();
            if !lost.is_empty() {
                wrong.push(format!("{path} changed {lost:?}"));
            }
            match answer {
                _ if may_name_others => {}
                Ok(bytes) => {
                    if let Some(shown) = world.shows_foreign(&bytes) {
                        wrong.push(format!("{path} shows {shown}"));
                    }
                    if names_foreign.get() && !is_list(method) {
                        wrong.push(format!("{path} succeeds with {message}"));
                    }
                }
                Err(status)
                    if status.code() == Code::InvalidArgument
                        && REFER.contains(&method.descriptor.name()) => {}
                Err(status) if names_foreign.get() && status.code() != Code::NotFound => {
                    let (code, sentence) = (status.code(), status.message());
                    wrong.push(format!("{path}: {code:?} {sentence} with {message}"));
                }
                Err(_) => {}
            }
        }
    }
    assert!(tried > 100, "{tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A filter with a foreign identifier finds nothing.
fn is_list(method: &Method) -> bool {
    let name = method.descriptor.name();
    name.starts_with("List") || name.starts_with("Search")
}

#[tokio::test]
async fn an_organization_that_does_not_exist_is_not_found() {
    let harness = Harness::start().await;
    let world = World::build(&harness).await;
    let mut wrong = Vec::new();
    for (path, method) in methods_of_an_organization() {
        let texts = |field: &FieldDescriptor| match world.text_for(method, field)? {
            (text, false) if text == world.ours => Some("org_999999999999999999999".to_owned()),
            (text, false) => Some(text),
            (_, true) => None,
        };
        let message = sample::message(&method.descriptor.input(), &texts);
        match call(&harness, MANAGEMENT, path, &message).await {
            Err(status) if status.code() == Code::NotFound => {}
            Ok(bytes) if is_list(method) && world.shows_foreign(&bytes).is_none() => {}
            other => wrong.push(format!("{path}: {other:?} with {message}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_method_is_a_stub() {
    let harness = Harness::start().await;
    let mut stubs = Vec::new();
    for (path, method) in methods::served() {
        if !matches!(method.callers, Callers::Clients | Callers::Everybody) {
            continue;
        }
        let message = sample::message(&method.descriptor.input(), &|_| None);
        let message = prost::Message::encode_to_vec(&message);
        if let Err(status) = call_raw(&harness, Some(MANAGEMENT), path, &message).await
            && status
                .message()
                .contains("is not served by this version of Genkan")
        {
            stubs.push(path);
        }
    }
    assert!(stubs.is_empty(), "{stubs:#?}");
}
