//! How people become members, and whether there is room for them.

use genkan_db::{Tx, p};
use serde_json::{Map, Value};

use super::{
    Assigned, Membership, ProvisioningMethod, Status, assign, find, find_with_object, leave, object, rules,
};
use crate::event::{self, Entry, Kind};
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, Stamp, Timestamp, UserId, conflict, role};

/// Somebody about to become a member.
#[derive(Debug, Clone)]
pub struct Joining<'a> {
    pub organization_id: &'a OrganizationId,
    pub user_id: &'a UserId,
    pub method: ProvisioningMethod,
    /// Names of roles; with none, the default ones: those of a creator for the
    /// first member of the organization. Unknown names are left out.
    pub roles: &'a [String],
    pub metadata: Map<String, Value>,
    pub inviter_email: Option<String>,
}

impl<'a> Joining<'a> {
    /// With the default roles, and nothing to remember.
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

/// Makes a user an active member with the default roles; see [`create`].
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
    let joining = Joining::new(organization_id, user_id, ProvisioningMethod::Api);
    create(tx, at, &joining).await
}

/// Makes a user an active member.
///
/// # Errors
///
/// - [`conflict::MEMBERSHIP`] if they belong to the organization already.
/// - [`conflict::ORGANIZATION_FULL`] if it may not have another member.
/// - [`Error::Stale`] if there is no such organization.
pub async fn create(tx: &mut Tx<'_>, at: Stamp<'_>, joining: &Joining<'_>) -> Result<Membership, Error> {
    add(tx, at, joining, None).await
}

/// Makes a user a member who has until `expires_at` to accept.
pub(crate) async fn insert_pending(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &Joining<'_>,
    expires_at: Timestamp,
) -> Result<Membership, Error> {
    add(tx, at, joining, Some(expires_at)).await
}

async fn add(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    joining: &Joining<'_>,
    expires_at: Option<Timestamp>,
) -> Result<Membership, Error> {
    let Joining {
        organization_id,
        user_id,
        ..
    } = *joining;
    rules::check(&joining.metadata, joining.inviter_email.as_deref())?;
    // Asked before the room: who is a member already is told that.
    if find(tx, organization_id, user_id).await?.is_some() {
        return Err(Error::Conflict(conflict::MEMBERSHIP));
    }
    refuse_full(tx, organization_id, user_id, at.now).await?;
    let other = tx
        .opt(
            "SELECT user_id FROM memberships WHERE organization_id = $1 LIMIT 1",
            p![organization_id],
        )
        .await?;
    let status = if expires_at.is_some() {
        Status::PendingInvite
    } else {
        Status::Active
    };
    let metadata = json(&joining.metadata);
    tx.exec(
        "INSERT INTO memberships (organization_id, user_id, groups, status, metadata, inviter_email,
            provisioning_method, created_at, accepted_at, expires_at)
         VALUES ($1, $2, '[]', $3, $4, $5, $6, $7, $8, $9)",
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
    let defaults: Vec<String>;
    let names = if joining.roles.is_empty() {
        let roles = role::defaults(tx, organization_id, other.is_none()).await?;
        defaults = roles.into_iter().map(|role| role.name).collect();
        &defaults
    } else {
        joining.roles
    };
    let assigned = Assigned {
        names,
        by_provider: false,
    };
    assign(tx, organization_id, user_id, assigned).await?;
    let (membership, object) = find_with_object(tx, organization_id, user_id)
        .await?
        .ok_or(Error::Stale)?;
    let entry = Entry::new(Kind::UserOrganizationMembershipCreated)
        .organization(organization_id)
        .user(user_id)
        .with("roles", membership.roles.clone())
        .with("status", status.as_str())
        .with("provisioning_method", joining.method.as_str())
        .object(object);
    event::record(tx, at, entry).await?;
    Ok(membership)
}

/// Whether an organization may have this user as a member, beside those it has.
/// Active members and open invitations count.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such organization.
pub async fn has_room(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: Option<&UserId>,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT o.max_allowed_users,
                    CASE WHEN o.max_allowed_users IS NULL THEN 0 ELSE
                      (SELECT COUNT(*) FROM memberships m
                        WHERE m.organization_id = o.id AND (CAST($2 AS TEXT) IS NULL OR m.user_id <> $2)
                          AND (m.status = 'ACTIVE' OR (m.status = 'PENDING_INVITE' AND m.expires_at > $3)))
                    END
               FROM organizations o WHERE o.id = $1",
            p![organization_id, user_id, now.as_micros()],
        )
        .await?
        .ok_or(Error::Stale)?;
    let mut columns = Columns::of(&row);
    let (most, counted) = (columns.optional_int()?, columns.int()?);
    Ok(most.is_none_or(|most| counted < most))
}

/// The limit holds however many come at once: transactions are serializable,
/// so what was counted is what is there at the commit.
async fn refuse_full(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    if has_room(tx, organization_id, Some(user_id), now).await? {
        Ok(())
    } else {
        Err(Error::Conflict(conflict::ORGANIZATION_FULL))
    }
}

/// Lets a pending member in: they have accepted, or proved who they are in a
/// better way. Says whether they were pending.
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

/// Gives a pending member until `expires_at`. Says whether they were pending.
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

/// Makes a member active, whatever they were, or inactive, which ends their
/// sessions and grants in the organization and withdraws an invitation. Says
/// whether that changed anything.
///
/// # Errors
///
/// - [`Error::Stale`] if the user does not belong to the organization.
/// - [`conflict::ORGANIZATION_FULL`] if it may not have another member.
pub async fn set_active(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    active: bool,
) -> Result<bool, Error> {
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
