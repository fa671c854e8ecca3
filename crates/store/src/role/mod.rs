//! Roles of members of an organization.
//!
//! A role belongs to the whole environment, or to one organization. A role may extend another one and then
//! also has its permissions. See `docs/decisions/roles.md`.

mod change;
mod defaults;
mod inheritance;
mod rules;

use genkan_db::{Row, Tx, p};

use crate::event::{Object, shape};
use crate::row::Columns;
use crate::{Error, OrganizationId, RoleId, Stamp, Timestamp, UserId, environment, permission};

pub use change::{NewRole, delete, forbid, insert, permit, update};
pub(crate) use defaults::give_defaults;
pub use defaults::{defaults, set_default_creator, set_default_member, set_organization_default};
pub use inheritance::MAX_DEPTH;
pub use rules::{Texts, check, check_display_name, is_name};

/// The most roles of the environment, and the most roles of an organization's own.
pub const MAX_ROLES: i64 = 1_000;

/// A role as the environment or an organization sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub id: RoleId,
    /// `None`: a role of the environment, which every organization has.
    pub organization_id: Option<OrganizationId>,
    /// The name in tokens, and in what providers send.
    pub name: String,
    pub display_name: String,
    pub description: String,
    /// The default of the first member of an organization.
    pub default_creator: bool,
    /// The default of all later members. An organization may have another default than the environment.
    pub default_member: bool,
    /// Whether an organization's identity provider may give it. Roles of the organization itself may always
    /// be given.
    pub assignable_by_providers: bool,
    /// The role that it extends. It has the permissions of that one, too.
    pub base: Option<Base>,
    /// How many visible roles extend it directly.
    pub dependents: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Role {
    /// The object for an event.
    fn object(&self) -> Object {
        Object::of(&shape::Role {
            id: self.id.as_str(),
            organization_id: self.organization_id.as_ref().map(OrganizationId::as_str),
            name: &self.name,
            display_name: &self.display_name,
            description: &self.description,
            extends: self.base.as_ref().map(|base| base.name.as_str()),
        })
    }
}

/// The role that another one extends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    pub id: RoleId,
    pub name: String,
}

impl From<&Role> for Base {
    fn from(role: &Role) -> Self {
        Self {
            id: role.id.clone(),
            name: role.name.clone(),
        }
    }
}

/// The names of the roles of the membership `m`, see [`crate::row::lines`].
macro_rules! role_names {
    () => {
        "(SELECT string_agg(r.name, '\n' ORDER BY r.name) FROM membership_roles mr JOIN roles r ON r.id = mr.role_id
           WHERE mr.organization_id = m.organization_id AND mr.user_id = m.user_id)"
    };
}
pub(crate) use role_names;

/// As [`role_names`], in no order. A sign before each name tells whether the role extends another one, see
/// [`split_marked_names`].
macro_rules! marked_role_names {
    () => {
        "(SELECT string_agg(CASE WHEN r.extends_id IS NULL THEN '=' ELSE '+' END || r.name, '\n')
            FROM membership_roles mr JOIN roles r ON r.id = mr.role_id
           WHERE mr.organization_id = m.organization_id AND mr.user_id = m.user_id)"
    };
}
pub(crate) use marked_role_names;

/// The names of roles, sorted, and whether one of the roles extends another one.
pub(crate) fn split_marked_names(names: Option<&str>) -> (Vec<String>, bool) {
    let mut extends = false;
    let mut names: Vec<String> = names
        .into_iter()
        .flat_map(|names| names.split('\n'))
        .map(|marked| match marked.strip_prefix('+') {
            Some(name) => {
                extends = true;
                name.to_owned()
            }
            None => marked.strip_prefix('=').unwrap_or(marked).to_owned(),
        })
        .collect();
    names.sort_unstable();
    (names, extends)
}

/// Roles `r` as the organization `$1` sees them, or the environment if that is NULL.
macro_rules! select {
    ($condition:expr) => {
        concat!(
            "SELECT r.id, r.organization_id, r.name, r.display_name, r.description, r.default_creator,
                CASE WHEN d.member_role_id IS NULL THEN r.default_member ELSE d.member_role_id = r.id END,
                r.organization_id IS NOT NULL OR r.assignable_by_providers, r.extends_id, b.name,
                (SELECT COUNT(*) FROM roles e WHERE e.extends_id = r.id AND e.organization_id IS NULL)
                + CASE WHEN CAST($1 AS TEXT) IS NULL
                    THEN (SELECT COUNT(*) FROM roles e WHERE e.extends_id = r.id AND e.organization_id IS NOT NULL)
                    ELSE (SELECT COUNT(*) FROM roles e WHERE e.extends_id = r.id AND e.organization_id = $1) END,
                r.created_at, r.updated_at
               FROM roles r
               LEFT JOIN roles b ON b.id = r.extends_id
               LEFT JOIN organization_default_roles d ON d.organization_id = $1
              WHERE ",
            $condition
        )
    };
}

use select;

fn read(row: &Row) -> Result<Role, Error> {
    let mut columns = Columns::of(row);
    Ok(Role {
        id: columns.id()?,
        organization_id: columns.optional_id()?,
        name: columns.text()?,
        display_name: columns.text()?,
        description: columns.text()?,
        default_creator: columns.bool()?,
        default_member: columns.bool()?,
        assignable_by_providers: columns.bool()?,
        base: columns
            .optional_id()?
            .zip(columns.optional_text()?)
            .map(|(id, name)| Base { id, name }),
        dependents: columns.int()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Creates the first roles of an environment, `admin` and `member`. Does nothing if there are roles.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn seed(tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
    let any = "SELECT id FROM roles WHERE organization_id IS NULL LIMIT 1";
    if tx.opt(any, p![]).await?.is_some() {
        return Ok(());
    }
    let seeds = [
        ("admin", "Admin", "Manages the organization", true),
        ("member", "Member", "Belongs to the organization", false),
    ];
    for (name, display_name, description, is_creator) in seeds {
        let id: RoleId = at.id();
        tx.exec(
            "INSERT INTO roles (id, name, display_name, description, default_creator, default_member,
                created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
             ON CONFLICT (name) WHERE organization_id IS NULL DO NOTHING",
            p![
                &id,
                name,
                display_name,
                description,
                is_creator,
                !is_creator,
                at.now.as_micros()
            ],
        )
        .await?;
    }
    environment::touch(tx).await
}

/// The roles that members of an organization can have, by name: its own and those of the environment.
/// Without an organization, only the latter.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, organization_id: Option<&OrganizationId>) -> Result<Vec<Role>, Error> {
    let sql = select!("r.organization_id IS NULL OR r.organization_id = $1");
    let rows = tx.all(sql, p![organization_id]).await?;
    let roles: Result<Vec<Role>, Error> = rows.iter().map(read).collect();
    // Sorted here, because the engines sort differently.
    let mut roles = roles?;
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(roles)
}

/// The names of the roles that the identity provider of an organization may give. The administrator of a
/// provider decides what it sends. So a role of the environment is among them only if the environment's
/// operator marked it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn names_for_providers(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT name FROM roles
              WHERE (organization_id IS NULL AND assignable_by_providers) OR organization_id = $1",
            p![organization_id],
        )
        .await?;
    rows.iter().map(|row| Columns::of(row).text()).collect()
}

/// Finds a role that members of an organization can have, see [`list`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    name: &str,
) -> Result<Option<Role>, Error> {
    let sql = select!("r.name = $2 AND (r.organization_id IS NULL OR r.organization_id = $1)");
    let row = tx.opt(sql, p![organization_id, name]).await?;
    row.as_ref().map(read).transpose()
}

/// Finds a role that an organization may change, which is one of its own. Without an organization, a role
/// of the environment.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_own(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    name: &str,
) -> Result<Option<Role>, Error> {
    let found = find(tx, organization_id, name).await?;
    Ok(found.filter(|role| role.organization_id.as_ref() == organization_id))
}

/// Finds a role of the environment by its identifier.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_id(tx: &mut Tx<'_>, id: &RoleId) -> Result<Option<Role>, Error> {
    let sql = select!("r.id = $2 AND r.organization_id IS NULL");
    let row = tx.opt(sql, p![None::<&str>, id]).await?;
    row.as_ref().map(read).transpose()
}

/// A role as it is stored, of the environment or of an organization.
async fn find_stored(tx: &mut Tx<'_>, role: &Role) -> Result<Option<Role>, Error> {
    let sql = select!("r.id = $2");
    let row = tx.opt(sql, p![role.organization_id.as_ref(), &role.id]).await?;
    row.as_ref().map(read).transpose()
}

/// The roles that directly extend a role of the environment, including those of organizations. They come by
/// identifier, at most [`MAX_ROLES`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_dependents(tx: &mut Tx<'_>, id: &RoleId) -> Result<Vec<Role>, Error> {
    let sql = select!("r.extends_id = $2 ORDER BY r.id LIMIT $3");
    let rows = tx.all(sql, p![None::<&str>, id, MAX_ROLES]).await?;
    rows.iter().map(read).collect()
}

/// The number of users with a role, in one organization or in all.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_users(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    id: &RoleId,
) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(DISTINCT user_id) FROM membership_roles
              WHERE role_id = $1 AND (CAST($2 AS TEXT) IS NULL OR organization_id = $2)",
            p![id, organization_id],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// The permissions of a user in an organization, by name: those of their roles and of the roles that these
/// extend. Empty if they are no member.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn effective_permissions(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Vec<permission::Permission>, Error> {
    permission::list_for_member(tx, organization_id, user_id).await
}
