//! Roles in answers.

use std::collections::HashMap;

use genkan_contract::scalekit::v1::roles as contract;
use genkan_db::Tx;
use genkan_store::permission::{self, Permission};
use genkan_store::role::{self, Role};
use genkan_store::{OrganizationId, RoleId};

use crate::{Error, render as shared};

/// Which permissions an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    Own,
    Inherited,
}

impl Include {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Error> {
        match text {
            None | Some("") => Ok(Self::Nothing),
            Some("permissions") => Ok(Self::Own),
            Some("permissions:all") => Ok(Self::Inherited),
            Some(_) => Err(Error::invalid(
                "include",
                "is neither permissions nor permissions:all",
            )),
        }
    }
}

pub(super) fn render(role: Role, permissions: Vec<contract::RolePermission>) -> contract::Role {
    contract::Role {
        id: role.id.to_string(),
        name: role.name,
        display_name: role.display_name,
        description: role.description,
        default_creator: role.default_creator,
        default_member: role.default_member,
        extends: role.base.map(|base| base.name),
        permissions,
        dependent_roles_count: i32::try_from(role.dependents).unwrap_or(i32::MAX),
        is_org_role: role.organization_id.is_some(),
        assignable_by_providers: role.assignable_by_providers,
    }
}

fn render_permission(permission: &Permission, role_name: &str) -> contract::RolePermission {
    contract::RolePermission {
        id: permission.id.to_string(),
        name: permission.name.clone(),
        description: permission.description.clone(),
        create_time: Some(shared::time(permission.created_at)),
        update_time: Some(shared::time(permission.updated_at)),
        role_name: role_name.to_owned(),
    }
}

/// A role after a change, with its own permissions.
pub(super) async fn render_changed(tx: &mut Tx<'_>, role: Role) -> Result<contract::Role, Error> {
    let held = permission::list_for_role(tx, &role.id).await?;
    let held = held
        .iter()
        .map(|permission| render_permission(permission, &role.name))
        .collect();
    Ok(render(role, held))
}

/// The roles that members of an organization can have, or those of the environment.
pub(super) async fn render_all(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    roles: Vec<Role>,
    include: Include,
) -> Result<Vec<contract::Role>, Error> {
    if include == Include::Nothing {
        return Ok(roles.into_iter().map(|role| render(role, Vec::new())).collect());
    }
    let held = permission::by_role(tx, organization_id).await?;
    let visible = role::list(tx, organization_id).await?;
    let by_id: HashMap<&RoleId, &Role> = visible.iter().map(|role| (&role.id, role)).collect();
    let shown = |role: &Role| {
        let mut shown: Vec<contract::RolePermission> = Vec::new();
        let mut next = Some(role);
        while let Some(role) = next {
            for permission in held.get(&role.id).into_iter().flatten() {
                // The nearest role that permits it is named.
                if shown.iter().all(|known| known.name != permission.name) {
                    shown.push(render_permission(permission, &role.name));
                }
            }
            let base = role.base.as_ref().filter(|_| include == Include::Inherited);
            next = base.and_then(|base| by_id.get(&base.id).copied());
        }
        shown.sort_by(|one, other| one.name.cmp(&other.name));
        shown
    };
    Ok(roles
        .into_iter()
        .map(|role| {
            let shown = shown(&role);
            render(role, shown)
        })
        .collect())
}
