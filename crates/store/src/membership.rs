//! Memberships: which people belong to which organization, and as what.

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind};
use crate::page::page_rows;
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, Page, Stamp, Timestamp, UserId, conflict, role};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    /// The groups that the identity provider named at the last login.
    pub groups: Vec<String>,
    /// Names of roles, sorted.
    pub roles: Vec<String>,
    pub created_at: Timestamp,
}

/// Role names never hold this: it joins them in one column.
const SEPARATOR: char = '\n';

/// The names of the roles of the membership `m`, see [`split_roles`].
macro_rules! role_names {
    () => {
        "(SELECT string_agg(r.name, '\n' ORDER BY r.name) FROM membership_roles mr JOIN roles r ON r.id = mr.role_id
           WHERE mr.organization_id = m.organization_id AND mr.user_id = m.user_id)"
    };
}
pub(crate) use role_names;

macro_rules! columns {
    () => {
        concat!(
            "m.organization_id, m.user_id, m.groups, m.created_at, ",
            role_names!()
        )
    };
}

fn read(row: &Row) -> Result<Membership, Error> {
    let mut columns = Columns::of(row);
    Ok(Membership {
        organization_id: columns.id()?,
        user_id: columns.id()?,
        groups: columns.json("memberships.groups")?,
        created_at: columns.time()?,
        roles: split_roles(columns.optional_text()?),
    })
}

pub(crate) fn split_roles(names: Option<String>) -> Vec<String> {
    names
        .map(|names| names.split(SEPARATOR).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Finds a membership.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Option<Membership>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM memberships m WHERE m.organization_id = $1 AND m.user_id = $2"
            ),
            p![organization_id, user_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The names of the roles of a user in an organization, sorted; none if they
/// do not belong to it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn roles_of(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Vec<String>, Error> {
    Ok(find(tx, organization_id, user_id)
        .await?
        .map(|membership| membership.roles)
        .unwrap_or_default())
}

/// Makes a user a member, with the default roles: those of a creator if they
/// are the first one of the organization.
///
/// # Errors
///
/// [`conflict::MEMBERSHIP`] if they belong to it already.
pub async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Membership, Error> {
    let other = tx
        .opt(
            "SELECT user_id FROM memberships WHERE organization_id = $1 LIMIT 1",
            p![organization_id],
        )
        .await?;
    let inserted = tx
        .opt(
            "INSERT INTO memberships (organization_id, user_id, groups, created_at) VALUES ($1, $2, '[]', $3)
             ON CONFLICT DO NOTHING RETURNING user_id",
            p![organization_id, user_id, at.now.as_micros()],
        )
        .await?;
    if inserted.is_none() {
        return Err(Error::Conflict(conflict::MEMBERSHIP));
    }
    let defaults = role::defaults(tx, organization_id, other.is_none()).await?;
    let roles: Vec<String> = defaults.into_iter().map(|role| role.name).collect();
    assign(
        tx,
        organization_id,
        user_id,
        Assigned {
            names: &roles,
            by_provider: false,
        },
    )
    .await?;
    let entry = Entry::new(Kind::UserOrganizationMembershipCreated)
        .organization(organization_id)
        .user(user_id);
    event::record(tx, at, entry.with("roles", roles.clone())).await?;
    Ok(Membership {
        organization_id: organization_id.clone(),
        user_id: user_id.clone(),
        groups: Vec::new(),
        roles,
        created_at: at.now,
    })
}

/// The organizations of a user, oldest first, at most [`crate::MAX_LIMIT`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_user(tx: &mut Tx<'_>, user_id: &UserId) -> Result<Vec<Membership>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM memberships m WHERE m.user_id = $1 ORDER BY m.organization_id LIMIT $2"
            ),
            p![user_id, i64::from(crate::MAX_LIMIT)],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// The members of an organization, the newest users first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    page: &Page<UserId>,
) -> Result<Vec<Membership>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!(
            "SELECT ",
            columns!(),
            " FROM memberships m WHERE m.organization_id = $3"
        ),
        [organization_id],
        "m.user_id"
    );
    rows.iter().map(read).collect()
}

/// Replaces the roles that people gave a member; those that the identity
/// provider sends stay until it stops sending them. Names of no role of the
/// environment or of this organization are left out.
///
/// # Errors
///
/// [`Error::Stale`] if the user does not belong to the organization.
pub async fn set_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    names: &[String],
) -> Result<(), Error> {
    replace_roles(
        tx,
        at,
        organization_id,
        user_id,
        Assigned {
            names,
            by_provider: false,
        },
    )
    .await
}

/// Takes a user out of an organization and ends their sessions and grants in
/// it. Says whether they belonged to it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<bool, Error> {
    let deleted = tx
        .exec(
            "DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2",
            p![organization_id, user_id],
        )
        .await?;
    if deleted == 0 {
        return Ok(false);
    }
    crate::session::end_all_of_member(tx, at, organization_id, user_id).await?;
    // A session may have gone on in another organization; what it gave here ends all the same.
    crate::grant::revoke_all_of_member(tx, at, organization_id, user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationMembershipDeleted)
        .organization(organization_id)
        .user(user_id);
    event::record(tx, at, entry).await?;
    Ok(true)
}

/// Roles by name, and who gave them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assigned<'a> {
    pub(crate) names: &'a [String],
    pub(crate) by_provider: bool,
}

/// Replaces the roles that one side gave.
pub(crate) async fn replace_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    assigned: Assigned<'_>,
) -> Result<(), Error> {
    let before = find(tx, organization_id, user_id)
        .await?
        .ok_or(Error::Stale)?
        .roles;
    tx.exec(
        "DELETE FROM membership_roles WHERE organization_id = $1 AND user_id = $2 AND by_provider = $3",
        p![organization_id, user_id, assigned.by_provider],
    )
    .await?;
    assign(tx, organization_id, user_id, assigned).await?;
    let after = roles_of(tx, organization_id, user_id).await?;
    if after == before {
        return Ok(());
    }
    let entry = Entry::new(Kind::UserOrganizationMembershipUpdated)
        .organization(organization_id)
        .user(user_id);
    event::record(
        tx,
        at,
        entry
            .with("roles", after)
            .with("by_provider", assigned.by_provider),
    )
    .await
}

async fn assign(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    assigned: Assigned<'_>,
) -> Result<(), Error> {
    for name in assigned.names {
        // A role that both sides gave is one that people gave: it stays when the provider forgets it.
        tx.exec(
            "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), id, CAST($4 AS BOOLEAN) FROM roles
              WHERE name = $3 AND (organization_id IS NULL OR organization_id = $1)
             ON CONFLICT (organization_id, user_id, role_id)
             DO UPDATE SET by_provider = membership_roles.by_provider AND excluded.by_provider",
            p![organization_id, user_id, name, assigned.by_provider],
        )
        .await?;
    }
    Ok(())
}

/// Remembers the groups that the identity provider named.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_groups(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    groups: &[String],
) -> Result<(), Error> {
    let groups = json(&groups);
    tx.exec(
        "UPDATE memberships SET groups = $3 WHERE organization_id = $1 AND user_id = $2 AND groups <> $3",
        p![organization_id, user_id, &groups],
    )
    .await?;
    Ok(())
}
