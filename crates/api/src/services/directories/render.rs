//! Directories as messages. The values of secrets are not part of them.

use genkan_contract::scalekit::v1::directories::{
    AttributeMapping as WireMapping, AttributeMappings, Directory as WireDirectory,
    DirectoryGroup as WireGroup, DirectoryProvider, DirectoryStatus, DirectoryType,
    DirectoryUser as WireUser, RoleAssignment as WireAssignment, RoleAssignments, Secret as WireSecret,
    SecretStatus, Stats as WireStats,
};
use genkan_db::Tx;
use genkan_store::Provider;
use genkan_store::directory::group::{self, DirectoryGroup, RoleAssignment};
use genkan_store::directory::secret::{self, DirectorySecret};
use genkan_store::directory::user::DirectoryUser;
use genkan_store::directory::{self, AttributeMapping, Directory, Kind, Stats, Status};

use serde_json::{Map, Value};

use crate::{Api, Error, render};

/// A directory with what its message shows.
pub(super) struct DirectoryView {
    directory: Directory,
    secrets: Vec<DirectorySecret>,
    stats: Stats,
    roles: Vec<RoleAssignment>,
}

impl DirectoryView {
    pub(super) async fn of(tx: &mut Tx<'_>, directory: Directory) -> Result<Self, Error> {
        Ok(Self {
            secrets: secret::list(tx, &directory.id).await?,
            stats: directory::stats(tx, &directory.id).await?,
            roles: group::role_assignments(tx, &directory.organization_id, &directory.id).await?,
            directory,
        })
    }
}

pub(super) fn directory(api: &Api, shown: &DirectoryView) -> WireDirectory {
    let DirectoryView {
        directory,
        secrets,
        stats,
        roles,
    } = shown;
    WireDirectory {
        id: directory.id.to_string(),
        name: directory.name.clone(),
        directory_type: match directory.kind {
            Kind::Scim => DirectoryType::Scim,
        }
        .into(),
        organization_id: directory.organization_id.to_string(),
        enabled: directory.enabled,
        directory_provider: provider(directory.provider).into(),
        last_synced_at: directory.last_synced_at.map(render::time),
        directory_endpoint: format!("{}/directory/{}/scim/v2", api.public_url(), directory.id),
        total_users: count(stats.users),
        total_groups: count(stats.groups),
        secrets: secrets.iter().map(secret).collect(),
        stats: Some(WireStats {
            total_users: count(stats.users),
            total_groups: count(stats.groups),
            group_updated_at: stats.group_updated_at.map(render::time),
            user_updated_at: stats.user_updated_at.map(render::time),
        }),
        role_assignments: Some(role_assignments(roles)),
        attribute_mappings: Some(attribute_mappings(&directory.attribute_mapping)),
        status: directory.status.as_str().to_owned(),
        email: String::new(),
        // With SCIM, the provider's administrator chooses the groups.
        groups_tracked: "ALL".to_owned(),
    }
}

fn count(rows: u64) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

fn provider(provider: Option<Provider>) -> DirectoryProvider {
    let known = provider.and_then(|product| DirectoryProvider::from_str_name(product.as_str()));
    known.unwrap_or_default()
}

/// The provider in a field; `None` if it is not set.
pub(super) fn read_provider(field: &str, number: i32) -> Result<Option<Provider>, Error> {
    match DirectoryProvider::try_from(number) {
        Ok(DirectoryProvider::Unspecified) => Ok(None),
        Ok(product) => Ok(product.as_str_name().parse().ok()),
        Err(_) => Err(Error::invalid(field, "is not one of the defined values")),
    }
}

/// Refuses the kinds that are not served; 0 means "not given".
pub(super) fn check_kind(field: &str, number: i32) -> Result<(), Error> {
    match DirectoryType::try_from(number) {
        Ok(DirectoryType::Unspecified | DirectoryType::Scim) => Ok(()),
        Ok(other @ (DirectoryType::Ldap | DirectoryType::Poll)) => Err(Error::invalid(
            field,
            &format!(
                "{} directories are not served by this version of Genkan: SCIM is",
                other.as_str_name()
            ),
        )),
        Err(_) => Err(Error::invalid(field, "is not one of the defined values")),
    }
}

/// The status in a field; `None` if it is not set.
pub(super) fn read_status(field: &str, number: i32) -> Result<Option<Status>, Error> {
    Ok(match DirectoryStatus::try_from(number) {
        Ok(DirectoryStatus::Unspecified) => None,
        Ok(DirectoryStatus::Draft) => Some(Status::Draft),
        Ok(DirectoryStatus::InProgress) => Some(Status::InProgress),
        Ok(DirectoryStatus::Completed) => Some(Status::Completed),
        Err(_) => return Err(Error::invalid(field, "is not one of the defined values")),
    })
}

pub(super) fn secret(secret: &DirectorySecret) -> WireSecret {
    WireSecret {
        id: secret.id.to_string(),
        create_time: Some(render::time(secret.created_at)),
        secret_suffix: secret.suffix.clone(),
        status: SecretStatus::Active.into(),
        expire_time: None,
        last_used_time: secret.last_used_at.map(render::time),
        directory_id: secret.directory_id.to_string(),
    }
}

pub(super) fn role_assignments(roles: &[RoleAssignment]) -> RoleAssignments {
    let assignments = roles.iter().map(|assignment| WireAssignment {
        group_id: assignment.group_id.to_string(),
        role_name: assignment.role_name.clone(),
        role_id: assignment.role_id.to_string(),
    });
    RoleAssignments {
        assignments: assignments.collect(),
    }
}

pub(super) fn attribute_mappings(mappings: &[AttributeMapping]) -> AttributeMappings {
    let attributes = mappings.iter().map(|mapping| WireMapping {
        key: mapping.key.clone(),
        map_to: mapping.map_to.clone(),
    });
    AttributeMappings {
        attributes: attributes.collect(),
    }
}

/// Names with their values, as far as they are known.
type KnownValues<'a> = [(&'a str, Option<Value>)];

/// The known values, without the unknown ones.
fn detail(known: &KnownValues<'_>) -> Map<String, Value> {
    let of = |(name, value): &(&str, Option<Value>)| Some(((*name).to_owned(), value.clone()?));
    known.iter().filter_map(of).collect()
}

/// The person under names that are the same for every provider.
fn user_detail(user: &DirectoryUser) -> Map<String, Value> {
    let profile = &user.profile;
    let text = |text: &Option<String>| text.clone().map(Value::from);
    // RFC 7643 §4.1.1: displayName and name.formatted are for people.
    let raw = |name: &str| profile.detail.get(name);
    let whole = raw("displayName").or_else(|| raw("name")?.get("formatted"));
    let whole = whole.and_then(Value::as_str).map(str::to_owned);
    let parts = [&profile.given_name, &profile.family_name];
    let parts: Vec<&str> = parts.into_iter().filter_map(Option::as_deref).collect();
    let name = whole.or_else(|| (!parts.is_empty()).then(|| parts.join(" ")));
    detail(&[
        ("id", Some(Value::from(user.id.to_string()))),
        ("email", text(&profile.emails.first().cloned())),
        ("preferred_username", Some(Value::from(profile.user_name.clone()))),
        ("name", text(&name)),
        ("given_name", text(&profile.given_name)),
        ("family_name", text(&profile.family_name)),
        ("emails", Some(Value::from(profile.emails.clone()))),
        ("external_id", text(&profile.external_id)),
        ("active", Some(Value::from(profile.active))),
        ("raw_attributes", Some(Value::from(profile.detail.clone()))),
    ])
}

/// A person, with their groups and every attribute if `detail` is wanted.
pub(super) fn user(user: &DirectoryUser, groups: &[DirectoryGroup], detail: bool) -> WireUser {
    let profile = &user.profile;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    WireUser {
        id: user.id.to_string(),
        email: profile.emails.first().cloned().unwrap_or_default(),
        preferred_username: profile.user_name.clone(),
        given_name: text(&profile.given_name),
        family_name: text(&profile.family_name),
        updated_at: Some(render::time(user.updated_at)),
        emails: profile.emails.clone(),
        groups: groups.iter().map(|known| self::group(known, false)).collect(),
        user_detail: detail.then(|| render::structure(&user_detail(user))),
    }
}

fn group_detail(group: &DirectoryGroup) -> Map<String, Value> {
    let profile = &group.profile;
    detail(&[
        ("id", Some(Value::from(group.id.to_string()))),
        ("display_name", Some(Value::from(profile.display_name.clone()))),
        ("external_id", profile.external_id.clone().map(Value::from)),
        ("raw_attributes", Some(Value::from(profile.detail.clone()))),
    ])
}

/// A group, with every attribute if `detail` is wanted.
pub(super) fn group(group: &DirectoryGroup, detail: bool) -> WireGroup {
    WireGroup {
        id: group.id.to_string(),
        display_name: group.profile.display_name.clone(),
        total_users: count(group.total_users),
        updated_at: Some(render::time(group.updated_at)),
        group_detail: detail.then(|| render::structure(&group_detail(group))),
    }
}
