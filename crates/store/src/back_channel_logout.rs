//! Logout tokens to deliver: clients are told when a session ends, again and
//! again until they answer or are given up.
//!
//! Source: OIDC Back-Channel Logout 1.0 §2.5, §2.8.

use std::time::Duration;

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind};
use crate::row::Columns;
use crate::{BackChannelLogoutId, ClientId, Error, SessionId, Stamp, Timestamp, UserId};

/// How often a delivery is tried, and how long after each failure it rests.
const BACKOFF_SECS: [u64; 5] = [5, 30, 2 * 60, 5 * 60, 15 * 60];

/// After this many attempts a delivery is given up.
pub const MAX_ATTEMPTS: u32 = 6;

/// A logout token that a client has not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackChannelLogout {
    pub id: BackChannelLogoutId,
    pub client_id: ClientId,
    pub uri: String,
    pub session_id: SessionId,
    pub user_id: UserId,
    /// With the one that this claim is for.
    pub attempts: u32,
    pub created_at: Timestamp,
}

/// What follows a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    RetryAt(Timestamp),
    GivenUp,
}

/// Queues a token for every registered address of every client that had a
/// grant in the session.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    session_id: &SessionId,
    user_id: &UserId,
) -> Result<(), Error> {
    let rows = tx
        .all(
            "SELECT DISTINCT client_id FROM grants WHERE session_id = $1",
            p![session_id],
        )
        .await?;
    let clients: Vec<ClientId> = rows
        .iter()
        .map(|row| Columns::of(row).id())
        .collect::<Result<_, _>>()?;
    enqueue_for(tx, at, (session_id, user_id), &clients).await
}

/// As [`enqueue`], for these clients alone.
pub(crate) async fn enqueue_for(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    (session_id, user_id): (&SessionId, &UserId),
    clients: &[ClientId],
) -> Result<(), Error> {
    for client_id in clients {
        let row = tx
            .opt(
                "SELECT back_channel_logout_uris FROM clients WHERE id = $1 AND back_channel_logout_uris <> '[]'",
                p![client_id],
            )
            .await?;
        let Some(row) = row else { continue };
        let uris: Vec<String> = Columns::of(&row).json("clients.back_channel_logout_uris")?;
        for uri in &uris {
            let id: BackChannelLogoutId = at.id();
            tx.exec(
                "INSERT INTO back_channel_logouts
                    (id, client_id, uri, session_id, user_id, attempts, next_attempt_at, created_at)
                 VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
                p![&id, client_id, uri, session_id, user_id, at.now.as_micros()],
            )
            .await?;
        }
    }
    Ok(())
}

fn read(row: &Row) -> Result<BackChannelLogout, Error> {
    let mut columns = Columns::of(row);
    Ok(BackChannelLogout {
        id: columns.id()?,
        client_id: columns.id()?,
        uri: columns.text()?,
        session_id: columns.id()?,
        user_id: columns.id()?,
        attempts: u32::try_from(columns.int()?).unwrap_or(u32::MAX),
        created_at: columns.time()?,
    })
}

/// The clients that a delivery is due for.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn due_clients(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<ClientId>, Error> {
    let rows = tx
        .all(
            "SELECT DISTINCT client_id FROM back_channel_logouts WHERE next_attempt_at <= $1",
            p![now.as_micros()],
        )
        .await?;
    rows.iter().map(|row| Columns::of(row).id()).collect()
}

/// Takes up to `limit` deliveries of a client that are due. No other node gets
/// them before `lease` is over, so a delivery whose node died is tried again.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn claim_due(
    tx: &mut Tx<'_>,
    client_id: &ClientId,
    limit: u32,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<BackChannelLogout>, Error> {
    let rows = tx
        .all(
            "UPDATE back_channel_logouts SET attempts = attempts + 1, next_attempt_at = $2
              WHERE id IN (SELECT id FROM back_channel_logouts WHERE client_id = $4 AND next_attempt_at <= $1
                            ORDER BY next_attempt_at, id LIMIT $3)
              RETURNING id, client_id, uri, session_id, user_id, attempts, created_at",
            p![
                now.as_micros(),
                (now + lease).as_micros(),
                i64::from(limit),
                client_id
            ],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// The client has confirmed: nothing is left to do.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delivered(tx: &mut Tx<'_>, id: &BackChannelLogoutId) -> Result<(), Error> {
    tx.exec("DELETE FROM back_channel_logouts WHERE id = $1", p![id])
        .await?;
    Ok(())
}

/// The client did not confirm: it is tried again later, or given up after
/// [`MAX_ATTEMPTS`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn failed(tx: &mut Tx<'_>, at: Stamp<'_>, logout: &BackChannelLogout) -> Result<Next, Error> {
    if logout.attempts >= MAX_ATTEMPTS {
        delivered(tx, &logout.id).await?;
        let entry = Entry::new(Kind::BackChannelLogoutGivenUp)
            .client(&logout.client_id)
            .user(&logout.user_id)
            .session(&logout.session_id)
            .with("uri", logout.uri.as_str());
        event::record(tx, at, entry).await?;
        return Ok(Next::GivenUp);
    }
    let rest = BACKOFF_SECS[(logout.attempts.max(1) as usize - 1).min(BACKOFF_SECS.len() - 1)];
    let retry_at = at.now + Duration::from_secs(rest);
    tx.exec(
        "UPDATE back_channel_logouts SET next_attempt_at = $2 WHERE id = $1",
        p![&logout.id, retry_at.as_micros()],
    )
    .await?;
    Ok(Next::RetryAt(retry_at))
}
