//! The outbox: what is to be delivered to somebody elsewhere, of every kind.
//!
//! It is queued in the transaction of what it reports, so that it goes out if
//! and only if that happened; it is claimed by one node for a lease, rests
//! longer after each failure, and is given up at last. A delivery that is done
//! or given up leaves nothing here.
//!
//! At least once: a node that dies between the receiver's answer and its own
//! note has delivered what another node delivers again.

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id::Id;
use crate::row::{Columns, json, words};
use crate::{Error, Timestamp};

words! {
    /// What is delivered.
    pub enum Kind {
        /// See [`crate::mail`].
        Mail = "mail",
        /// See [`crate::back_channel_logout`].
        BackChannelLogout = "back_channel_logout",
    }
}

/// How often a delivery is tried, and how long it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// After each failed attempt but the last.
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

    /// How long it rests after this many attempts; `None` after the last.
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

/// Something to deliver.
#[derive(Clone, Copy)]
pub(crate) struct New<'a> {
    pub(crate) id: &'a str,
    pub(crate) kind: Kind,
    /// Who must answer. One that is slow or away keeps only its own waiting.
    pub(crate) receiver: &'a str,
    /// When it is of no use any more; it is not tried again after that.
    pub(crate) expires_at: Timestamp,
    pub(crate) sealed: Option<&'a [u8]>,
}

/// Something that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    id: String,
    kind: Kind,
    receiver: String,
    facts: String,
    sealed: Option<Vec<u8>>,
    /// With the one that this claim is for.
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

/// What follows a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    RetryAt(Timestamp),
    GivenUp,
    /// The lease was over, and another claim is under way: it decides.
    TakenOver,
}

/// A claim: how many at most, and how long they are the claimant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub limit: u32,
    /// Longer than the longest delivery; another node takes over after it.
    pub lease: Duration,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub waiting: i64,
    /// How many of them were tried in vain.
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

/// Queues a delivery with its facts. Wake the worker after the commit.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    now: Timestamp,
    new: &New<'_>,
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

/// Whom something of this kind is due for. Mostly nobody; this writes nothing.
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

/// Takes what is due for a receiver. One statement decides: no other node gets
/// the same before the lease is over, so what a node died with is tried again.
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

/// It has arrived: nothing of it stays here, whoever has claimed it meanwhile.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delivered(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<(), Error> {
    tx.exec("DELETE FROM deliveries WHERE id = $1", p![&*delivery.id])
        .await?;
    Ok(())
}

/// It did not arrive: it is tried again later, or given up after the last
/// attempt, or when it would come too late. The kind tells of the last.
pub(crate) async fn failed(tx: &mut Tx<'_>, now: Timestamp, delivery: &Delivery) -> Result<Next, Error> {
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
        Next::TakenOver
    } else {
        Next::RetryAt(retry_at)
    })
}

/// Gives it up at once, unless another claim is under way.
pub(crate) async fn give_up(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<Next, Error> {
    let deleted = tx
        .exec(
            "DELETE FROM deliveries WHERE id = $1 AND attempts = $2",
            p![&*delivery.id, i64::from(delivery.attempts)],
        )
        .await?;
    Ok(if deleted == 0 {
        Next::TakenOver
    } else {
        Next::GivenUp
    })
}

/// The newest that wait.
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

/// Finds one that waits.
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

/// How much of a kind waits.
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
