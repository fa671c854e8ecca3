//! The permissions of roles, their own and inherited ones.

use std::collections::HashMap;

use genkan_db::{Tx, p};

use super::{Permission, columns, read_columns, sorted};
use crate::row::{Columns, lines};
use crate::{Error, OrganizationId, PermissionId, RoleId, UserId};

/// Gives permissions to a role. Returns how many it did not have.
pub(crate) async fn insert_all(
    tx: &mut Tx<'_>,
    role_id: &RoleId,
    permissions: &[Permission],
) -> Result<u64, Error> {
    let mut inserted = 0;
    for permission in permissions {
        inserted += tx
            .exec(
                "INSERT INTO role_permissions (role_id, permission_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                p![role_id, &permission.id],
            )
            .await?;
    }
    Ok(inserted)
}

/// Takes a permission from a role. Says whether the role itself had it.
pub(crate) async fn remove(tx: &mut Tx<'_>, role_id: &RoleId, id: &PermissionId) -> Result<bool, Error> {
    let removed = tx
        .exec(
            "DELETE FROM role_permissions WHERE role_id = $1 AND permission_id = $2",
            p![role_id, id],
        )
        .await?;
    Ok(removed > 0)
}

/// Replaces a role's own permissions.
pub(crate) async fn replace_all(
    tx: &mut Tx<'_>,
    role_id: &RoleId,
    permissions: &[Permission],
) -> Result<(), Error> {
    tx.exec("DELETE FROM role_permissions WHERE role_id = $1", p![role_id])
        .await?;
    insert_all(tx, role_id, permissions).await?;
    Ok(())
}

/// A role's own permissions, by name.
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

/// The own permissions of each role that members of an organization can have, see [`crate::role::list`].
/// Roles without permissions are missing.
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

/// The permissions of the roles that a statement begins with, and of all roles that these extend.
macro_rules! inherited {
    ($first:literal, $select:expr) => {
        concat!(
            "WITH RECURSIVE held (id) AS (",
            $first,
            // UNION, not UNION ALL, so that it ends even if there is a circle.
            " UNION
              SELECT r.extends_id FROM held h JOIN roles r ON r.id = h.id WHERE r.extends_id IS NOT NULL)
             SELECT DISTINCT ",
            $select,
            " FROM held h JOIN role_permissions rp ON rp.role_id = h.id JOIN permissions p ON p.id = rp.permission_id"
        )
    };
}

/// The names of the permissions that the roles of the membership `m` have themselves, see [`split_names`].
/// If several of the roles have a permission, its name comes several times.
macro_rules! own_names {
    () => {
        "(SELECT string_agg(p.name, '\n')
            FROM membership_roles mr JOIN role_permissions rp ON rp.role_id = mr.role_id
                 JOIN permissions p ON p.id = rp.permission_id
           WHERE mr.organization_id = m.organization_id AND mr.user_id = m.user_id)"
    };
}
pub(crate) use {inherited, own_names};

/// The names of one column, sorted, each once.
pub(crate) fn split_names(names: Option<String>) -> Vec<String> {
    let mut names = lines(names);
    names.sort_unstable();
    names.dedup();
    names
}

/// A role's permissions by name, including those of the roles that it extends.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_effective(tx: &mut Tx<'_>, role_id: &RoleId) -> Result<Vec<Permission>, Error> {
    let sql = inherited!("SELECT id FROM roles WHERE id = $1", columns!());
    let rows = tx.all(sql, p![role_id]).await?;
    sorted(&rows)
}

/// See [`crate::role::effective_permissions`].
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
