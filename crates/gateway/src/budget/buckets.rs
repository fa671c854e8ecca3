//! Leaky buckets for any number of strangers, in memory that does not grow.
//!
//! If each stranger had a bucket, the table would grow with them, or must forget
//! some; then an attacker with many addresses makes it forget theirs. Here every
//! stranger has one cell in each of two rows, found by keyed hashes, and nothing is
//! evicted. Two strangers may share a cell, so a request is refused only if both
//! cells of its source are full. An honest client shares both with attackers only if
//! they have filled a good part of the table.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Cells of a row: half a mebibyte for both rows.
const CELLS: usize = 32 * 1024;

const MINUTE_NANOS: u64 = 60_000_000_000;

/// Buckets that hold the units of a minute, and fill again over a minute.
///
/// A cell is the time at which its bucket is full again (the "generic cell rate
/// algorithm"), in nanoseconds since the start: one number, changed by one
/// atomic step.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// How long one unit takes to come back; 0 means no limit.
    unit_nanos: u64,
    rows: [Row; 2],
    started: Instant,
}

#[derive(Debug)]
struct Row {
    hasher: RandomState,
    cells: Box<[AtomicU64]>,
}

/// The amount taken, and from which rows, to give it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Withdrawal {
    nanos: u64,
    rows: [bool; 2],
}

impl Buckets {
    /// `per_minute` units for each source; 0 means no limit.
    pub(crate) fn new(per_minute: u32) -> Self {
        // Without a limit nothing is counted, so no cells are needed.
        let cells = if per_minute == 0 { 1 } else { CELLS };
        let row = || Row {
            hasher: RandomState::new(),
            cells: (0..cells).map(|_| AtomicU64::new(0)).collect(),
        };
        Self {
            unit_nanos: MINUTE_NANOS
                .checked_div(u64::from(per_minute))
                .unwrap_or_default(),
            rows: [row(), row()],
            started: Instant::now(),
        }
    }

    /// The clock of the process: the time of day may jump.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes so many units, or returns how long to wait for them.
    pub(crate) fn take<K: Hash>(&self, source: &K, units: u32) -> Result<Withdrawal, Duration> {
        self.take_at(self.now(), source, units)
    }

    fn take_at<K: Hash>(&self, now: u64, source: &K, units: u32) -> Result<Withdrawal, Duration> {
        let nanos = self.unit_nanos.saturating_mul(u64::from(units));
        // Never more at once than a bucket holds: that would never be available.
        let nanos = nanos.min(MINUTE_NANOS);
        let results = self.rows.each_ref().map(|row| row.take(now, source, nanos));
        let rows = results.map(|result| result.is_ok());
        match results {
            [Err(one), Err(other)] => Err(Duration::from_nanos(one.min(other))),
            _ => Ok(Withdrawal { nanos, rows }),
        }
    }

    /// Undoes a [`Self::take`].
    pub(crate) fn give_back<K: Hash>(&self, source: &K, taken: Withdrawal) {
        for (row, _) in self.rows.iter().zip(taken.rows).filter(|(_, took)| *took) {
            row.update(source, |full_at| Some(full_at.saturating_sub(taken.nanos)));
        }
    }

    /// Whether only `units` are missing from the bucket.
    pub(crate) fn lacks_only<K: Hash>(&self, source: &K, units: u32) -> bool {
        let most = self.now() + self.unit_nanos.saturating_mul(u64::from(units));
        self.rows.iter().any(|row| row.full_at(source) <= most)
    }
}

impl Row {
    fn cell<K: Hash>(&self, source: &K) -> &AtomicU64 {
        let hash = self.hasher.hash_one(source);
        let at = usize::try_from(hash % u64::try_from(self.cells.len()).unwrap_or(1)).unwrap_or_default();
        &self.cells[at]
    }

    fn full_at<K: Hash>(&self, source: &K) -> u64 {
        self.cell(source).load(Ordering::Relaxed)
    }

    fn update<K: Hash>(&self, source: &K, change: impl FnMut(u64) -> Option<u64>) -> bool {
        self.cell(source)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }

    /// Takes the units that come back in `nanos`, or returns how many nanoseconds to wait.
    fn take<K: Hash>(&self, now: u64, source: &K, nanos: u64) -> Result<(), u64> {
        let mut wait = 0;
        let took = self.update(source, |full_at| {
            let full_at = full_at.max(now) + nanos;
            wait = full_at.saturating_sub(now + MINUTE_NANOS);
            (wait == 0).then_some(full_at)
        });
        if took { Ok(()) } else { Err(wait) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_minute_may_be_spent_at_once_and_comes_back_in_a_minute() {
        let buckets = Buckets::new(60);
        for _ in 0..60 {
            assert!(buckets.take_at(0, &"a", 1).is_ok());
        }
        assert_eq!(buckets.take_at(0, &"a", 1), Err(Duration::from_secs(1)));
        assert_eq!(buckets.take_at(0, &"a", 5), Err(Duration::from_secs(5)));
        assert!(buckets.take_at(0, &"b", 60).is_ok(), "others have their own");
        assert!(buckets.take_at(5 * SECOND, &"a", 5).is_ok());
        assert!(buckets.take_at(5 * SECOND, &"a", 1).is_err());
        assert!(buckets.take_at(65 * SECOND, &"a", 60).is_ok());
    }

    #[test]
    fn nobody_is_freed_by_coming_with_many_addresses() {
        let buckets = Buckets::new(60);
        assert!(buckets.take_at(0, &"attacker", 60).is_ok());
        for other in 0..2_000_000_u32 {
            let _ = buckets.take_at(0, &other, 1);
        }
        assert!(buckets.take_at(0, &"attacker", 1).is_err());
    }

    #[test]
    fn a_thousand_who_flood_do_not_shut_out_the_others() {
        let buckets = Buckets::new(60);
        for attacker in 0..1_000_u32 {
            for _ in 0..3 {
                let _ = buckets.take_at(0, &attacker, 60);
            }
        }
        let refused = (0..1_000_u32)
            .filter(|person| buckets.take_at(0, &("honest", person), 1).is_err())
            .count();
        assert!(refused < 20, "{refused}");
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let buckets = Buckets::new(10);
        for _ in 0..100 {
            let taken = buckets.take(&"a", 10).unwrap();
            assert!(buckets.take(&"a", 1).is_err());
            buckets.give_back(&"a", taken);
            assert!(buckets.lacks_only(&"a", 0));
        }
    }

    #[test]
    fn zero_is_without_a_limit() {
        let buckets = Buckets::new(0);
        for _ in 0..10_000 {
            assert!(buckets.take(&"a", 1_000).is_ok());
        }
        assert!(buckets.lacks_only(&"a", 0));
    }
}
