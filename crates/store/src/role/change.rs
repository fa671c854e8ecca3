//! Adding, changing and deleting roles.

use genkan_db::{Tx, p};

use super::defaults::{set_default_creator, set_default_member};
use super::rules::{self, Texts};
use super::{MAX_ROLES, Role, find_stored, inheritance};
use crate::event::{self, Entry, Kind, Object, shape};
use crate::permission::{self, Permission};
use crate::row::Columns;
use crate::{Error, OrganizationId, RoleId, Stamp, conflict, environment};

/// A role to add.
#[derive(Debug, Clone)]
pub struct NewRole<'a> {
    pub id: RoleId,
    /// `None`: a role of the environment.
    pub organization_id: Option<&'a OrganizationId>,
    /// [`super::is_name`] must accept it.
    pub name: &'a str,
    pub display_name: &'a str,
    pub description: &'a str,
    /// For roles of the environment: an organization's identity provider may give it.
    pub assignable_by_providers: bool,
    /// The role that it extends. It has the permissions of that one, too.
    pub base: Option<&'a Role>,
    /// Its own permissions.
    pub permissions: &'a [Permission],
}

/// Adds a role.
///
/// An organization's role never has the same name as one of the environment. A token shows only names, so
/// an application would confuse the two.
///
/// # Errors
///
/// [`conflict::ROLE_NAME`], [`conflict::ROLES`], and for the base [`conflict::ROLE_BASE`] and
/// [`conflict::ROLE_DEPTH`]. [`Error::Invalid`] if a text cannot be stored.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, role: &NewRole<'_>) -> Result<(), Error> {
    let texts = Texts {
        name: role.name,
        display_name: role.display_name,
        description: role.description,
    };
    rules::check(texts, None)?;
    let taken = tx
        .opt(
            "SELECT id FROM roles
              WHERE name = $1 AND (organization_id IS NULL OR CAST($2 AS TEXT) IS NULL OR organization_id = $2)
              LIMIT 1",
            p![role.name, role.organization_id],
        )
        .await?;
    if taken.is_some() {
        return Err(Error::Conflict(conflict::ROLE_NAME));
    }
    refuse_too_many(tx, role.organization_id).await?;
    if let Some(base) = role.base {
        inheritance::check(tx, &role.id, role.organization_id, &base.id).await?;
    }
    tx.exec(
        "INSERT INTO roles (id, organization_id, name, display_name, description, default_creator,
            default_member, extends_id, created_at, updated_at, assignable_by_providers)
         VALUES ($1, $2, $3, $4, $5, FALSE, FALSE, $6, $7, $7, $8)",
        p![
            &role.id,
            role.organization_id,
            role.name,
            role.display_name,
            role.description,
            role.base.map(|base| &base.id),
            at.now.as_micros(),
            role.organization_id.is_none() && role.assignable_by_providers,
        ],
    )
    .await?;
    permission::insert_all(tx, &role.id, role.permissions).await?;
    let now = shape::Role {
        id: role.id.as_str(),
        organization_id: role.organization_id.map(OrganizationId::as_str),
        name: role.name,
        display_name: role.display_name,
        description: role.description,
        extends: role.base.map(|base| base.name.as_str()),
    };
    let entry = entry(Kind::RoleCreated, &role.id, role.name, role.organization_id);
    event::record(tx, at, entry.object(Object::of(&now))).await?;
    environment::touch(tx).await
}

async fn refuse_too_many(tx: &mut Tx<'_>, organization_id: Option<&OrganizationId>) -> Result<(), Error> {
    let row = match organization_id {
        Some(id) => {
            let sql = "SELECT COUNT(*) FROM roles WHERE organization_id = $1";
            tx.opt(sql, p![id]).await?
        }
        None => {
            let sql = "SELECT COUNT(*) FROM roles WHERE organization_id IS NULL";
            tx.opt(sql, p![]).await?
        }
    };
    let count = row.map_or(Ok(0), |row| Columns::of(&row).int())?;
    if count >= MAX_ROLES {
        Err(Error::Conflict(conflict::ROLES))
    } else {
        Ok(())
    }
}

/// Replaces the display name, the description, the base and whether providers may give the role. Replaces
/// the role's own permissions if some are passed.
///
/// If providers may no longer give it, people lose it at their next sign-in if a provider gave it.
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`Error::Invalid`] if a changed text cannot be stored.
/// - [`conflict::ROLE_BASE`], [`conflict::ROLE_CYCLE`], [`conflict::ROLE_DEPTH`] if it cannot have this
///   base.
pub async fn update(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    permissions: Option<&[Permission]>,
) -> Result<(), Error> {
    let before = find_stored(tx, role).await?.ok_or(Error::Stale)?;
    rules::check(Texts::from(role), Some(Texts::from(&before)))?;
    let organization_id = role.organization_id.as_ref();
    if let Some(base) = &role.base {
        inheritance::check(tx, &role.id, organization_id, &base.id).await?;
    }
    let changed = tx
        .exec(
            "UPDATE roles SET display_name = $2, description = $3, extends_id = $4, updated_at = $5,
                assignable_by_providers = $7
              WHERE id = $1 AND updated_at = $6",
            p![
                &role.id,
                &role.display_name,
                &role.description,
                role.base.as_ref().map(|base| &base.id),
                at.after(role.updated_at).as_micros(),
                role.updated_at.as_micros(),
                organization_id.is_none() && role.assignable_by_providers,
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    if let Some(permissions) = permissions {
        permission::replace_all(tx, &role.id, permissions).await?;
    }
    record_updated(tx, at, role).await
}

/// Gives permissions to a role. Its other permissions stay.
///
/// # Errors
///
/// [`Error::Database`] if the database fails, also because the role or a permission is gone.
pub async fn permit(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    permissions: &[Permission],
) -> Result<(), Error> {
    if permission::insert_all(tx, &role.id, permissions).await? == 0 {
        return Ok(());
    }
    record_updated(tx, at, role).await
}

/// Takes a permission from a role. Says whether the role itself had it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn forbid(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    permission: &Permission,
) -> Result<bool, Error> {
    if !permission::remove(tx, &role.id, &permission.id).await? {
        return Ok(false);
    }
    record_updated(tx, at, role).await?;
    Ok(true)
}

/// Records that a role or its permissions have changed.
async fn record_updated(tx: &mut Tx<'_>, at: Stamp<'_>, role: &Role) -> Result<(), Error> {
    let organization_id = role.organization_id.as_ref();
    let entry = entry(Kind::RoleUpdated, &role.id, &role.name, organization_id);
    event::record(tx, at, entry.object(role.object())).await?;
    environment::touch(tx).await
}

/// Deletes a role. If people have it, they get `replacement`, which also replaces it as a default role.
/// Says whether there was such a role.
///
/// If a provider gave it, the provider can take back the replacement.
///
/// # Errors
///
/// - [`conflict::ROLE_EXTENDED`] if other roles extend it.
/// - Without a replacement: [`conflict::ROLE_ASSIGNED`] if members have it,
///   [`conflict::ROLE_OF_GROUP`] if a group of a directory gives it,
///   [`conflict::ROLE_DEFAULT`] if the environment gives it to new members.
///   An organization that gives it to new members then uses the environment's default.
/// - [`conflict::ROLE_BASE`] if the replacement is the role itself, or one that
///   some of its members cannot have.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    replacement: Option<&Role>,
) -> Result<bool, Error> {
    let organization_id = role.organization_id.as_ref();
    let is_extended = tx
        .opt("SELECT id FROM roles WHERE extends_id = $1 LIMIT 1", p![&role.id])
        .await?
        .is_some();
    if is_extended {
        return Err(Error::Conflict(conflict::ROLE_EXTENDED));
    }
    match replacement {
        Some(replacement) => replace(tx, at, role, replacement).await?,
        None => refuse_in_use(tx, role).await?,
    }
    if tx.exec("DELETE FROM roles WHERE id = $1", p![&role.id]).await? == 0 {
        return Ok(false);
    }
    let mut entry = entry(Kind::RoleDeleted, &role.id, &role.name, organization_id);
    if let Some(replacement) = replacement {
        entry = entry.with("reassigned_to", replacement.name.as_str());
    }
    event::record(tx, at, entry.object(role.object())).await?;
    environment::touch(tx).await?;
    Ok(true)
}

async fn refuse_in_use(tx: &mut Tx<'_>, role: &Role) -> Result<(), Error> {
    let assigned = "SELECT user_id FROM membership_roles WHERE role_id = $1 LIMIT 1";
    if tx.opt(assigned, p![&role.id]).await?.is_some() {
        return Err(Error::Conflict(conflict::ROLE_ASSIGNED));
    }
    let groups = "SELECT group_id FROM directory_group_roles WHERE role_id = $1 LIMIT 1";
    if tx.opt(groups, p![&role.id]).await?.is_some() {
        return Err(Error::Conflict(conflict::ROLE_OF_GROUP));
    }
    let default = "SELECT id FROM roles WHERE id = $1 AND (default_creator OR default_member)";
    if tx.opt(default, p![&role.id]).await?.is_some() {
        return Err(Error::Conflict(conflict::ROLE_DEFAULT));
    }
    Ok(())
}

/// Replaces `role` by `replacement` wherever it is given.
async fn replace(tx: &mut Tx<'_>, at: Stamp<'_>, role: &Role, replacement: &Role) -> Result<(), Error> {
    let may_stand_in =
        replacement.organization_id.is_none() || replacement.organization_id == role.organization_id;
    if replacement.id == role.id || !may_stand_in {
        return Err(Error::Conflict(conflict::ROLE_BASE));
    }
    tx.exec(
        // As in membership::assign: if people gave the role, it stays when the provider no longer sends it.
        "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
         SELECT organization_id, user_id, CAST($2 AS TEXT), by_provider FROM membership_roles WHERE role_id = $1
         ON CONFLICT (organization_id, user_id, role_id)
         DO UPDATE SET by_provider = membership_roles.by_provider AND excluded.by_provider",
        p![&role.id, &replacement.id],
    )
    .await?;
    tx.exec(
        "INSERT INTO directory_group_roles (group_id, role_id)
         SELECT group_id, CAST($2 AS TEXT) FROM directory_group_roles WHERE role_id = $1
         ON CONFLICT (group_id, role_id) DO NOTHING",
        p![&role.id, &replacement.id],
    )
    .await?;
    tx.exec(
        "UPDATE organization_default_roles SET member_role_id = $2 WHERE member_role_id = $1",
        p![&role.id, &replacement.id],
    )
    .await?;
    // Read again, because an organization may see the role with other defaults.
    let defaults = tx
        .opt(
            "SELECT default_creator, default_member FROM roles WHERE id = $1 AND organization_id IS NULL",
            p![&role.id],
        )
        .await?;
    let Some(defaults) = defaults else { return Ok(()) };
    let mut columns = Columns::of(&defaults);
    let (for_creators, for_members) = (columns.bool()?, columns.bool()?);
    if for_creators {
        set_default_creator(tx, at, replacement).await?;
    }
    if for_members {
        set_default_member(tx, at, replacement).await?;
    }
    Ok(())
}

fn entry<'a>(kind: Kind, id: &RoleId, name: &str, organization_id: Option<&'a OrganizationId>) -> Entry<'a> {
    Entry::new(kind)
        .organization(organization_id)
        .with("role_id", id.as_str())
        .with("name", name)
}
