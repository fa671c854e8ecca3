//! How people become members, and whether there is a place for them.

use genkan_db::{Tx, p};
use serde_json::{Map, Value};

use super::{
    AssignedRoles, Membership, ProvisioningMethod, Status, assign, find, find_with_object, leave, object,
    rules,
};
use crate::event::{self, Entry, Kind, Object};
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, Stamp, Timestamp, UserId, conflict, role, user};

/// A person who is about to become a member.
#[derive(Debug, Clone)]
pub struct NewMember<'a> {
    pub organization_id: &'a OrganizationId,
    pub user_id: &'a UserId,
    pub method: ProvisioningMethod,
    /// Names of roles. If empty, the default roles: those of a creator for the first member of the
    /// organization, those of a member for all others. Unknown names are left out.
    pub roles: &'a [String],
    pub metadata: Map<String, Value>,
    pub inviter_email: Option<String>,
}

impl<'a> NewMember<'a> {
    /// A new member with the default roles, and without metadata.
    pub fn new(organization_id: &'a OrganizationId, user_id: &'a UserId, method: ProvisioningMethod) -> Self {
        Self {
            organization_id,
            user_id,
            method,
            roles: &[],
            metadata: Map::new(),
            inviter_email: None,
        }
    }
}

/// Makes a user an active member with the default roles, see [`create`].
///
/// # Errors
///
/// As [`create`].
pub async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<Membership, Error> {
    let joining = NewMember::new(organization_id, user_id, ProvisioningMethod::Api);
    create(tx, at, &joining).await
}

/// Makes a user an active member.
///
/// # Errors
///
/// - [`conflict::MEMBERSHIP`] if they are a member of the organization already.
/// - [`conflict::ORGANIZATION_FULL`] if it cannot have another member.
/// - [`Error::Stale`] if there is no such organization.
pub async fn create(tx: &mut Tx<'_>, at: Stamp<'_>, joining: &NewMember<'_>) -> Result<Membership, Error> {
    add(tx, at, joining, None).await
}

/// Makes a user a member who has until `expires_at` to accept.
pub(crate) async fn insert_pending(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &NewMember<'_>,
    expires_at: Timestamp,
) -> Result<Membership, Error> {
    add(tx, at, joining, Some(expires_at)).await
}

async fn add(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &NewMember<'_>,
    expires_at: Option<Timestamp>,
) -> Result<Membership, Error> {
    let NewMember {
        organization_id,
        user_id,
        ..
    } = *joining;
    rules::check(&joining.metadata, joining.inviter_email.as_deref())?;
    // Checked before the limit, so that an existing member gets the right message.
    if find(tx, organization_id, user_id).await?.is_some() {
        return Err(Error::Conflict(conflict::MEMBERSHIP));
    }
    let room = room(tx, organization_id, Some(user_id), at.now).await?;
    if !room.is_left {
        return Err(Error::Conflict(conflict::ORGANIZATION_FULL));
    }
    let (membership, _) = enter(tx, at, joining, (expires_at, room)).await?;
    Ok(membership)
}

/// Makes a person an active member who is no member yet, if there is [`room`]. Returns the object for an
/// event.
pub(crate) async fn take_place(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &NewMember<'_>,
    room: Capacity,
) -> Result<(Membership, Object), Error> {
    enter(tx, at, joining, (None, room)).await
}

async fn enter(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &NewMember<'_>,
    (expires_at, room): (Option<Timestamp>, Capacity),
) -> Result<(Membership, Object), Error> {
    let NewMember {
        organization_id,
        user_id,
        ..
    } = *joining;
    let status = if expires_at.is_some() {
        Status::PendingInvite
    } else {
        Status::Active
    };
    let metadata = json(&joining.metadata);
    let inserted = tx
        .exec(
            "INSERT INTO memberships (organization_id, user_id, groups, status, metadata, inviter_email,
            provisioning_method, created_at, accepted_at, expires_at)
         VALUES ($1, $2, '[]', $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            p![
                organization_id,
                user_id,
                status.as_str(),
                &metadata,
                joining.inviter_email.as_deref(),
                joining.method.as_str(),
                at.now.as_micros(),
                expires_at.is_none().then_some(at.now.as_micros()),
                expires_at.map(Timestamp::as_micros),
            ],
        )
        .await?;
    if inserted == 0 {
        // They were no member a moment ago.
        return Err(tx.begin_anew().into());
    }
    if joining.roles.is_empty() {
        role::give_defaults(tx, organization_id, user_id, room.is_empty).await?;
    } else {
        let assigned = AssignedRoles {
            names: joining.roles,
            by_provider: false,
        };
        assign(tx, organization_id, user_id, assigned).await?;
    }
    let (membership, object) = find_with_object(tx, organization_id, user_id)
        .await?
        .ok_or(Error::Stale)?;
    let entry = Entry::new(Kind::UserOrganizationMembershipCreated)
        .organization(organization_id)
        .user(user_id)
        .with("roles", membership.roles.clone())
        .with("status", status.as_str())
        .with("provisioning_method", joining.method.as_str())
        .object(object.clone());
    event::record(tx, at, entry).await?;
    Ok((membership, object))
}

/// The free places of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// There is a free place, besides the present members and open invitations.
    pub is_left: bool,
    /// The organization has no members.
    pub is_empty: bool,
}

/// Looks for a free place for this user. `None` stands for a person without an account.
///
/// The limit and the rule for the first member hold even if many people come at once. If one of these rules
/// applies, the row of the organization is written. So people who come at the same time wait for each
/// other, or begin anew.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such organization.
pub async fn room(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: Option<&UserId>,
    now: Timestamp,
) -> Result<Capacity, Error> {
    if tx.locks() {
        tx.exec(
            "UPDATE organizations SET max_allowed_users = max_allowed_users
              WHERE id = $1 AND (max_allowed_users IS NOT NULL
                    OR NOT EXISTS (SELECT 1 FROM memberships m WHERE m.organization_id = organizations.id))",
            p![organization_id],
        )
        .await?;
    }
    let row = tx
        .opt(
            "SELECT o.max_allowed_users,
                    CASE WHEN o.max_allowed_users IS NULL THEN 0 ELSE
                      (SELECT COUNT(*) FROM memberships m
                        WHERE m.organization_id = o.id AND (CAST($2 AS TEXT) IS NULL OR m.user_id <> $2)
                          AND (m.status = 'ACTIVE' OR (m.status = 'PENDING_INVITE' AND m.expires_at > $3)))
                    END,
                    NOT EXISTS (SELECT 1 FROM memberships m WHERE m.organization_id = o.id)
               FROM organizations o WHERE o.id = $1",
            p![organization_id, user_id, now.as_micros()],
        )
        .await?
        .ok_or(Error::Stale)?;
    let mut columns = Columns::of(&row);
    let (most, counted) = (columns.optional_int()?, columns.int()?);
    Ok(Capacity {
        is_left: most.is_none_or(|most| counted < most),
        is_empty: columns.bool()?,
    })
}

async fn refuse_full(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    if room(tx, organization_id, Some(user_id), now).await?.is_left {
        Ok(())
    } else {
        Err(Error::Conflict(conflict::ORGANIZATION_FULL))
    }
}

/// Makes a pending member active, because they have accepted or given a stronger proof. Says whether they
/// were pending.
///
/// # Errors
///
/// [`conflict::ORGANIZATION_FULL`] if the invitation has expired and its place is taken.
pub(crate) async fn activate(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<bool, Error> {
    refuse_full(tx, organization_id, user_id, at.now).await?;
    let changed = tx
        .exec(
            "UPDATE memberships SET status = 'ACTIVE', accepted_at = $3, expires_at = NULL
              WHERE organization_id = $1 AND user_id = $2 AND status = 'PENDING_INVITE'",
            p![organization_id, user_id, at.now.as_micros()],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    tx.exec(
        "UPDATE invitations SET accepted_at = $3
          WHERE organization_id = $1 AND user_id = $2 AND accepted_at IS NULL",
        p![organization_id, user_id, at.now.as_micros()],
    )
    .await?;
    record_status(tx, at, organization_id, user_id, Status::Active).await?;
    Ok(true)
}

/// Sets the deadline of a pending member to `expires_at`. Says whether they were pending.
///
/// # Errors
///
/// [`conflict::ORGANIZATION_FULL`] if the invitation had expired and its place is taken.
pub(crate) async fn reopen(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    refuse_full(tx, organization_id, user_id, at.now).await?;
    let changed = tx
        .exec(
            "UPDATE memberships SET expires_at = $3
              WHERE organization_id = $1 AND user_id = $2 AND status = 'PENDING_INVITE'",
            p![organization_id, user_id, expires_at.as_micros()],
        )
        .await?;
    Ok(changed > 0)
}

/// Makes a member active, from any status, or inactive. The latter ends their sessions and grants in the
/// organization and withdraws an invitation. Says whether that changed anything.
///
/// # Errors
///
/// - [`Error::Stale`] if the user does not belong to the organization.
/// - [`conflict::ORGANIZATION_FULL`] if it cannot have another member.
pub async fn set_active(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    active: bool,
) -> Result<bool, Error> {
    user::hold(tx, user_id).await?;
    let before = find(tx, organization_id, user_id).await?.ok_or(Error::Stale)?;
    let status = if active { Status::Active } else { Status::Inactive };
    if before.status == status {
        return Ok(false);
    }
    if active && before.status == Status::PendingInvite {
        return activate(tx, at, organization_id, user_id).await;
    }
    if active {
        refuse_full(tx, organization_id, user_id, at.now).await?;
    } else {
        tx.exec(
            "DELETE FROM invitations WHERE organization_id = $1 AND user_id = $2",
            p![organization_id, user_id],
        )
        .await?;
    }
    let accepted_at = before.accepted_at.or(active.then_some(at.now));
    tx.exec(
        "UPDATE memberships SET status = $3, accepted_at = $4, expires_at = NULL
          WHERE organization_id = $1 AND user_id = $2",
        p![
            organization_id,
            user_id,
            status.as_str(),
            accepted_at.map(Timestamp::as_micros)
        ],
    )
    .await?;
    if !active {
        leave::end_access(tx, at, organization_id, user_id).await?;
    }
    record_status(tx, at, organization_id, user_id, status).await?;
    Ok(true)
}

async fn record_status(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    status: Status,
) -> Result<(), Error> {
    let object = object(tx, organization_id, user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationMembershipUpdated)
        .organization(organization_id)
        .user(user_id)
        .with("status", status.as_str())
        .object(object);
    event::record(tx, at, entry).await
}
