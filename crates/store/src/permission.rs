//! Permissions: what roles allow. Applications give them their meaning.

use std::collections::HashMap;

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind};
use crate::page::page_rows;
use crate::role::{self, Role};
use crate::row::Columns;
use crate::{
    Error, OrganizationId, Page, PermissionId, RoleId, Stamp, Timestamp, UserId, conflict, environment,
};

/// How many permissions there may be: tokens carry those of a person.
pub const MAX_PERMISSIONS: i64 = 2_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub id: PermissionId,
    /// As tokens carry it.
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Whether a text can be the name of a permission: 1 to 64 letters, digits,
/// underscores and colons, all ASCII.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

macro_rules! columns {
    () => {
        "p.id, p.name, p.description, p.created_at, p.updated_at"
    };
}

fn read(row: &Row) -> Result<Permission, Error> {
    read_columns(&mut Columns::of(row))
}

fn read_columns(columns: &mut Columns<'_>) -> Result<Permission, Error> {
    Ok(Permission {
        id: columns.id()?,
        name: columns.text()?,
        description: columns.text()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// By name, in the order of ASCII: the alphabets of the engines differ.
fn sorted(rows: &[Row]) -> Result<Vec<Permission>, Error> {
    let permissions: Result<Vec<Permission>, Error> = rows.iter().map(read).collect();
    let mut permissions = permissions?;
    permissions.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(permissions)
}

/// Adds a permission.
///
/// # Errors
///
/// [`conflict::PERMISSION_NAME`] and [`conflict::PERMISSIONS`].
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, permission: &Permission) -> Result<(), Error> {
    refuse_taken_name(tx, permission).await?;
    if count(tx).await? >= MAX_PERMISSIONS {
        return Err(Error::Conflict(conflict::PERMISSIONS));
    }
    tx.exec(
        "INSERT INTO permissions (id, name, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)",
        p![
            &permission.id,
            &permission.name,
            &permission.description,
            permission.created_at.as_micros(),
            permission.updated_at.as_micros(),
        ],
    )
    .await?;
    record(tx, at, Kind::PermissionCreated, permission).await
}

async fn refuse_taken_name(tx: &mut Tx<'_>, permission: &Permission) -> Result<(), Error> {
    let other = tx
        .opt(
            "SELECT id FROM permissions WHERE name = $1 AND id <> $2",
            p![&permission.name, &permission.id],
        )
        .await?;
    if other.is_some() {
        Err(Error::Conflict(conflict::PERMISSION_NAME))
    } else {
        Ok(())
    }
}

/// Finds a permission by its name.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<Permission>, Error> {
    let sql = concat!("SELECT ", columns!(), " FROM permissions p WHERE p.name = $1");
    let row = tx.opt(sql, p![name]).await?;
    row.as_ref().map(read).transpose()
}

/// Lists permissions, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<PermissionId>) -> Result<Vec<Permission>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM permissions p WHERE TRUE"),
        [],
        "p.id"
    );
    rows.iter().map(read).collect()
}

/// How many there are.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row = tx.opt("SELECT COUNT(*) FROM permissions", p![]).await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// Replaces the name and the description. Roles keep it under its new name.
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`conflict::PERMISSION_NAME`] if the name is taken.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, permission: &Permission) -> Result<(), Error> {
    refuse_taken_name(tx, permission).await?;
    let changed = tx
        .exec(
            "UPDATE permissions SET name = $2, description = $3, updated_at = $4 WHERE id = $1 AND updated_at = $5",
            p![
                &permission.id,
                &permission.name,
                &permission.description,
                at.after(permission.updated_at).as_micros(),
                permission.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    record(tx, at, Kind::PermissionUpdated, permission).await
}

/// Deletes a permission and takes it from every role that has it. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, permission: &Permission) -> Result<bool, Error> {
    let sql = "DELETE FROM permissions WHERE id = $1";
    if tx.exec(sql, p![&permission.id]).await? == 0 {
        return Ok(false);
    }
    record(tx, at, Kind::PermissionDeleted, permission).await?;
    Ok(true)
}

async fn record(tx: &mut Tx<'_>, at: Stamp<'_>, kind: Kind, permission: &Permission) -> Result<(), Error> {
    let entry = Entry::new(kind)
        .with("permission_id", permission.id.as_str())
        .with("name", permission.name.as_str());
    event::record(tx, at, entry).await?;
    environment::touch(tx).await
}

/// Gives a role permissions; those that it has stay.
///
/// # Errors
///
/// [`Error::Database`] if the database fails, also because the role or a permission is gone.
pub async fn add_to_role(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    permissions: &[Permission],
) -> Result<(), Error> {
    let mut added = 0;
    for permission in permissions {
        added += tx
            .exec(
                "INSERT INTO role_permissions (role_id, permission_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                p![&role.id, &permission.id],
            )
            .await?;
    }
    if added == 0 {
        return Ok(());
    }
    role::record_updated(tx, at, role).await
}

/// Takes a permission from a role. Says whether the role itself had it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn remove_from_role(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    permission: &Permission,
) -> Result<bool, Error> {
    let removed = tx
        .exec(
            "DELETE FROM role_permissions WHERE role_id = $1 AND permission_id = $2",
            p![&role.id, &permission.id],
        )
        .await?;
    if removed == 0 {
        return Ok(false);
    }
    role::record_updated(tx, at, role).await?;
    Ok(true)
}

/// Replaces the permissions that a role itself has.
///
/// # Errors
///
/// As those of [`add_to_role`].
pub async fn replace_in_role(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    role: &Role,
    permissions: &[Permission],
) -> Result<(), Error> {
    for held in list_for_role(tx, &role.id).await? {
        if permissions.iter().all(|permission| permission.id != held.id) {
            remove_from_role(tx, at, role, &held).await?;
        }
    }
    add_to_role(tx, at, role, permissions).await
}

/// The permissions that a role itself has, by name.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_role(tx: &mut Tx<'_>, role_id: &RoleId) -> Result<Vec<Permission>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM role_permissions rp JOIN permissions p ON p.id = rp.permission_id WHERE rp.role_id = $1"
            ),
            p![role_id],
        )
        .await?;
    sorted(&rows)
}

/// The permissions that each of the roles has which members of an organization
/// can have, see [`role::list`]; a role without permissions is missing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn by_role(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
) -> Result<HashMap<RoleId, Vec<Permission>>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT rp.role_id, ",
                columns!(),
                " FROM roles r
                  JOIN role_permissions rp ON rp.role_id = r.id
                  JOIN permissions p ON p.id = rp.permission_id
                 WHERE r.organization_id IS NULL OR r.organization_id = $1"
            ),
            p![organization_id],
        )
        .await?;
    let mut by_role: HashMap<RoleId, Vec<Permission>> = HashMap::new();
    for row in &rows {
        let mut columns = Columns::of(row);
        let role_id = columns.id()?;
        by_role
            .entry(role_id)
            .or_default()
            .push(read_columns(&mut columns)?);
    }
    for permissions in by_role.values_mut() {
        permissions.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(by_role)
}

/// The permissions of the roles that a statement begins with, and of all that those extend.
macro_rules! inherited {
    ($first:literal, $select:expr) => {
        concat!(
            "WITH RECURSIVE held (id) AS (",
            $first,
            // UNION, not UNION ALL: it ends even where there is a circle.
            " UNION
              SELECT r.extends_id FROM held h JOIN roles r ON r.id = h.id WHERE r.extends_id IS NOT NULL)
             SELECT DISTINCT ",
            $select,
            " FROM held h JOIN role_permissions rp ON rp.role_id = h.id JOIN permissions p ON p.id = rp.permission_id"
        )
    };
}

/// The names of the permissions of the member `$1` of the organization `$2`, see [`split_names`].
macro_rules! member_names {
    () => {
        concat!(
            "(SELECT string_agg(name, '\n') FROM (",
            $crate::permission::inherited!(
                "SELECT mr.role_id FROM membership_roles mr WHERE mr.user_id = $1 AND mr.organization_id = $2",
                "p.name"
            ),
            ") AS names)"
        )
    };
}
pub(crate) use {inherited, member_names};

/// The names of one column, sorted.
pub(crate) fn split_names(names: Option<String>) -> Vec<String> {
    let mut names = crate::membership::split_roles(names);
    names.sort_unstable();
    names
}

/// The permissions that a role has, its own and those of the roles that it extends, by name.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_effective(tx: &mut Tx<'_>, role_id: &RoleId) -> Result<Vec<Permission>, Error> {
    let sql = inherited!("SELECT id FROM roles WHERE id = $1", columns!());
    let rows = tx.all(sql, p![role_id]).await?;
    sorted(&rows)
}

/// See [`role::effective_permissions`].
pub(crate) async fn list_for_member(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Vec<Permission>, Error> {
    let sql = inherited!(
        "SELECT mr.role_id FROM membership_roles mr WHERE mr.user_id = $1 AND mr.organization_id = $2",
        columns!()
    );
    let rows = tx.all(sql, p![user_id, organization_id]).await?;
    sorted(&rows)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_letters_digits_underscores_and_colons() {
        for name in ["a", "invoices:read", "Invoices_Read:2", &"x".repeat(64)] {
            assert!(is_name(name), "{name:?}");
        }
        for name in [
            "",
            "invoices read",
            "invoices.read",
            "a\nb",
            "ü:read",
            &"x".repeat(65),
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
