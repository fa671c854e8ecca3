//! The budget that the nodes on one database share.
//!
//! Each node counts for itself, so with ten nodes a stranger has ten times as
//! much. For most work that is no matter, because each node brings its own
//! strength. What costs most is what lands in the database that all of them
//! share: beginning a sign-in stores a row. A client that begins many is
//! therefore counted there, in slices: one statement for every
//! [`SLICE`] sign-ins, and none at all for a client that begins few.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use genkan_db::Engine;
use genkan_store::{Error, anonymous_slice};

use super::{TooMany, Work};
use crate::app::App;
use crate::listener::Source;
use crate::web::context;

/// What a node takes at once from the shared budget.
const SLICE: u32 = 25;

/// Clients that are remembered within a minute. Whoever comes after them is
/// counted by the node alone.
const MOST_CLIENTS: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Slices {
    /// Sign-ins that one client may begin in a minute, at all nodes together; 0
    /// is without a limit.
    per_minute: u32,
    taken: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    minute: i64,
    left: HashMap<Source, Left>,
}

#[derive(Debug, Clone, Copy)]
enum Left {
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
    fn take(&self, source: Source, minute: i64) -> Result<(), Left> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
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

    fn put(&self, source: Source, minute: i64, left: Left) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.minute == minute {
            taken.left.insert(source, left);
        }
    }
}

/// Counts a sign-in that this request begins, at all nodes together.
///
/// # Errors
///
/// [`NotBegun::TooMany`] if the client has begun too many; or the store fails.
pub(crate) async fn begin(app: &App) -> Result<(), NotBegun> {
    let slices = &app.anonymous().slices;
    let (Some(source), true) = (
        context::source(),
        slices.per_minute > 0 && app.db().engine() == Engine::Postgres,
    ) else {
        return Ok(());
    };
    let now = app.now().as_secs();
    let minute = now.div_euclid(60);
    match slices.take(source, minute) {
        Ok(()) => return Ok(()),
        Err(Left::Nothing) => return Err(too_many(now)),
        Err(Left::Begins(_)) => {}
    }
    let (name, most) = (source.to_string(), i64::from(slices.per_minute));
    let granted = app
        .db()
        .tx(async |tx| anonymous_slice::take(tx, &name, minute, i64::from(SLICE), most).await)
        .await?;
    if granted {
        // This request takes the first of them.
        slices.put(source, minute, Left::Begins(SLICE - 1));
        Ok(())
    } else {
        slices.put(source, minute, Left::Nothing);
        Err(too_many(now))
    }
}

/// Until the minute is over.
fn too_many(now: i64) -> NotBegun {
    let left = u64::try_from(60 - now.rem_euclid(60)).unwrap_or(60);
    NotBegun::TooMany(TooMany {
        retry_after: Duration::from_secs(left),
    })
}

/// Why a sign-in may not begin.
#[derive(Debug)]
pub(crate) enum NotBegun {
    TooMany(TooMany),
    Store(Error),
}

impl From<Error> for NotBegun {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
