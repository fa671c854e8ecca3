//! Roles: one implementation for those of the environment and of an organization.

use genkan_contract::scalekit::v1::roles as contract;
use genkan_db::Tx;
use genkan_store::role::{self, Base, NewRole, Role};
use genkan_store::{OrganizationId, RoleId, organization};

use super::view::{Include, render, render_all, render_changed};
use super::{permission, refuse};
use crate::{Api, Call, Error, id};

/// The owner of the roles of a call.
#[derive(Debug)]
pub(super) struct Owner(Option<OrganizationId>);

impl Owner {
    pub(super) const fn environment() -> Self {
        Self(None)
    }

    pub(super) fn organization(text: &str) -> Result<Self, Error> {
        id("organization", text).map(|id| Self(Some(id)))
    }

    fn id(&self) -> Option<&OrganizationId> {
        self.0.as_ref()
    }

    async fn must_exist(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match &self.0 {
            Some(id) if organization::find(tx, id).await?.is_none() => Err(Error::not_found("organization")),
            _ => Ok(()),
        }
    }

    /// A role that its members can have.
    async fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<Role, Error> {
        self.must_exist(tx).await?;
        let found = role::find(tx, self.id(), name).await?;
        found.ok_or_else(|| Error::not_found("role"))
    }

    /// A role that it may change.
    async fn find_own(&self, tx: &mut Tx<'_>, name: &str) -> Result<Role, Error> {
        self.must_exist(tx).await?;
        let found = role::find_own(tx, self.id(), name).await?;
        found.ok_or_else(|| Error::not_found("role"))
    }

    /// The role that another one is to extend.
    async fn find_base(&self, tx: &mut Tx<'_>, name: &str) -> Result<Role, Error> {
        let found = role::find(tx, self.id(), name).await?;
        found.ok_or_else(|| Error::invalid("role.extends", &format!("there is no role {name}")))
    }
}

/// A role to add, of either kind.
#[derive(Debug)]
pub(super) struct NewRoleRequest {
    name: String,
    display_name: String,
    description: String,
    extends: Option<String>,
    permissions: Vec<String>,
    assignable_by_providers: bool,
}

impl From<contract::CreateRole> for NewRoleRequest {
    fn from(role: contract::CreateRole) -> Self {
        Self {
            name: role.name,
            display_name: role.display_name,
            description: role.description.unwrap_or_default(),
            extends: role.extends,
            permissions: role.permissions,
            assignable_by_providers: role.assignable_by_providers.unwrap_or_default(),
        }
    }
}

impl From<contract::CreateOrganizationRole> for NewRoleRequest {
    fn from(role: contract::CreateOrganizationRole) -> Self {
        Self {
            name: role.name,
            display_name: role.display_name,
            description: role.description.unwrap_or_default(),
            extends: role.extends,
            permissions: role.permissions,
            assignable_by_providers: false,
        }
    }
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    owner: Owner,
    wanted: NewRoleRequest,
) -> Result<contract::Role, Error> {
    let role_id: RoleId = call.at().id();
    let created = api.tx(async |tx| {
        owner.must_exist(tx).await?;
        let base = match &wanted.extends {
            Some(name) => Some(owner.find_base(tx, name).await?),
            None => None,
        };
        let permissions = permission::find_all(tx, "role.permissions", &wanted.permissions).await?;
        let role = NewRole {
            id: role_id.clone(),
            organization_id: owner.id(),
            name: &wanted.name,
            display_name: &wanted.display_name,
            description: &wanted.description,
            assignable_by_providers: wanted.assignable_by_providers,
            base: base.as_ref(),
            permissions: &permissions,
        };
        role::insert(tx, call.at(), &role).await?;
        let role = owner.find_own(tx, &wanted.name).await?;
        render_changed(tx, role).await
    });
    created.await.map_err(refuse::change)
}

/// Changes the fields that `change` names. Absent fields, and an empty list of
/// permissions, change nothing.
pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    owner: Owner,
    (name, change): (&str, contract::UpdateRole),
) -> Result<contract::Role, Error> {
    let updated = api.tx(async |tx| {
        let mut role = owner.find_own(tx, name).await?;
        if change == contract::UpdateRole::default() {
            return render_changed(tx, role).await;
        }
        if let Some(display_name) = &change.display_name {
            role.display_name.clone_from(display_name);
        }
        if let Some(description) = &change.description {
            role.description.clone_from(description);
        }
        if let Some(assignable) = change.assignable_by_providers {
            if owner.id().is_some() {
                return Err(Error::invalid(
                    "role.assignable_by_providers",
                    "is about roles of the environment: an organization's own are its provider's to give",
                ));
            }
            role.assignable_by_providers = assignable;
        }
        if let Some(base) = &change.extends {
            role.base = Some(Base::from(&owner.find_base(tx, base).await?));
        }
        let permissions = permission::find_all(tx, "role.permissions", &change.permissions).await?;
        let permissions = (!permissions.is_empty()).then_some(permissions.as_slice());
        role::update(tx, call.at(), &role, permissions).await?;
        let role = owner.find_own(tx, name).await?;
        render_changed(tx, role).await
    });
    updated.await.map_err(refuse::change)
}

pub(super) async fn get(
    api: &Api,
    owner: Owner,
    name: &str,
    include: Include,
) -> Result<contract::Role, Error> {
    api.read(async |tx| {
        let role = owner.find(tx, name).await?;
        let mut rendered = render_all(tx, owner.id(), vec![role], include).await?;
        rendered.pop().ok_or_else(|| Error::not_found("role"))
    })
    .await
}

pub(super) async fn list(api: &Api, owner: Owner, include: Include) -> Result<Vec<contract::Role>, Error> {
    api.read(async |tx| {
        owner.must_exist(tx).await?;
        let roles = role::list(tx, owner.id()).await?;
        render_all(tx, owner.id(), roles, include).await
    })
    .await
}

pub(super) async fn list_dependents(api: &Api, name: &str) -> Result<Vec<contract::Role>, Error> {
    api.read(async |tx| {
        let owner = Owner::environment();
        let role = owner.find(tx, name).await?;
        let dependents = role::list_dependents(tx, &role.id).await?;
        render_all(tx, owner.id(), dependents, Include::Nothing).await
    })
    .await
}

pub(super) async fn count_users(api: &Api, owner: Owner, name: &str) -> Result<i64, Error> {
    api.read(async |tx| {
        let role = owner.find(tx, name).await?;
        Ok(role::count_users(tx, owner.id(), &role.id).await?)
    })
    .await
}

/// How a message names a role.
#[derive(Debug)]
pub(super) enum RoleReference {
    Name(String),
    /// By the deprecated field; some callers write the name there.
    Id(String),
}

impl RoleReference {
    async fn find(&self, tx: &mut Tx<'_>, owner: &Owner) -> Result<Role, Error> {
        let by_id = match self {
            Self::Id(text) => RoleId::parse(text).ok(),
            Self::Name(_) => None,
        };
        if let Some(id) = by_id
            && let Some(role) = role::find_by_id(tx, &id).await?
        {
            return Ok(role);
        }
        let (Self::Id(text) | Self::Name(text)) = self;
        owner.find(tx, text).await
    }
}

impl From<contract::UpdateDefaultRole> for RoleReference {
    fn from(role: contract::UpdateDefaultRole) -> Self {
        match role.name {
            Some(name) if !name.is_empty() => Self::Name(name),
            _ => Self::Id(role.id),
        }
    }
}

/// Deletes a role; `replacement` takes its place.
pub(super) async fn delete(
    api: &Api,
    call: &Call<'_>,
    owner: Owner,
    (name, replacement): (&str, Option<RoleReference>),
) -> Result<(), Error> {
    let deleted = api.tx(async |tx| {
        let role = owner.find_own(tx, name).await?;
        let replacement = match &replacement {
            Some(named) => Some(named.find(tx, &owner).await?),
            None => None,
        };
        if role::delete(tx, call.at(), &role, replacement.as_ref()).await? {
            Ok(())
        } else {
            Err(Error::not_found("role"))
        }
    });
    deleted.await.map_err(refuse::deletion)
}

pub(super) async fn delete_base(api: &Api, call: &Call<'_>, owner: Owner, name: &str) -> Result<(), Error> {
    api.tx(async |tx| {
        let mut role = owner.find_own(tx, name).await?;
        if role.base.take().is_some() {
            role::update(tx, call.at(), &role, None).await?;
        }
        Ok(())
    })
    .await
}

/// Sets the defaults that are named, and answers with both.
pub(super) async fn set_defaults(
    api: &Api,
    call: &Call<'_>,
    message: contract::UpdateDefaultRolesRequest,
) -> Result<(Option<contract::Role>, Option<contract::Role>), Error> {
    #[expect(deprecated, reason = "older SDKs send them")]
    let (creator, member) = (
        message
            .default_creator_role
            .map(RoleReference::Name)
            .or_else(|| message.default_creator.map(RoleReference::from)),
        message
            .default_member_role
            .map(RoleReference::Name)
            .or_else(|| message.default_member.map(RoleReference::from)),
    );
    api.tx(async |tx| {
        let owner = Owner::environment();
        if let Some(named) = &creator {
            let role = named.find(tx, &owner).await?;
            role::set_default_creator(tx, call.at(), &role).await?;
        }
        if let Some(named) = &member {
            let role = named.find(tx, &owner).await?;
            role::set_default_member(tx, call.at(), &role).await?;
        }
        let roles = role::list(tx, None).await?;
        let of = |is_default: fn(&Role) -> bool| {
            let role = roles.iter().find(|role| is_default(role)).cloned();
            role.map(|role| render(role, Vec::new()))
        };
        Ok((of(|role| role.default_creator), of(|role| role.default_member)))
    })
    .await
}

pub(super) async fn set_organization_default(
    api: &Api,
    call: &Call<'_>,
    owner: Owner,
    name: &str,
) -> Result<contract::Role, Error> {
    api.tx(async |tx| {
        let role = owner.find(tx, name).await?;
        let organization_id = owner.id().ok_or_else(|| Error::not_found("organization"))?;
        role::set_organization_default(tx, call.at(), organization_id, &role).await?;
        let role = owner.find(tx, name).await?;
        Ok(render(role, Vec::new()))
    })
    .await
}
