//! The budget that the nodes on one database share.
//!
//! Each node counts for itself, so with ten nodes a stranger has ten times the
//! budget. For most work that is fine, because each node adds capacity. But the
//! most expensive work lands in the shared database: a begun sign-in stores a row.
//! So the database counts clients that begin many, in slices: one statement for every
//! [`SLICE`] sign-ins, and none for a client that begins few.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Work;
use genkan_web::listener::Source;

/// How much a node takes at once from the shared budget.
pub(crate) const SLICE: u32 = 25;

/// Clients that are remembered within a minute. Later ones are counted only by the node.
const MOST_CLIENTS: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Slices {
    /// Sign-ins that one client may begin in a minute, at all nodes together; 0
    /// is without a limit.
    pub(crate) per_minute: u32,
    taken: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    minute: i64,
    left: HashMap<Source, SliceRest>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum SliceRest {
    /// The rest of the present slice. The first slice is free.
    Begins(u32),
    /// The shared budget is used up.
    Nothing,
}

impl Slices {
    /// As many sign-ins as a client could begin at one node if it did nothing else.
    pub(crate) fn new(units_per_minute: u32) -> Self {
        Self {
            per_minute: units_per_minute / (Work::Page.units() + Work::Begin.units()),
            taken: Mutex::default(),
        }
    }

    /// Takes one from the present slice. If it is empty, returns whether the client may take
    /// another.
    pub(crate) fn take(&self, source: Source, minute: i64) -> Result<(), SliceRest> {
        let mut taken = self.taken.lock();
        if taken.minute != minute {
            *taken = Minute {
                minute,
                left: HashMap::new(),
            };
        }
        if taken.left.len() >= MOST_CLIENTS && !taken.left.contains_key(&source) {
            return Ok(());
        }
        match taken.left.entry(source).or_insert(SliceRest::Begins(SLICE)) {
            SliceRest::Begins(left) if *left > 0 => {
                *left -= 1;
                Ok(())
            }
            left => Err(*left),
        }
    }

    pub(crate) fn put(&self, source: Source, minute: i64, left: SliceRest) {
        let mut taken = self.taken.lock();
        if taken.minute == minute {
            taken.left.insert(source, left);
        }
    }
}
