//! The roles and permissions of a member of an organization.

use genkan_contract::scalekit::v1::commons::Role;
use genkan_contract::scalekit::v1::users::{AssignUserRolesRequest, Permission, RemoveUserRoleRequest};
use genkan_db::Tx;
use genkan_store::{OrganizationId, member, membership, role, user};

use super::{member_of, render};
use crate::call::Call;
use crate::{Api, Error};

/// A role as a request names it.
#[derive(Debug)]
pub(super) enum RoleSelector {
    Name(String),
    /// By its identifier, as older clients do.
    Id(String),
}

impl RoleSelector {
    fn read(name: String, id: String, field: impl FnOnce() -> String) -> Result<Self, Error> {
        match (name.is_empty(), id.is_empty()) {
            (false, _) => Ok(Self::Name(name)),
            (true, false) => Ok(Self::Id(id)),
            (true, true) => Err(Error::required(&field())),
        }
    }
}

/// The roles of a list; each must have a name.
pub(super) fn named(roles: Vec<Role>, field: &str) -> Result<Vec<RoleSelector>, Error> {
    let roles = roles.into_iter().enumerate();
    roles
        .map(|(index, role)| RoleSelector::read(role.name, role.id, || format!("{field}[{index}].name")))
        .collect()
}

/// The names of roles that members of the organization can have.
pub(super) async fn resolve(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    wanted: &[RoleSelector],
) -> Result<Vec<String>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let known = role::list(tx, Some(organization_id)).await?;
    wanted
        .iter()
        .map(|wanted| {
            let found = known.iter().find(|role| match wanted {
                RoleSelector::Name(name) => role.name == *name,
                RoleSelector::Id(id) => role.id.as_str() == id,
            });
            let (RoleSelector::Name(text) | RoleSelector::Id(text)) = wanted;
            found
                .map(|role| role.name.clone())
                .ok_or_else(|| Error::not_found(&format!("role {text:?}")))
        })
        .collect()
}

pub(super) async fn list(api: &Api, organization_id: &str, user_id: &str) -> Result<Vec<Role>, Error> {
    api.read(async |tx| {
        let (organization_id, user_id) = member_of(tx, organization_id, user_id).await?;
        roles_of(tx, &organization_id, &user_id).await
    })
    .await
}

async fn roles_of(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &genkan_store::UserId,
) -> Result<Vec<Role>, Error> {
    let user = user::find(tx, user_id)
        .await?
        .ok_or_else(|| Error::not_found("user"))?;
    let ids = [user.id];
    let members = member::find_each_in_organization(tx, organization_id, &ids).await?;
    let belongings = members.iter().flat_map(|member| &member.belongings);
    Ok(belongings
        .flat_map(|belonging| render::roles(&belonging.roles))
        .collect())
}

/// Adds roles to those that a member has.
pub(super) async fn assign(
    api: &Api,
    call: &Call<'_>,
    message: &AssignUserRolesRequest,
) -> Result<Vec<Role>, Error> {
    #[expect(deprecated, reason = "clients of older versions name roles by identifier")]
    let wanted = message
        .roles
        .iter()
        .enumerate()
        .map(|(index, role)| {
            RoleSelector::read(role.role_name.clone(), role.id.clone(), || {
                format!("roles[{index}].role_name")
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    if wanted.is_empty() {
        return Err(Error::required("roles"));
    }
    api.tx(async |tx| {
        let (organization_id, user_id) = member_of(tx, &message.organization_id, &message.user_id).await?;
        let names = resolve(tx, &organization_id, &wanted).await?;
        membership::add_roles(tx, call.at(), &organization_id, &user_id, &names).await?;
        roles_of(tx, &organization_id, &user_id).await
    })
    .await
}

pub(super) async fn remove(api: &Api, call: &Call<'_>, message: &RemoveUserRoleRequest) -> Result<(), Error> {
    if message.role_name.is_empty() {
        return Err(Error::required("role_name"));
    }
    api.tx(async |tx| {
        let (organization_id, user_id) = member_of(tx, &message.organization_id, &message.user_id).await?;
        let had =
            membership::remove_role(tx, call.at(), &organization_id, &user_id, &message.role_name).await?;
        if had {
            Ok(())
        } else {
            Err(Error::not_found("role"))
        }
    })
    .await
}

/// The permissions of the member's roles and of the roles that those extend.
pub(super) async fn permissions(
    api: &Api,
    organization_id: &str,
    user_id: &str,
) -> Result<Vec<Permission>, Error> {
    let permissions = api
        .read(async |tx| {
            let (organization_id, user_id) = member_of(tx, organization_id, user_id).await?;
            Ok(role::effective_permissions(tx, &organization_id, &user_id).await?)
        })
        .await?;
    let permission = |permission: genkan_store::permission::Permission| Permission {
        id: permission.id.to_string(),
        name: permission.name,
        description: permission.description,
        tags: Vec::new(),
    };
    Ok(permissions.into_iter().map(permission).collect())
}
