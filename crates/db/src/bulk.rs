//! Long jobs in short transactions.

use std::time::Duration;

use crate::tx::FIRST_CHUNK;

/// Whether a bulk job has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    More,
    Done,
}

/// How long one step may hold the writer: a request that comes in between waits that long.
const STEP: Duration = Duration::from_millis(5);

/// The shortest pause between two steps.
const PAUSE_MIN: Duration = Duration::from_millis(10);

const CHUNK_MIN: i64 = 10;
const CHUNK_MAX: i64 = 10_000;

/// Finds out how many rows a step can touch in time.
#[derive(Debug)]
pub(crate) struct Pace {
    chunk: i64,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self { chunk: FIRST_CHUNK }
    }

    pub(crate) const fn chunk(&self) -> i64 {
        self.chunk
    }

    /// Learns from a step that took `elapsed`, and says how long to pause.
    pub(crate) fn learn(&mut self, elapsed: Duration) -> Duration {
        // Doubling and halving: waiting for the writer is part of what is
        // measured, so a single step says little.
        if elapsed > STEP * 2 {
            self.chunk = (self.chunk / 2).max(CHUNK_MIN);
        } else if elapsed < STEP / 2 {
            self.chunk = (self.chunk * 2).min(CHUNK_MAX);
        }
        // Half of the time belongs to others at least.
        elapsed.max(PAUSE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_step_grows_and_a_slow_one_shrinks() {
        let mut pace = Pace::new();
        assert_eq!(pace.learn(Duration::from_millis(1)), PAUSE_MIN);
        assert_eq!(pace.chunk(), 2 * FIRST_CHUNK);
        pace.learn(Duration::from_millis(5));
        assert_eq!(pace.chunk(), 2 * FIRST_CHUNK);
        assert_eq!(pace.learn(Duration::from_millis(80)), Duration::from_millis(80));
        assert_eq!(pace.chunk(), FIRST_CHUNK);
    }

    #[test]
    fn the_chunk_stays_within_its_bounds() {
        let mut pace = Pace::new();
        for _ in 0..50 {
            pace.learn(Duration::ZERO);
        }
        assert_eq!(pace.chunk(), CHUNK_MAX);
        for _ in 0..50 {
            pace.learn(Duration::from_secs(1));
        }
        assert_eq!(pace.chunk(), CHUNK_MIN);
    }
}
