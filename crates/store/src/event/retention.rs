//! Events that are kept for a shorter time, and their deletion.

use genkan_db::{Tx, p};

use super::Kind;
use crate::row::{Columns, words};
use crate::{Error, Timestamp};

words! {
    /// The classes of events that are so frequent that they are kept for a shorter time.
    pub enum Class {
        /// Somebody signs in or out, or is refused.
        Activity = "activity_events",
        /// An event of a single token.
        Token = "token_events",
    }
}

impl Kind {
    /// The class of such an event. `None` if it is about a change, and is kept the longest.
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::UserLogin
            | Self::UserLogout
            | Self::SessionRevoked
            | Self::SessionExpired
            | Self::GrantCreated
            | Self::GrantRevoked
            | Self::LoginFailed
            | Self::ClientRefused
            | Self::BackChannelLogoutGivenUp
            | Self::MailGivenUp => Some(Class::Activity),
            Self::TokenIssued | Self::TokenRefreshed | Self::TokenRevoked => Some(Class::Token),
            _ => None,
        }
    }
}

/// Deletes up to `limit` events of a class from before `before`, the oldest first. Returns their number,
/// and whether there may be more.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub(crate) async fn delete_before(
    tx: &mut Tx<'_>,
    class: Class,
    before: Timestamp,
    limit: i64,
) -> Result<(u64, bool), Error> {
    let row = tx
        .opt(
            "SELECT swept_to FROM event_sweeps WHERE class = $1",
            p![class.as_str()],
        )
        .await?;
    let since = match &row {
        Some(row) => Columns::of(row).int()?,
        None => i64::MIN,
    };
    let before = before.as_micros();
    if since >= before {
        return Ok((0, false));
    }
    let kinds: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| kind.class() == Some(class))
        .map(|kind| kind.as_str())
        .collect();
    let kinds = format!(",{},", kinds.join(","));
    let rows = tx
        .all(
            "DELETE FROM events WHERE id IN (
               SELECT id FROM events
                WHERE occurred_at >= $1 AND occurred_at < $2 AND CAST($3 AS TEXT) LIKE '%,' || kind || ',%'
                ORDER BY occurred_at LIMIT $4)
             RETURNING occurred_at",
            p![since, before, &kinds, limit],
        )
        .await?;
    let mut newest = since;
    for row in &rows {
        newest = newest.max(Columns::of(row).int()?);
    }
    let more = i64::try_from(rows.len()).is_ok_and(|deleted| deleted >= limit);
    // Up to here all are deleted, except those at the same moment as the last one.
    let swept_to = if more { newest } else { before };
    tx.exec(
        "INSERT INTO event_sweeps (class, swept_to) VALUES ($1, $2)
         ON CONFLICT (class) DO UPDATE SET swept_to = excluded.swept_to",
        p![class.as_str(), swept_to],
    )
    .await?;
    Ok((rows.len() as u64, more))
}
