//! Permissions: what roles allow. Applications give them their meaning.

mod held;

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind, Object, shape};
use crate::page::page_rows;
use crate::row::Columns;
use crate::{Error, Page, PermissionId, Stamp, Timestamp, conflict, environment};

pub use held::{by_role, list_effective, list_for_role};
pub(crate) use held::{inherited, insert_all, list_for_member, own_names, remove, replace_all, split_names};

/// The most permissions. There is a limit because tokens contain those of a person.
pub const MAX_PERMISSIONS: i64 = 2_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub id: PermissionId,
    /// The name in tokens.
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
use columns;

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

/// By name, in the order of ASCII, because the engines sort differently.
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

/// Finds the permissions of these names. `Err` holds a name that no permission has.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_all(tx: &mut Tx<'_>, names: &[String]) -> Result<Result<Vec<Permission>, String>, Error> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match find(tx, name).await? {
            Some(permission) => found.push(permission),
            None => return Ok(Err(name.clone())),
        }
    }
    Ok(Ok(found))
}

/// Finds the existing permissions among these names. Other names are skipped.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_known(tx: &mut Tx<'_>, names: &[String]) -> Result<Vec<Permission>, Error> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.extend(find(tx, name).await?);
    }
    Ok(found)
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

/// The number of permissions.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row = tx.opt("SELECT COUNT(*) FROM permissions", p![]).await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// Replaces the name and the description. Roles keep the permission under its new name.
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`conflict::PERMISSION_NAME`] if the name is used already.
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
    let now = shape::Permission {
        id: permission.id.as_str(),
        name: &permission.name,
        description: &permission.description,
    };
    event::record(tx, at, entry.object(Object::of(&now))).await?;
    environment::touch(tx).await
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
