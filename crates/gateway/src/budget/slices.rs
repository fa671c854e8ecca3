//! The budget that the nodes on one database share.
//!
//! Each node counts for itself, so with ten nodes a stranger has ten times as
//! much. For most work that is no matter, because each node brings its own
//! strength. The most expensive thing lands in the database that all of them
//! share: beginning a sign-in stores a row. A client that begins many is
//! therefore counted there, in slices: one statement for every
//! [`SLICE`] sign-ins, and none at all for a client that begins few.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Work;
use genkan_web::listener::Source;

/// What a node takes at once from the shared budget.
pub(crate) const SLICE: u32 = 25;

/// Clients that are remembered within a minute. A client that comes after them is
/// counted by the node alone.
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
    left: HashMap<Source, Left>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Left {
    /// Of the slice in hand. The first one is free.
    Begins(u32),
    /// The shared budget is used up.
    Nothing,
}

impl Slices {
    /// What a client that begins sign-ins and nothing else could do at one node.
    pub(crate) fn new(units_per_minute: u32) -> Self {
        Self {
            per_minute: units_per_minute / (Work::Page.units() + Work::Begin.units()),
            taken: Mutex::default(),
        }
    }

    /// Takes one from the slice in hand. Otherwise says whether another may be
    /// asked for.
    pub(crate) fn take(&self, source: Source, minute: i64) -> Result<(), Left> {
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
        match taken.left.entry(source).or_insert(Left::Begins(SLICE)) {
            Left::Begins(left) if *left > 0 => {
                *left -= 1;
                Ok(())
            }
            left => Err(*left),
        }
    }

    pub(crate) fn put(&self, source: Source, minute: i64, left: Left) {
        let mut taken = self.taken.lock();
        if taken.minute == minute {
            taken.left.insert(source, left);
        }
    }
}
