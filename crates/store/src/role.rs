//! Roles: what a member of an organization is there.

use genkan_db::{Row, Tx, p};

use crate::row::Columns;
use crate::{Error, RoleId, Stamp, Timestamp, environment};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub id: RoleId,
    /// As tokens carry it, and as providers may send it.
    pub name: String,
    pub display_name: String,
    pub description: String,
    /// For the first member of an organization.
    pub default_creator: bool,
    /// For every later one.
    pub default_member: bool,
    pub created_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, name, display_name, description, default_creator, default_member, created_at"
    };
}

fn read(row: &Row) -> Result<Role, Error> {
    let mut columns = Columns::of(row);
    Ok(Role {
        id: columns.id()?,
        name: columns.text()?,
        display_name: columns.text()?,
        description: columns.text()?,
        default_creator: columns.bool()?,
        default_member: columns.bool()?,
        created_at: columns.time()?,
    })
}

/// Creates the roles that every environment starts with, `admin` and
/// `member`; those that exist are left as they are.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn seed(tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
    let seeds = [
        ("admin", "Admin", "Manages the organization", true),
        ("member", "Member", "Belongs to the organization", false),
    ];
    for (name, display_name, description, is_creator) in seeds {
        let id: RoleId = at.id();
        tx.exec(
            "INSERT INTO roles (id, name, display_name, description, default_creator, default_member, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING",
            p![&id, name, display_name, description, is_creator, !is_creator, at.now.as_micros()],
        )
        .await?;
    }
    environment::touch(tx).await
}

/// All roles, by name.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Role>, Error> {
    let rows = tx
        .all(concat!("SELECT ", columns!(), " FROM roles ORDER BY name"), p![])
        .await?;
    rows.iter().map(read).collect()
}

/// Finds a role by its name.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Role>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM roles WHERE name = $1"),
            p![name],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The roles that a new member gets: those of a creator for the first one of
/// an organization, those of a member for everybody else.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn defaults(tx: &mut Tx<'_>, is_first_member: bool) -> Result<Vec<Role>, Error> {
    let is_default = |role: &Role| {
        if is_first_member {
            role.default_creator
        } else {
            role.default_member
        }
    };
    let mut roles = list(tx).await?;
    roles.retain(is_default);
    Ok(roles)
}
