//! Memberships: which people belong to which organization, with which roles.

mod join;
mod leave;
mod rules;

use genkan_db::{Row, Tx, p};
use serde_json::{Map, Value};

use crate::event::shape::{self, organization_columns, user_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::page::page_rows;
use crate::role::role_names;
use crate::row::{Columns, json, lines, words};
use crate::{Error, OrganizationId, Page, Stamp, Timestamp, UserId};

pub use join::{Capacity, NewMember, create, insert, room, set_active};
pub(crate) use join::{activate, insert_pending, reopen, take_place};
pub use leave::{delete, delete_with_last};
pub use rules::check;

words! {
    /// Whether a member may sign in to the organization.
    pub enum Status {
        Active = "ACTIVE",
        /// May not, until somebody makes them active again.
        Inactive = "INACTIVE",
        /// Was invited and has not accepted yet.
        PendingInvite = "PENDING_INVITE",
        /// Did not accept in time. Never stored: see [`Membership::status_at`].
        InviteExpired = "INVITE_EXPIRED",
    }
}

words! {
    /// How a membership was made.
    pub enum ProvisioningMethod {
        /// By an application, active at once.
        Api = "API",
        /// By the operator, active at once.
        Cli = "CLI",
        /// By a file of the organization itself, active at once. The operator imported the file, and
        /// vouches for none of its lines.
        File = "FILE",
        Invitation = "INVITATION",
        /// At the first sign-in through the organization's connection.
        JustInTime = "JIT",
        /// By the organization's directory.
        Directory = "DIRECTORY",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    /// The groups that the identity provider sent at the last login.
    pub groups: Vec<String>,
    /// Names of roles, sorted.
    pub roles: Vec<String>,
    /// The stored status. [`Membership::status_at`] also considers the time.
    pub status: Status,
    pub metadata: Map<String, Value>,
    pub inviter_email: Option<String>,
    /// `None`: the membership is older than this column.
    pub provisioning_method: Option<ProvisioningMethod>,
    pub created_at: Timestamp,
    /// They may sign in to the organization since then.
    pub accepted_at: Option<Timestamp>,
    /// When the pending invitation ends.
    pub expires_at: Option<Timestamp>,
}

impl Membership {
    /// The status at `now`. An invitation expires by itself.
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status {
            Status::PendingInvite if self.expires_at.is_none_or(|expires_at| expires_at <= now) => {
                Status::InviteExpired
            }
            status => status,
        }
    }
}

/// The columns of the membership `m` except its roles, see [`read_bare`].
macro_rules! bare_columns {
    () => {
        "m.organization_id, m.user_id, m.groups, m.status, m.metadata, m.inviter_email, m.provisioning_method,
         m.created_at, m.accepted_at, m.expires_at"
    };
}
pub(crate) use bare_columns;

macro_rules! columns {
    () => {
        concat!(bare_columns!(), ", ", role_names!())
    };
}

fn read(row: &Row) -> Result<Membership, Error> {
    read_columns(&mut Columns::of(row))
}

fn read_columns(columns: &mut Columns<'_>) -> Result<Membership, Error> {
    let mut membership = read_bare(columns)?;
    membership.roles = lines(columns.optional_text()?);
    Ok(membership)
}

/// Reads the columns of [`bare_columns`]. The roles are not among them.
pub(crate) fn read_bare(columns: &mut Columns<'_>) -> Result<Membership, Error> {
    Ok(Membership {
        organization_id: columns.id()?,
        user_id: columns.id()?,
        groups: columns.json("memberships.groups")?,
        roles: Vec::new(),
        status: columns.parsed("memberships.status", str::parse)?,
        metadata: columns.json("memberships.metadata")?,
        inviter_email: columns.optional_text()?,
        provisioning_method: columns
            .optional_text()?
            .map(|word| word.parse())
            .transpose()
            .map_err(|_| Error::Corrupt("memberships.provisioning_method"))?,
        created_at: columns.time()?,
        accepted_at: columns.optional_time()?,
        expires_at: columns.optional_time()?,
    })
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

/// As [`find`], with the object for an event, which includes the organization and the person.
pub(crate) async fn find_with_object(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Option<(Membership, Object)>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                ", ",
                organization_columns!("o."),
                ", ",
                user_columns!("u."),
                " FROM memberships m
                    JOIN organizations o ON o.id = m.organization_id
                    JOIN users u ON u.id = m.user_id
                   WHERE m.organization_id = $1 AND m.user_id = $2"
            ),
            p![organization_id, user_id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let membership = read_columns(&mut columns)?;
    let object = Object::of(&shape::Organization::read(&mut columns)?)
        .and(&shape::User::read(&mut columns)?)
        .and(&shape::Membership {
            organization_id: membership.organization_id.as_str(),
            user_id: membership.user_id.as_str(),
            status: membership.status.as_str(),
            roles: &membership.roles,
            groups: &membership.groups,
            metadata: &membership.metadata,
            inviter_email: membership.inviter_email.as_deref(),
            provisioning_method: membership.provisioning_method.map(ProvisioningMethod::as_str),
            created_at: membership.created_at.as_micros(),
            accepted_at: membership.accepted_at.map(Timestamp::as_micros),
            expires_at: membership.expires_at.map(Timestamp::as_micros),
        });
    Ok(Some((membership, object)))
}

/// The object for an event about an existing membership.
pub(crate) async fn object(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Object, Error> {
    let found = find_with_object(tx, organization_id, user_id).await?;
    found.map(|(_, object)| object).ok_or(Error::Stale)
}

/// The names of the roles of a user in an organization, sorted. Empty if they are no member.
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

/// Replaces the roles that people gave a member. Roles from the identity provider stay until it stops
/// sending them. Names that are no role of the environment or of this organization are left out.
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
        AssignedRoles {
            names,
            by_provider: false,
        },
    )
    .await
}

/// Gives a member further roles. Unknown names are left out.
///
/// # Errors
///
/// [`Error::Stale`] if the user does not belong to the organization.
pub async fn add_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    names: &[String],
) -> Result<(), Error> {
    let before = find(tx, organization_id, user_id).await?.ok_or(Error::Stale)?;
    let assigned = AssignedRoles {
        names,
        by_provider: false,
    };
    assign(tx, organization_id, user_id, assigned).await?;
    record_roles(tx, at, &before, false).await
}

/// Takes a role from a member, whoever gave it. Says whether they had it.
///
/// If the identity provider sends the role, it comes back at the next login.
///
/// # Errors
///
/// [`Error::Stale`] if the user does not belong to the organization.
pub async fn remove_role(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    name: &str,
) -> Result<bool, Error> {
    let before = find(tx, organization_id, user_id).await?.ok_or(Error::Stale)?;
    let removed = tx
        .exec(
            "DELETE FROM membership_roles WHERE organization_id = $1 AND user_id = $2
                AND role_id IN (SELECT id FROM roles WHERE name = $3)",
            p![organization_id, user_id, name],
        )
        .await?;
    record_roles(tx, at, &before, false).await?;
    Ok(removed > 0)
}

/// Replaces the metadata that an application stores with a membership.
///
/// # Errors
///
/// [`Error::Stale`] if the user is no member of the organization. [`Error::Invalid`] if there are too many
/// or too long values.
pub async fn set_metadata(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    metadata: &Map<String, Value>,
) -> Result<(), Error> {
    rules::check_metadata(metadata)?;
    let metadata = json(metadata);
    let changed = tx
        .exec(
            "UPDATE memberships SET metadata = $3 WHERE organization_id = $1 AND user_id = $2",
            p![organization_id, user_id, &metadata],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    let object = object(tx, organization_id, user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationMembershipUpdated)
        .organization(organization_id)
        .user(user_id);
    event::record(tx, at, entry.with("metadata", true).object(object)).await
}

/// The names of roles, and who gave them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssignedRoles<'a> {
    pub(crate) names: &'a [String],
    pub(crate) by_provider: bool,
}

/// Replaces the roles that people, or the provider, gave.
pub(crate) async fn replace_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    assigned: AssignedRoles<'_>,
) -> Result<(), Error> {
    let before = find(tx, organization_id, user_id).await?.ok_or(Error::Stale)?;
    tx.exec(
        "DELETE FROM membership_roles WHERE organization_id = $1 AND user_id = $2 AND by_provider = $3",
        p![organization_id, user_id, assigned.by_provider],
    )
    .await?;
    assign(tx, organization_id, user_id, assigned).await?;
    record_roles(tx, at, &before, assigned.by_provider).await
}

/// Takes back the roles that a provider gave and no longer sends.
pub(crate) async fn limit_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    names: &[String],
) -> Result<(), Error> {
    let before = find(tx, organization_id, user_id).await?.ok_or(Error::Stale)?;
    for name in before.roles.iter().filter(|name| !names.contains(name)) {
        tx.exec(
            "DELETE FROM membership_roles WHERE organization_id = $1 AND user_id = $2 AND by_provider
                AND role_id IN (SELECT id FROM roles WHERE name = $3)",
            p![organization_id, user_id, name],
        )
        .await?;
    }
    record_roles(tx, at, &before, true).await
}

/// Records that the roles of a member have changed, if they have.
async fn record_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    before: &Membership,
    by_provider: bool,
) -> Result<(), Error> {
    let after = roles_of(tx, &before.organization_id, &before.user_id).await?;
    if after == before.roles {
        return Ok(());
    }
    let object = object(tx, &before.organization_id, &before.user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationMembershipUpdated)
        .organization(&before.organization_id)
        .user(&before.user_id)
        .with("roles", after)
        .with("by_provider", by_provider)
        .object(object);
    event::record(tx, at, entry).await
}

async fn assign(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    assigned: AssignedRoles<'_>,
) -> Result<(), Error> {
    for name in assigned.names {
        // If both gave a role, it counts as given by people, and stays when the provider no longer sends
        // it.
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

/// Stores the groups that the identity provider sent.
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
