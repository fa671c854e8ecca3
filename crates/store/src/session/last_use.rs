//! The last use of a session, which keeps it alive.

use std::time::Duration;

use genkan_db::{Tx, p};

use crate::row::Columns;
use crate::{Error, OrganizationId, SessionId, Timestamp, session_policy};

/// The use is written at most this often. Otherwise a busy session would cost a write at every request.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// No policy is shorter than a minute, so the use is never written more often than this.
const TOUCH_AT_MOST_EVERY: Duration = Duration::from_secs(6);

/// The columns of a session `s` that [`LastUse::read`] reads.
macro_rules! last_use_columns {
    () => {
        "s.id, s.last_active_at, s.idle_expires_at, s.expires_at, s.organization_id"
    };
}
pub(crate) use last_use_columns;

/// When an active session was last used, and when it expires without use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    session_id: SessionId,
    last_active_at: Timestamp,
    idle_expires_at: Timestamp,
    expires_at: Timestamp,
    organization_id: Option<OrganizationId>,
}

impl LastUse {
    /// `None` if there is no session in the columns.
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Option<Self>, Error> {
        let Some(session_id) = columns.optional_id()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            session_id,
            last_active_at: columns.time()?,
            idle_expires_at: columns.time()?,
            expires_at: columns.time()?,
            organization_id: columns.optional_id()?,
        }))
    }
}

/// Keeps a session alive that was just used. Says whether that was written, which is at most once a minute,
/// or once in a tenth of a shorter idle time.
///
/// `idle` is the application's. The policies of the organizations for which the session gave grants may
/// shorten it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn touch(
    tx: &mut Tx<'_>,
    last_use: &LastUse,
    idle: Duration,
    now: Timestamp,
) -> Result<bool, Error> {
    let (id, last_active_at) = (&last_use.session_id, last_use.last_active_at);
    let is_recent = |idle: Duration, every: Duration| last_active_at > now - every.min(idle / 10);
    if last_use.idle_expires_at <= now || is_recent(idle, TOUCH_AT_MOST_EVERY) {
        return Ok(false);
    }
    let idle = session_policy::strictest_idle(tx, id, last_use.organization_id.as_ref(), idle, now).await?;
    if is_recent(idle, TOUCH_EVERY) {
        return Ok(false);
    }
    let idle_expires_at = last_use.expires_at.min(now + idle);
    let touched = tx
        .exec(
            // Unless another request was faster. Then its time counts.
            "UPDATE sessions SET last_active_at = $2, idle_expires_at = $3
              WHERE id = $1 AND status = 'active' AND last_active_at = $4 AND idle_expires_at = $5
                AND expires_at = $6",
            p![
                id,
                now.as_micros(),
                idle_expires_at.as_micros(),
                last_active_at.as_micros(),
                last_use.idle_expires_at.as_micros(),
                last_use.expires_at.as_micros(),
            ],
        )
        .await?;
    Ok(touched > 0)
}

/// The last use of a session, if it is active.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn last_use(tx: &mut Tx<'_>, id: &SessionId) -> Result<Option<LastUse>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                last_use_columns!(),
                " FROM sessions s WHERE s.id = $1 AND s.status = 'active'"
            ),
            p![id],
        )
        .await?;
    row.map_or(Ok(None), |row| LastUse::read(&mut Columns::of(&row)))
}
