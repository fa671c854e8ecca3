//! Long jobs in short transactions.

use std::time::Duration;

use crate::tx::FIRST_CHUNK;

/// Whether a bulk job has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    More,
    Done,
}

/// How long one step may hold the writer. A request that comes meanwhile waits for so long.
const STEP: Duration = Duration::from_millis(5);

/// The shortest pause between two steps.
const PAUSE_MIN: Duration = Duration::from_millis(10);

const CHUNK_MIN: i64 = 10;
const CHUNK_MAX: i64 = 10_000;

/// Finds the number of rows that a step can process within [`STEP`].
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

    /// Takes note that a step took `elapsed`, and returns how long to pause.
    pub(crate) fn learn(&mut self, elapsed: Duration) -> Duration {
        // Doubling and halving is enough: a single measurement includes the wait for the writer, so it says
        // little.
        if elapsed > STEP * 2 {
            self.chunk = (self.chunk / 2).max(CHUNK_MIN);
        } else if elapsed < STEP / 2 {
            self.chunk = (self.chunk * 2).min(CHUNK_MAX);
        }
        // At least half of the time is left to other transactions.
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
