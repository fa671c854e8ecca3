//! Connections that a browser knows. There another site may begin a sign-in without a question.
//!
//! If somebody else made a link, it could sign a person in as that somebody. So the first sign-in that
//! another site begins asks the person. A completed sign-in is remembered. If the person presses a button
//! on a page of ours, that covers the request that follows. See `docs/decisions/forced-sign-in.md`.

use std::time::Duration;

use genkan_db::{Tx, p};

use crate::{ConnectionId, Error, SecretHash, Timestamp};

/// How long a completed sign-in is remembered. Each new one starts the time again.
pub const REMEMBERED: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// How long an application may take to begin the sign-in to which the person agreed.
pub const AGREED: Duration = Duration::from_secs(10 * 60);

const SIGNED_IN: &str = "signed_in";
const AGREEMENT: &str = "agreed";

/// Notes that a person has signed in at this connection in this browser.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn remember(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    connection_id: &ConnectionId,
    now: Timestamp,
) -> Result<(), Error> {
    keep(tx, browser, connection_id, (SIGNED_IN, now + REMEMBERED)).await
}

/// Notes that the person has pressed a button that says where the sign-in leads. Call it only for a form of
/// ours: a page of another site must not be able to cause it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn agree(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    connection_id: &ConnectionId,
    now: Timestamp,
) -> Result<(), Error> {
    keep(tx, browser, connection_id, (AGREEMENT, now + AGREED)).await
}

async fn keep(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    connection_id: &ConnectionId,
    (reason, expires_at): (&str, Timestamp),
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO familiar_connections (browser_hash, connection_id, reason, expires_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (browser_hash, connection_id, reason) DO UPDATE SET expires_at = excluded.expires_at",
        p![browser, connection_id, reason, expires_at.as_micros()],
    )
    .await?;
    Ok(())
}

/// Whether a person has signed in at this connection in this browser.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn is_remembered(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    connection_id: &ConnectionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT 1 FROM familiar_connections
              WHERE browser_hash = $1 AND connection_id = $2 AND reason = $3 AND expires_at > $4",
            p![browser, connection_id, SIGNED_IN, now.as_micros()],
        )
        .await?;
    Ok(row.is_some())
}

/// Uses up the agreement, if there is one. It covers one request.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn take_agreement(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    connection_id: &ConnectionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let taken = tx
        .exec(
            "DELETE FROM familiar_connections
              WHERE browser_hash = $1 AND connection_id = $2 AND reason = $3 AND expires_at > $4",
            p![browser, connection_id, AGREEMENT, now.as_micros()],
        )
        .await?;
    Ok(taken > 0)
}
