//! Members: users with their memberships, for lists.

use genkan_db::{Row, Tx, Value, p};

use crate::any_of::{self, AT_ONCE, any_of};
use crate::membership::{self, Membership};
use crate::page::page_rows;
use crate::row::Columns;
use crate::user::{self, User};
use crate::{Error, OrganizationId, Page, RoleId, UserId, permission};

/// A user with memberships.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub user: User,
    /// The oldest organization first.
    pub belongings: Vec<MembershipDetails>,
}

/// A membership with the names of what it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct MembershipDetails {
    pub membership: Membership,
    pub organization_name: String,
    /// By name.
    pub roles: Vec<AssignedRole>,
    /// The names of what these roles and the roles that they extend permit, sorted.
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedRole {
    pub id: RoleId,
    pub name: String,
    pub display_name: String,
}

/// The separators that join the roles of a membership in one column, and the parts of a role. They are
/// control characters, which no identifier and no role name contains. A display name may contain anything
/// but the first, so it comes last.
const BETWEEN_ROLES: char = '\u{1e}';
const BETWEEN_PARTS: char = '\u{1f}';

macro_rules! belonging_columns {
    () => {
        concat!(
            membership::bare_columns!(),
            ", o.display_name,
             (SELECT string_agg(r.id || '\u{1f}' || r.name || '\u{1f}' || replace(r.display_name, '\u{1e}', ' '),
                                '\u{1e}')
                FROM membership_roles mr JOIN roles r ON r.id = mr.role_id
               WHERE mr.organization_id = m.organization_id AND mr.user_id = m.user_id),
             (SELECT string_agg(name, '\n') FROM (",
            permission::inherited!(
                "SELECT mr.role_id FROM membership_roles mr
                  WHERE mr.organization_id = m.organization_id AND mr.user_id = m.user_id",
                "p.name"
            ),
            ") AS names)"
        )
    };
}

fn read_belonging(columns: &mut Columns<'_>) -> Result<MembershipDetails, Error> {
    let mut membership = membership::read_bare(columns)?;
    let organization_name = columns.text()?;
    let roles = split_roles(columns.optional_text()?.as_deref())?;
    membership.roles = roles.iter().map(|role| role.name.clone()).collect();
    Ok(MembershipDetails {
        membership,
        organization_name,
        roles,
        permissions: permission::split_names(columns.optional_text()?),
    })
}

fn split_roles(joined: Option<&str>) -> Result<Vec<AssignedRole>, Error> {
    let corrupt = || Error::Corrupt("roles.name");
    let roles: Result<Vec<AssignedRole>, Error> = joined
        .into_iter()
        .flat_map(|joined| joined.split(BETWEEN_ROLES))
        .map(|role| {
            let mut parts = role.splitn(3, BETWEEN_PARTS);
            let mut part = || parts.next().ok_or_else(corrupt);
            Ok(AssignedRole {
                id: RoleId::parse(part()?).map_err(|_| corrupt())?,
                name: part()?.to_owned(),
                display_name: part()?.to_owned(),
            })
        })
        .collect();
    // Sorted here, because the engines sort differently.
    let mut roles = roles?;
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(roles)
}

/// Adds the memberships to users. The users are neighbours in the order of their identifiers, newest first,
/// so one statement reads all.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
async fn of_neighbours(tx: &mut Tx<'_>, users: Vec<User>) -> Result<Vec<Member>, Error> {
    let (Some(newest), Some(oldest)) = (users.first(), users.last()) else {
        return Ok(Vec::new());
    };
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                belonging_columns!(),
                " FROM memberships m JOIN organizations o ON o.id = m.organization_id
                   WHERE m.user_id >= $1 AND m.user_id <= $2 ORDER BY m.user_id DESC, m.organization_id"
            ),
            p![&oldest.id, &newest.id],
        )
        .await?;
    let mut belongings = rows
        .iter()
        .map(|row| read_belonging(&mut Columns::of(row)))
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter()
        .peekable();
    let mut members: Vec<Member> = users
        .into_iter()
        .map(|user| Member {
            user,
            belongings: Vec::new(),
        })
        .collect();
    for member in &mut members {
        while let Some(belonging) = belongings.next_if(|next| next.membership.user_id >= member.user.id) {
            member.belongings.push(belonging);
        }
    }
    Ok(members)
}

/// Adds the memberships to a user.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn of(tx: &mut Tx<'_>, user: User) -> Result<Member, Error> {
    let mut members = of_neighbours(tx, vec![user]).await?;
    members.pop().ok_or(Error::Stale)
}

/// Finds a user with their memberships.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &UserId) -> Result<Option<Member>, Error> {
    match user::find(tx, id).await? {
        Some(user) => of(tx, user).await.map(Some),
        None => Ok(None),
    }
}

/// Lists users with their memberships, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<UserId>) -> Result<Vec<Member>, Error> {
    let users = user::list(tx, page).await?;
    of_neighbours(tx, users).await
}

/// Lists the people of an organization, the newest users first, with only their membership in it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    page: &Page<UserId>,
) -> Result<Vec<Member>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!(
            "SELECT ",
            user::columns!(),
            ", ",
            belonging_columns!(),
            " FROM memberships m JOIN users u ON u.id = m.user_id JOIN organizations o ON o.id = m.organization_id
               WHERE m.organization_id = $3"
        ),
        [organization_id],
        "m.user_id"
    );
    rows.iter().map(read).collect()
}

/// The number of people of an organization, of any status. Counts up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    limit: i64,
) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*) FROM (SELECT 1 FROM memberships WHERE organization_id = $1 LIMIT $2) AS counted",
            p![organization_id, limit],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// Reads the hits of a search with their memberships, in the order of `ids`. Users that were deleted
/// meanwhile are left out.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_each(tx: &mut Tx<'_>, ids: &[UserId]) -> Result<Vec<Member>, Error> {
    let members = read_each(tx, EVERYWHERE, ids, None).await?;
    Ok(members)
}

/// As [`find_each`], for the people of an organization, with only their membership in it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_each_in_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    ids: &[UserId],
) -> Result<Vec<Member>, Error> {
    let mut members = read_each(tx, HERE, ids, Some(organization_id)).await?;
    members.retain(|member| !member.belongings.is_empty());
    Ok(members)
}

/// Finds users by identifier, and their memberships: `$1` to `$30` are identifiers, `$31` an organization.
#[derive(Clone, Copy)]
struct Statements {
    users: &'static str,
    belongings: &'static str,
}

macro_rules! belongings_of_thirty {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            belonging_columns!(),
            " FROM memberships m JOIN organizations o ON o.id = m.organization_id
               WHERE m.user_id IN ",
            any_of!(),
            $condition,
            " ORDER BY m.organization_id"
        )
    };
}

const USERS: &str = concat!(
    "SELECT ",
    user::columns!(),
    " FROM users u WHERE u.id IN ",
    any_of!()
);
const EVERYWHERE: Statements = Statements {
    users: USERS,
    belongings: belongings_of_thirty!(""),
};
const HERE: Statements = Statements {
    users: USERS,
    belongings: belongings_of_thirty!(" AND m.organization_id = $31"),
};

async fn read_each(
    tx: &mut Tx<'_>,
    statements: Statements,
    ids: &[UserId],
    organization_id: Option<&OrganizationId>,
) -> Result<Vec<Member>, Error> {
    let mut members = Vec::with_capacity(ids.len());
    for thirty in ids.chunks(AT_ONCE) {
        let mut params = any_of::bind(thirty);
        let rows = tx.all(statements.users, &params).await?;
        let mut found = rows
            .iter()
            .map(|row| user::read_columns(&mut Columns::of(row)))
            .collect::<Result<Vec<User>, Error>>()?;
        params.extend(organization_id.map(Value::from));
        let rows = tx.all(statements.belongings, &params).await?;
        let mut belongings = rows
            .iter()
            .map(|row| read_belonging(&mut Columns::of(row)))
            .collect::<Result<Vec<_>, Error>>()?;
        for id in thirty {
            let Some(index) = found.iter().position(|user| user.id == *id) else {
                continue;
            };
            let is_theirs = |belonging: &mut MembershipDetails| belonging.membership.user_id == *id;
            members.push(Member {
                user: found.swap_remove(index),
                belongings: belongings.extract_if(.., is_theirs).collect(),
            });
        }
    }
    Ok(members)
}

fn read(row: &Row) -> Result<Member, Error> {
    let mut columns = Columns::of(row);
    Ok(Member {
        user: user::read_columns(&mut columns)?,
        belongings: vec![read_belonging(&mut columns)?],
    })
}
