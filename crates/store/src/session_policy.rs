//! Session policies: an organization may shorten the sessions of its people.

use std::time::Duration;

use genkan_db::{Tx, p};
use serde::{Deserialize, Serialize};

use crate::event::shape::{self, organization_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::row::{Columns, held, json, words};
use crate::{Error, OrganizationId, SessionId, Stamp, Timestamp};

words! {
    /// The unit that an administrator entered.
    pub enum Unit {
        Minutes = "MINUTES",
        Hours = "HOURS",
        Days = "DAYS",
    }
}

/// A duration as it was entered: 8 hours stay 8 hours, and do not become 480 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub count: u32,
    pub unit: Unit,
}

impl Span {
    pub const fn duration(self) -> Duration {
        let minutes = match self.unit {
            Unit::Minutes => 1,
            Unit::Hours => 60,
            Unit::Days => 24 * 60,
        };
        Duration::from_secs(self.count as u64 * minutes * 60)
    }
}

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the sign-in, also if it is in use.
    pub absolute: Duration,
    /// From the last use.
    pub idle: Duration,
}

impl Lifetimes {
    /// The lifetimes under an organization's policy.
    #[must_use]
    pub fn shortened_by(self, policy: Option<&SessionPolicy>) -> Self {
        policy.map_or(self, |policy| policy.shorten(self))
    }

    /// The lifetimes of a session whose only proof counts until `end`. It lasts at least a minute, so that
    /// the sign-in can end at its application.
    #[must_use]
    pub fn until(self, end: Option<Timestamp>, now: Timestamp) -> Self {
        const LEAST: Duration = Duration::from_mins(1);
        match end {
            Some(end) => Self {
                absolute: self.absolute.min(end.since(now).max(LEAST)),
                idle: self.idle,
            },
            None => self,
        }
    }
}

/// An organization's own limits. They can only shorten: of the application's and the organization's limit,
/// the shorter one holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPolicy {
    /// From the sign-in, also if the session is in use.
    pub absolute: Option<Span>,
    /// From the last use. It counts if `idle_enabled`.
    pub idle: Option<Span>,
    pub idle_enabled: bool,
}

impl SessionPolicy {
    pub(crate) fn absolute_limit(&self) -> Option<Duration> {
        self.absolute.map(Span::duration)
    }

    pub(crate) fn idle_limit(&self) -> Option<Duration> {
        self.idle.filter(|_| self.idle_enabled).map(Span::duration)
    }

    /// The lifetimes in the organization.
    pub fn shorten(&self, application: Lifetimes) -> Lifetimes {
        let shorter =
            |limit: Option<Duration>, other: Duration| limit.map_or(other, |limit| limit.min(other));
        Lifetimes {
            absolute: shorter(self.absolute_limit(), application.absolute),
            idle: shorter(self.idle_limit(), application.idle),
        }
    }
}

/// The organization's own policy. `None` if it has none, or there is no such organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<Option<SessionPolicy>, Error> {
    let row = tx
        .opt("SELECT session_policy FROM organizations WHERE id = $1", p![id])
        .await?;
    let policy = row.map(|row| Columns::of(&row).optional_json("organizations.session_policy"));
    Ok(policy.transpose()?.flatten())
}

/// As [`find`], for an organization or none, and locks it. So a change of the policy waits for the session
/// that begins here.
pub(crate) async fn find_held(
    tx: &mut Tx<'_>,
    id: Option<&OrganizationId>,
) -> Result<Option<SessionPolicy>, Error> {
    let Some(id) = id else { return Ok(None) };
    let sql = held!(
        tx,
        "FOR KEY SHARE",
        "SELECT session_policy FROM organizations WHERE id = $1"
    );
    let row = tx.opt(sql, p![id]).await?;
    let policy = row.map(|row| Columns::of(&row).optional_json("organizations.session_policy"));
    Ok(policy.transpose()?.flatten())
}

/// The idle time of a session: the shortest one of the organizations that the session is in, or in which it
/// has a valid grant.
pub(crate) async fn strictest_idle(
    tx: &mut Tx<'_>,
    session_id: &SessionId,
    organization_id: Option<&OrganizationId>,
    application: Duration,
    now: Timestamp,
) -> Result<Duration, Error> {
    let sql = held!(
        tx,
        "FOR KEY SHARE",
        "SELECT session_policy FROM organizations
          WHERE id IN (
            SELECT CAST($2 AS TEXT) UNION
            SELECT organization_id FROM grants
             WHERE session_id = $1 AND revoked_at IS NULL AND expires_at > $3)"
    );
    let rows = tx
        .all(sql, p![session_id, organization_id, now.as_micros()])
        .await?;
    let mut strictest = application;
    for row in &rows {
        let policy: Option<SessionPolicy> = Columns::of(row).optional_json("organizations.session_policy")?;
        if let Some(limit) = policy.and_then(|policy| policy.idle_limit()) {
            strictest = strictest.min(limit);
        }
    }
    Ok(strictest)
}

/// Sets or removes an organization's own policy.
///
/// Living sessions are shortened at once, so that a lost laptop does not stay signed in for as long as the
/// old policy allowed. A longer policy prolongs the idle time at the next use, and the rest at the next
/// sign-in. At READ COMMITTED (see [`genkan_db::Db::tx_read_committed`]) it misses no session that begins
/// or is used at the same time.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such organization.
pub async fn set(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &OrganizationId,
    policy: Option<&SessionPolicy>,
) -> Result<(), Error> {
    let text = policy.map(json);
    if tx.locks() {
        tx.opt("SELECT id FROM organizations WHERE id = $1 FOR UPDATE", p![id])
            .await?;
    }
    let row = tx
        .opt(
            concat!(
                "UPDATE organizations SET session_policy = $2 WHERE id = $1 RETURNING ",
                organization_columns!("")
            ),
            p![id, text.as_deref()],
        )
        .await?
        .ok_or(Error::Stale)?;
    if let Some(policy) = policy {
        shorten_living_sessions(tx, id, policy).await?;
    }
    let object = Object::of(&shape::Organization::read(&mut Columns::of(&row))?);
    let entry = Entry::new(Kind::OrganizationUpdated)
        .organization(id)
        .object(object);
    let source = if policy.is_some() { "CUSTOM" } else { "APPLICATION" };
    event::record(tx, at, entry.with("session_policy", source)).await
}

async fn shorten_living_sessions(
    tx: &mut Tx<'_>,
    id: &OrganizationId,
    policy: &SessionPolicy,
) -> Result<(), Error> {
    if let Some(absolute) = policy.absolute {
        tx.exec(
            "UPDATE sessions SET expires_at = authenticated_at + $2
              WHERE organization_id = $1 AND status = 'active' AND expires_at > authenticated_at + $2",
            p![id, micros(absolute.duration())],
        )
        .await?;
        // If a session has moved on to another organization, it keeps its lifetime there. Its grants of
        // this organization do not.
        tx.exec(
            "UPDATE grants SET expires_at = authenticated_at + $2
              WHERE organization_id = $1 AND revoked_at IS NULL AND expires_at > authenticated_at + $2",
            p![id, micros(absolute.duration())],
        )
        .await?;
    }
    if let Some(idle) = policy.idle_limit() {
        tx.exec(
            "UPDATE sessions SET idle_expires_at = last_active_at + $2
              WHERE status = 'active' AND idle_expires_at > last_active_at + $2
                AND id IN (SELECT id FROM sessions WHERE organization_id = $1
                           UNION SELECT session_id FROM grants WHERE organization_id = $1 AND revoked_at IS NULL)",
            p![id, micros(idle)],
        )
        .await?;
    }
    tx.exec(
        "UPDATE sessions SET idle_expires_at = expires_at
          WHERE organization_id = $1 AND status = 'active' AND idle_expires_at > expires_at",
        p![id],
    )
    .await?;
    Ok(())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const APPLICATION: Lifetimes = Lifetimes {
        absolute: HOUR.saturating_mul(8),
        idle: HOUR,
    };

    #[test]
    fn the_shorter_one_of_two_limits_holds() {
        let minutes = |count| {
            Some(Span {
                count,
                unit: Unit::Minutes,
            })
        };
        let days = Some(Span {
            count: 30,
            unit: Unit::Days,
        });
        let policy = SessionPolicy {
            absolute: days,
            idle: minutes(10),
            idle_enabled: true,
        };
        let shortened = policy.shorten(APPLICATION);
        assert_eq!(
            shortened.absolute, APPLICATION.absolute,
            "it cannot be lengthened"
        );
        assert_eq!(shortened.idle, Duration::from_secs(600));
        let policy = SessionPolicy {
            absolute: minutes(90),
            idle_enabled: false,
            ..policy
        };
        assert_eq!(policy.shorten(APPLICATION).absolute, Duration::from_secs(5400));
        assert_eq!(
            policy.shorten(APPLICATION).idle,
            APPLICATION.idle,
            "the application's idle time stays on"
        );
    }
}
