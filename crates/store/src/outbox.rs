//! The outbox: messages of every kind that wait until another server has taken them.
//!
//! A message is queued in the transaction of the change that it reports, so it is sent if and only if the
//! change was made. One node claims it for a lease. After each failure it waits longer, and at last it is
//! given up. When it is delivered or given up, its row is deleted.
//!
//! Each message is delivered at least once. If a node stops between the receiver's answer and its own note,
//! another node delivers it again.

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id::Id;
use crate::row::{Columns, json, words};
use crate::{Error, Timestamp};

words! {
    /// The kind of message.
    pub enum Kind {
        /// See [`crate::mail`].
        Mail = "mail",
        /// See [`crate::back_channel_logout`].
        BackChannelLogout = "back_channel_logout",
    }
}

/// How often a delivery is tried, and how long it waits in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The pause after each failed attempt except the last.
    rests_secs: &'static [u64],
}

impl Schedule {
    pub const fn new(rests_secs: &'static [u64]) -> Self {
        Self { rests_secs }
    }

    /// After this many attempts a delivery is given up.
    pub const fn attempts(self) -> usize {
        self.rests_secs.len() + 1
    }

    /// The pause after this many attempts. `None` after the last.
    fn rest_after(self, attempts: u32) -> Option<Duration> {
        let failed_before = usize::try_from(attempts.max(1) - 1).ok()?;
        self.rests_secs
            .get(failed_before)
            .copied()
            .map(Duration::from_secs)
    }
}

impl Kind {
    const fn schedule(self) -> Schedule {
        match self {
            Self::Mail => crate::mail::SCHEDULE,
            Self::BackChannelLogout => crate::back_channel_logout::SCHEDULE,
        }
    }
}

/// A message to queue.
#[derive(Clone, Copy)]
pub(crate) struct NewDelivery<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: Kind,
    /// The server that must answer. If it is slow or away, only its own messages wait.
    pub(crate) receiver: &'a str,
    /// The message is useless from then on, and is not tried again.
    pub(crate) expires_at: Timestamp,
    pub(crate) sealed: Option<&'a [u8]>,
}

/// A queued message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    id: String,
    kind: Kind,
    receiver: String,
    facts: String,
    sealed: Option<Vec<u8>>,
    /// The number of attempts, including the one of this claim.
    pub attempts: u32,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

impl Delivery {
    pub(crate) fn id<I: Id>(&self) -> Result<I, Error> {
        I::parse(&self.id).map_err(|_| Error::Corrupt("deliveries.id"))
    }

    pub(crate) fn receiver(&self) -> &str {
        &self.receiver
    }

    pub(crate) fn facts<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.facts).map_err(|_| Error::Corrupt("deliveries.facts"))
    }

    pub(crate) fn sealed(&self) -> &[u8] {
        self.sealed.as_deref().unwrap_or_default()
    }
}

/// What happens after a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    RetryAt(Timestamp),
    GivenUp,
    /// The lease was over, and another claim is under way, which decides.
    TakenOver,
}

/// A claim: the most messages, and how long they belong to the claimant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub limit: u32,
    /// Longer than the longest delivery. Afterwards another node takes over.
    pub lease: Duration,
}

/// The number of queued messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub waiting: i64,
    /// How many of them have failed before.
    pub failing: i64,
}

macro_rules! columns {
    () => {
        "id, kind, receiver, facts, sealed, attempts, expires_at, created_at"
    };
}

fn read(row: &Row) -> Result<Delivery, Error> {
    let mut columns = Columns::of(row);
    Ok(Delivery {
        id: columns.text()?,
        kind: columns.parsed("deliveries.kind", str::parse)?,
        receiver: columns.text()?,
        facts: columns.text()?,
        sealed: columns.optional_bytes()?,
        attempts: u32::try_from(columns.int()?).unwrap_or(u32::MAX),
        expires_at: columns.time()?,
        created_at: columns.time()?,
    })
}

/// Queues a message with its facts. Wake the worker after the commit.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    now: Timestamp,
    new: &NewDelivery<'_>,
    facts: &impl Serialize,
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO deliveries (id, kind, receiver, facts, sealed, attempts, next_at, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $6)",
        p![
            new.id,
            new.kind.as_str(),
            new.receiver,
            &json(facts),
            new.sealed,
            now.as_micros(),
            new.expires_at.as_micros(),
        ],
    )
    .await?;
    Ok(())
}

/// The receivers for which a message of this kind is due. Usually there is none, and then nothing is
/// written.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn due_receivers(tx: &mut Tx<'_>, kind: Kind, now: Timestamp) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT DISTINCT receiver FROM deliveries WHERE kind = $1 AND next_at <= $2",
            p![kind.as_str(), now.as_micros()],
        )
        .await?;
    rows.iter().map(|row| Columns::of(row).text()).collect()
}

/// Claims the messages that are due for a receiver. One statement decides: no other node gets the same ones
/// before the lease is over. Afterwards another node tries again what a stopped node had claimed.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn claim(
    tx: &mut Tx<'_>,
    (kind, receiver): (Kind, &str),
    claim: Claim,
    now: Timestamp,
) -> Result<Vec<Delivery>, Error> {
    let rows = tx
        .all(
            concat!(
                "UPDATE deliveries SET attempts = attempts + 1, next_at = $4
                  WHERE id IN (SELECT id FROM deliveries WHERE kind = $1 AND receiver = $2 AND next_at <= $3
                                ORDER BY next_at, id LIMIT $5)
                  RETURNING ",
                columns!()
            ),
            p![
                kind.as_str(),
                receiver,
                now.as_micros(),
                (now + claim.lease).as_micros(),
                i64::from(claim.limit),
            ],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Deletes a delivered message, even if another node has claimed it meanwhile.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delivered(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<(), Error> {
    tx.exec("DELETE FROM deliveries WHERE id = $1", p![&*delivery.id])
        .await?;
    Ok(())
}

/// Notes a failure. The message is tried again later, or given up after the last attempt, or if it would
/// come too late. Its kind records the last case as an event.
pub(crate) async fn failed(
    tx: &mut Tx<'_>,
    now: Timestamp,
    delivery: &Delivery,
) -> Result<RetryDecision, Error> {
    let rest = delivery.kind.schedule().rest_after(delivery.attempts);
    let retry_at = rest
        .map(|rest| now + rest)
        .filter(|retry_at| *retry_at < delivery.expires_at);
    let Some(retry_at) = retry_at else {
        return give_up(tx, delivery).await;
    };
    let updated = tx
        .exec(
            "UPDATE deliveries SET next_at = $3 WHERE id = $1 AND attempts = $2",
            p![&*delivery.id, i64::from(delivery.attempts), retry_at.as_micros()],
        )
        .await?;
    Ok(if updated == 0 {
        RetryDecision::TakenOver
    } else {
        RetryDecision::RetryAt(retry_at)
    })
}

/// Gives a message up at once, unless another claim is under way.
pub(crate) async fn give_up(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<RetryDecision, Error> {
    let deleted = tx
        .exec(
            "DELETE FROM deliveries WHERE id = $1 AND attempts = $2",
            p![&*delivery.id, i64::from(delivery.attempts)],
        )
        .await?;
    Ok(if deleted == 0 {
        RetryDecision::TakenOver
    } else {
        RetryDecision::GivenUp
    })
}

/// The newest queued messages.
pub(crate) async fn newest(tx: &mut Tx<'_>, kind: Kind, limit: u32) -> Result<Vec<Delivery>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM deliveries WHERE kind = $1 ORDER BY id DESC LIMIT $2"
            ),
            p![kind.as_str(), i64::from(limit)],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Finds a queued message.
pub(crate) async fn find(tx: &mut Tx<'_>, kind: Kind, id: &str) -> Result<Option<Delivery>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM deliveries WHERE id = $1 AND kind = $2"
            ),
            p![id, kind.as_str()],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The number of queued messages of a kind.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn backlog(tx: &mut Tx<'_>, kind: Kind) -> Result<Backlog, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*), COUNT(CASE WHEN attempts > 0 THEN 1 END) FROM deliveries WHERE kind = $1",
            p![kind.as_str()],
        )
        .await?;
    row.map_or(Ok(Backlog::default()), |row| {
        let mut columns = Columns::of(&row);
        Ok(Backlog {
            waiting: columns.int()?,
            failing: columns.int()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_ends_after_its_last_rest() {
        let schedule = Schedule::new(&[5, 30]);
        let rests: Vec<_> = (0..5)
            .map(|attempts| schedule.rest_after(attempts).map(|rest| rest.as_secs()))
            .collect();
        assert_eq!(rests, [Some(5), Some(5), Some(30), None, None]);
        assert_eq!(schedule.attempts(), 3);
    }
}
