//! A person who belongs to several organizations enters another one with the
//! session that they have.
//!
//! An organization without a connection can ask nobody who its members are. The
//! connection by which the session began can vouch for one, as far as its word
//! reaches: for an address in a domain that was proved to be its organization's.
//! See `docs/decisions/account-linking.md`.

use genkan_db::{Tx, p};

use super::vouch::speaks_for;
use crate::connection::{self, Connection};
use crate::membership::{self, Status};
use crate::organization::other_ways::{self, Closed};
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
    /// Until when the sign-in counts there, by that organization's own policy.
    pub absolute_until: Timestamp,
    /// Until when the session counts there if it is not used.
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
    /// The organization has a connection, switched on or off: that one is to be asked.
    OwnConnection,
    /// It had one, which is deleted, and nobody has allowed other ways since.
    ConnectionGone,
    /// The person is no active member: a stranger, invited, or taken out.
    NotMember,
    /// The session's connection is gone or switched off, or the person's address
    /// lies in no domain that was proved to be its organization's.
    NotVouched,
}

/// Says whether the person of a session may enter `organization_id` with it.
///
/// Only a domain that was proved will do, as for everybody who belongs to
/// several organizations: whoever has merely claimed one could have made the
/// user before the other organization took them in.
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
    if closed == Some(Closed::HasConnection) {
        return Ok(Err(Barrier::OwnConnection));
    }
    let membership = membership::find(tx, organization_id, &session.user_id).await?;
    let is_member = membership.is_some_and(|membership| membership.status_at(now) == Status::Active);
    let user = user::find(tx, &session.user_id).await?;
    let Some(user) = user.filter(|user| is_member && !user.disabled) else {
        return Ok(Err(Barrier::NotMember));
    };
    // Told to members alone: to others it looks like every organization without a connection.
    if closed == Some(Closed::HadConnection) {
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

/// Keeps a session that was just used to enter an organization no longer unused
/// than that organization allows; what is given there must be recorded first.
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
    // As long again as it had from its last use; the policy's idle time, if it has one.
    let idle_expires_at = now + entry.idle_until.since(session.last_active_at);
    tx.exec(
        "UPDATE sessions SET idle_expires_at = $2 WHERE id = $1 AND idle_expires_at > $2",
        p![&session.id, idle_expires_at.as_micros()],
    )
    .await?;
    Ok(())
}
