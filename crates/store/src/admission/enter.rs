//! A person who belongs to several organizations enters another one with their session.
//!
//! If an organization has no connection, nobody can be asked who its members are. The connection of the
//! session can vouch for a person, but only for an address in a domain that was proved to be its
//! organization's. See `docs/decisions/account-linking.md`.

use genkan_db::{Tx, p};

use super::vouch::speaks_for;
use crate::connection::{self, Connection};
use crate::membership::{self, Status};
use crate::organization::other_ways::{self, ClosureReason};
use crate::session::Session;
use crate::session_policy;
use crate::{Error, OrganizationId, Timestamp, user};

/// A session that counts in another organization than the one where it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The organization that is entered.
    pub organization_id: OrganizationId,
    /// The session's own connection, which vouches for the person.
    pub connection: Connection,
    /// The sign-in counts there until then, by that organization's own policy.
    pub absolute_until: Timestamp,
    /// An unused session counts there until then.
    pub idle_until: Timestamp,
}

impl Entry {
    /// Whether the sign-in is recent enough for the organization.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.absolute_until && now < self.idle_until
    }
}

/// Why a session does not count in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// The organization has a connection, enabled or not. The person must sign in with it.
    OwnConnection,
    /// Its connection was deleted, and no operator has allowed other ways since.
    ConnectionGone,
    /// The person is no active member: they are a stranger, invited, or were removed.
    NotMember,
    /// The session's connection is gone or disabled, or the person's address is in no proved domain of its
    /// organization.
    NotVouched,
}

/// Says whether the person of a session may enter `organization_id` with it.
///
/// The domain must be proved, as for everybody who belongs to several organizations. If a claim were
/// enough, its organization could have made the user before the other organization took them in.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn may_enter(
    tx: &mut Tx<'_>,
    session: &Session,
    organization_id: &OrganizationId,
    now: Timestamp,
) -> Result<Result<Entry, Barrier>, Error> {
    let closed = other_ways::closed(tx, organization_id).await?;
    if closed == Some(ClosureReason::HasConnection) {
        return Ok(Err(Barrier::OwnConnection));
    }
    let membership = membership::find(tx, organization_id, &session.user_id).await?;
    let is_member = membership.is_some_and(|membership| membership.status_at(now) == Status::Active);
    let user = user::find(tx, &session.user_id).await?;
    let Some(user) = user.filter(|user| is_member && !user.disabled) else {
        return Ok(Err(Barrier::NotMember));
    };
    // Only members learn this. To others it looks like any organization without a connection.
    if closed == Some(ClosureReason::HadConnection) {
        return Ok(Err(Barrier::ConnectionGone));
    }
    let connection = match &session.connection_id {
        Some(id) => connection::find(tx, id).await?,
        None => None,
    };
    let Some(connection) = connection.filter(|connection| connection.enabled) else {
        return Ok(Err(Barrier::NotVouched));
    };
    if speaks_for(tx, &connection, &user.email).await? != Some(true) {
        return Ok(Err(Barrier::NotVouched));
    }
    let policy = session_policy::find(tx, organization_id).await?;
    let (absolute, idle) = policy.map_or((None, None), |policy| {
        (policy.absolute_limit(), policy.idle_limit())
    });
    let until = |begin: Timestamp, limit: Option<std::time::Duration>| {
        limit.map_or(session.expires_at, |limit| session.expires_at.min(begin + limit))
    };
    Ok(Ok(Entry {
        organization_id: organization_id.clone(),
        absolute_until: until(session.authenticated_at, absolute),
        idle_until: until(session.last_active_at, idle),
        connection,
    }))
}

/// Shortens the idle time of a session that just entered an organization to what that organization allows.
/// Record first what was given there.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn hold_to_policy(
    tx: &mut Tx<'_>,
    session: &Session,
    entry: &Entry,
    now: Timestamp,
) -> Result<(), Error> {
    // The idle time that it had so far, or the policy's if that is shorter.
    let idle_expires_at = now + entry.idle_until.since(session.last_active_at);
    tx.exec(
        "UPDATE sessions SET idle_expires_at = $2 WHERE id = $1 AND idle_expires_at > $2",
        p![&session.id, idle_expires_at.as_micros()],
    )
    .await?;
    Ok(())
}
