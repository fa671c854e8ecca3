//! How many bytes of request bodies may be held at once, by all and by one client.
//!
//! A handler sees a body only after all of it has arrived. Without a budget, strangers
//! could fill as much memory as all connections times the largest body.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Source;

/// One client may hold one part in so many.
const SHARE: u64 = 8;

/// What a frame costs beside its bytes: many small ones cost more than their sum.
const FRAME_BYTES: u64 = 64;

/// Taken ahead, so that not every small frame asks the budget.
const STEP: u64 = 8 * 1024;

#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    held: Mutex<HeldBytes>,
}

#[derive(Debug, Default)]
struct HeldBytes {
    total: u64,
    per_client: HashMap<Source, u64>,
}

/// There is no room for these bytes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Budget {
    /// `most` bytes in all, an eighth of them for one client; 0 means no limit.
    pub(super) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: Mutex::default(),
        })
    }

    fn take(&self, client: Source, bytes: u64) -> Result<(), Full> {
        let mut held = self.held.lock();
        let theirs = held.per_client.get(&client).copied().unwrap_or_default();
        if held.total.saturating_add(bytes) > self.most || theirs.saturating_add(bytes) > self.most / SHARE {
            return Err(Full);
        }
        held.total += bytes;
        held.per_client.insert(client, theirs + bytes);
        Ok(())
    }

    fn give_back(&self, client: Source, bytes: u64) {
        let mut held = self.held.lock();
        held.total = held.total.saturating_sub(bytes);
        if let Some(theirs) = held.per_client.get_mut(&client) {
            *theirs = theirs.saturating_sub(bytes);
            if *theirs == 0 {
                held.per_client.remove(&client);
            }
        }
    }
}

/// What one request holds; dropping it gives all of it back.
#[derive(Debug)]
pub(super) struct Allowance {
    budget: Arc<Budget>,
    client: Source,
    /// Taken from the budget, and used of it.
    taken: AtomicU64,
    used: AtomicU64,
}

impl Allowance {
    pub(super) fn new(budget: &Arc<Budget>, client: Source) -> Self {
        Self {
            budget: Arc::clone(budget),
            client,
            taken: AtomicU64::new(0),
            used: AtomicU64::new(0),
        }
    }

    /// Counts a frame of a body. One body is read by one task at a time.
    pub(super) fn frame(&self, bytes: u64) -> Result<(), Full> {
        if self.budget.most == 0 {
            return Ok(());
        }
        let used = self.used.load(Ordering::Relaxed) + bytes + FRAME_BYTES;
        let taken = self.taken.load(Ordering::Relaxed);
        if used > taken {
            let more = (used - taken).next_multiple_of(STEP);
            self.budget.take(self.client, more)?;
            self.taken.store(taken + more, Ordering::Relaxed);
        }
        self.used.store(used, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        let taken = *self.taken.get_mut();
        if taken > 0 {
            self.budget.give_back(self.client, taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn client(last: u8) -> Source {
        Source::of(std::net::IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn one_client_holds_an_eighth_at_most_and_gives_it_back() {
        let budget = Budget::new(64 * MIB);
        let first = Allowance::new(&budget, client(1));
        assert_eq!(first.frame(7 * MIB), Ok(()));
        let second = Allowance::new(&budget, client(1));
        assert_eq!(second.frame(2 * MIB), Err(Full));
        assert_eq!(Allowance::new(&budget, client(2)).frame(2 * MIB), Ok(()));
        drop(first);
        assert_eq!(second.frame(2 * MIB), Ok(()));
        drop(second);
        let held = budget.held.lock();
        assert_eq!((held.total, held.per_client.len()), (0, 0));
    }

    #[test]
    fn all_clients_together_have_a_bound() {
        let budget = Budget::new(64 * MIB);
        let many: Vec<_> = (0..20).map(|n| Allowance::new(&budget, client(n))).collect();
        let fitting = many.iter().filter(|one| one.frame(7 * MIB).is_ok()).count();
        assert_eq!(fitting, 9);
    }

    #[test]
    fn frames_of_one_byte_cost_what_they_cost() {
        let budget = Budget::new(8 * MIB);
        let drops = Allowance::new(&budget, client(1));
        let taken = (0..1_000_000).take_while(|_| drops.frame(1).is_ok()).count();
        assert!(taken < 20_000, "{taken}");
    }

    #[test]
    fn zero_is_without_a_limit() {
        let free = Allowance::new(&Budget::new(0), client(1));
        assert_eq!(free.frame(u64::MAX / 2), Ok(()));
    }
}
