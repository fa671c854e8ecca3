//! Ends sessions, and tells their clients.
//!
//! Source: OIDC Back-Channel Logout 1.0 §2.3.

use genkan_db::{Row, Tx, p};

use super::{Status, columns, read};
use crate::event::{self, Entry, Kind, Object, shape};
use crate::row::Columns;
use crate::{Error, SessionId, Stamp, UserId, back_channel_logout};

/// Ends a session: its grants are revoked, and their clients are told if they asked for it. Says whether it
/// was active. A second call does nothing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn end(tx: &mut Tx<'_>, at: Stamp<'_>, id: &SessionId, status: Status) -> Result<bool, Error> {
    debug_assert!(status != Status::Active, "a session ends in another status");
    let ended = tx
        .opt(
            concat!(
                "UPDATE sessions SET status = $2, ended_at = $3 WHERE id = $1 AND status = 'active' RETURNING ",
                columns!()
            ),
            p![id, status.as_str(), at.now.as_micros()],
        )
        .await?;
    let Some(row) = ended else { return Ok(false) };
    let session = read(&row)?;
    let user_id = &session.user_id;
    tx.exec(
        "UPDATE grants SET revoked_at = $2 WHERE session_id = $1 AND revoked_at IS NULL",
        p![id, at.now.as_micros()],
    )
    .await?;
    back_channel_logout::enqueue(tx, at, id, user_id).await?;
    let kind = match status {
        Status::Active | Status::Revoked => Kind::SessionRevoked,
        Status::Logout => Kind::UserLogout,
        Status::Expired => Kind::SessionExpired,
    };
    let mut entry = Entry::new(kind)
        .user(user_id)
        .organization(session.organization_id.as_ref())
        .session(id);
    if kind == Kind::UserLogout {
        let user = shape::User::find(tx, user_id).await?.ok_or(Error::Stale)?;
        entry = entry.object(Object::of(&user).and(&session.shape()));
    }
    event::record(tx, at, entry).await?;
    Ok(true)
}

/// Revokes all active sessions of a user and counts them.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn end_all_for_user(tx: &mut Tx<'_>, at: Stamp<'_>, user_id: &UserId) -> Result<u64, Error> {
    hold_person(tx, user_id).await?;
    let rows = tx
        .all(
            "SELECT id FROM sessions WHERE user_id = $1 AND status = 'active'",
            p![user_id],
        )
        .await?;
    end_each(tx, at, &rows, Status::Revoked).await
}

/// Waits for a sign-in of the person that is under way, and lets none begin, because a new session locks
/// its person, too.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn hold_person(tx: &mut Tx<'_>, user_id: &UserId) -> Result<(), Error> {
    if tx.locks() {
        tx.opt(
            "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE",
            p![user_id],
        )
        .await?;
    }
    Ok(())
}

/// Ends up to `limit` expired sessions, so that their clients are told. Returns their number.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn end_expired(tx: &mut Tx<'_>, at: Stamp<'_>, limit: u32) -> Result<u64, Error> {
    let rows = tx
        .all(
            "SELECT id FROM sessions WHERE status = 'active' AND idle_expires_at <= $1
              ORDER BY idle_expires_at LIMIT $2",
            p![at.now.as_micros(), i64::from(limit)],
        )
        .await?;
    end_each(tx, at, &rows, Status::Expired).await
}

async fn end_each(tx: &mut Tx<'_>, at: Stamp<'_>, rows: &[Row], status: Status) -> Result<u64, Error> {
    let mut ended = 0;
    for row in rows {
        let id = Columns::of(row).id()?;
        ended += u64::from(end(tx, at, &id, status).await?);
    }
    Ok(ended)
}
