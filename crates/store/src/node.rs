//! The nodes of one database, and whether their clocks agree with the database's.
//!
//! A code lives for a minute and a token for five minutes. If the clock of a node differs by as much, the
//! node refuses codes and tokens that another node has just issued.

use std::time::Duration;

use genkan_db::{Tx, p};

use crate::{Error, NodeId};

/// How often a node compares its clock with the database's.
pub const EVERY: Duration = Duration::from_secs(60);

/// A node that has not compared it for so long is gone.
const LIVE: Duration = Duration::from_secs(150);

/// From this difference on, the operator should know.
const WARN_MICROS: u64 = 5_000_000;

/// From this difference on, one node may refuse the codes of another.
const OFF_MICROS: u64 = 30_000_000;

/// The verdict on the clock of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Right,
    /// It differs, but not by much. Or all nodes differ alike, and then the database's clock is wrong.
    Warn,
    /// It differs, and those of other nodes do not.
    Off,
}

/// Notes how far the clock of a node is ahead of the database's, and judges it.
///
/// `database_clock` is the database's time, in microseconds.
pub async fn report(tx: &mut Tx<'_>, id: &NodeId, ahead: i64, database_clock: i64) -> Result<Clock, Error> {
    tx.exec(
        "INSERT INTO nodes (id, clock_ahead, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET clock_ahead = excluded.clock_ahead, seen_at = excluded.seen_at",
        p![id.as_str(), ahead, database_clock],
    )
    .await?;
    let live = i64::try_from(LIVE.as_micros()).unwrap_or(i64::MAX);
    let others = tx
        .all(
            "SELECT clock_ahead FROM nodes WHERE seen_at > $1 AND id <> $2",
            p![database_clock.saturating_sub(live), id.as_str()],
        )
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect::<Result<Vec<i64>, _>>()?;
    Ok(judge(ahead, &others))
}

/// Removes a node that stops from the list.
pub async fn leave(tx: &mut Tx<'_>, id: &NodeId) -> Result<(), Error> {
    tx.exec("DELETE FROM nodes WHERE id = $1", p![id.as_str()])
        .await?;
    Ok(())
}

/// Judges a clock that is `ahead`, given the differences of `others`.
pub fn judge(ahead: i64, others: &[i64]) -> Clock {
    if ahead.unsigned_abs() < WARN_MICROS {
        return Clock::Right;
    }
    // Alike: the same difference as this node's, within a tolerance that no code would notice.
    let all_alike = others
        .iter()
        .all(|other| other.abs_diff(ahead) < OFF_MICROS && other.unsigned_abs() >= OFF_MICROS);
    if ahead.unsigned_abs() < OFF_MICROS || all_alike {
        Clock::Warn
    } else {
        Clock::Off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn a_clock_is_off_only_if_another_one_is_right() {
        for (ahead, others, expected) in [
            (0, vec![], Clock::Right),
            (-4 * S, vec![90 * S], Clock::Right),
            (5 * S, vec![], Clock::Warn),
            (-29 * S, vec![0], Clock::Warn),
            (30 * S, vec![0], Clock::Off),
            (-75 * S, vec![0, -75 * S], Clock::Off),
            // One node alone, or all of them: the database's clock is wrong.
            (75 * S, vec![], Clock::Warn),
            (75 * S, vec![74 * S, 76 * S], Clock::Warn),
            // The two differ in opposite directions.
            (75 * S, vec![-75 * S], Clock::Off),
        ] {
            assert_eq!(judge(ahead, &others), expected, "{ahead} {others:?}");
        }
    }
}
