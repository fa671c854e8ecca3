//! Logout tokens, delivered through the [`outbox`]. Clients learn that a session has ended. A delivery is
//! repeated until the client confirms it or it is given up.
//!
//! Source: OIDC Back-Channel Logout 1.0 §2.5, §2.8.

use std::time::Duration;

use genkan_db::{Tx, p};
use serde::{Deserialize, Serialize};

use crate::event::{self, Entry, Kind};
use crate::outbox::{self, Delivery, NewDelivery, RetryDecision, Schedule};
use crate::row::Columns;
use crate::{BackChannelLogoutId, ClientId, Error, SessionId, Stamp, UserId};

pub const SCHEDULE: Schedule = Schedule::new(&[5, 30, 2 * 60, 5 * 60, 15 * 60]);

/// If no node ran for so long, the clients have noticed the end of the session by themselves.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The stored content of a delivery. The receiver is the client.
#[derive(Serialize, Deserialize)]
struct Facts {
    uri: String,
    session_id: SessionId,
    user_id: UserId,
}

/// A logout token that a client has not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackChannelLogout {
    pub client_id: ClientId,
    pub uri: String,
    pub session_id: SessionId,
    pub user_id: UserId,
    pub delivery: Delivery,
}

impl BackChannelLogout {
    /// The logout of a delivery of [`outbox::Kind::BackChannelLogout`].
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if it is none.
    pub fn read(delivery: Delivery) -> Result<Self, Error> {
        let facts: Facts = delivery.facts()?;
        Ok(Self {
            client_id: ClientId::parse(delivery.receiver())
                .map_err(|_| Error::Corrupt("deliveries.receiver"))?,
            uri: facts.uri,
            session_id: facts.session_id,
            user_id: facts.user_id,
            delivery,
        })
    }
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
        for uri in uris {
            let id: BackChannelLogoutId = at.id();
            let new = NewDelivery {
                id: id.as_str(),
                kind: outbox::Kind::BackChannelLogout,
                receiver: client_id.as_str(),
                expires_at: at.now + LIFETIME,
                sealed: None,
            };
            let facts = Facts {
                uri,
                session_id: session_id.clone(),
                user_id: user_id.clone(),
            };
            outbox::put(tx, at.now, &new, &facts).await?;
        }
    }
    Ok(())
}

/// The client did not confirm. The delivery is repeated later, or given up after the last attempt.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn failed(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    logout: &BackChannelLogout,
) -> Result<RetryDecision, Error> {
    let next = outbox::failed(tx, at.now, &logout.delivery).await?;
    if next == RetryDecision::GivenUp {
        let entry = Entry::new(Kind::BackChannelLogoutGivenUp)
            .client(&logout.client_id)
            .user(&logout.user_id)
            .session(&logout.session_id)
            .with("uri", logout.uri.as_str());
        event::record(tx, at, entry).await?;
    }
    Ok(next)
}
