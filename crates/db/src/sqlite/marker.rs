//! Whether what others keep of the database may have changed.
//!
//! `PRAGMA data_version` tells one connection that another one has committed. Asked of a
//! connection that never writes it tells of every commit, and asked of the one that writes it
//! tells of other processes alone. Both together tell a commit of this process from one of
//! somebody else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::Error;
use crate::statement::sqlite::error;

#[derive(Default)]
pub(super) struct Marker {
    state: Mutex<Option<State>>,
    /// A transaction of the open batch says that what others keep has changed.
    is_told: AtomicBool,
    /// How often a transaction that said so was committed.
    told: AtomicU64,
}

struct State {
    /// Asked for `PRAGMA data_version` and nothing else.
    connection: Connection,
    /// What it said last.
    seen: i64,
    /// What the writer said last.
    others: i64,
    number: i64,
}

impl Marker {
    /// Begins to watch.
    pub(super) fn watch(&self, connection: Connection, writer: &Connection) -> Result<(), Error> {
        let (seen, others) = (version(&connection)?, version(writer)?);
        *self.state.lock() = Some(State {
            connection,
            seen,
            others,
            number: 0,
        });
        Ok(())
    }

    pub(super) fn close(&self) -> Option<Connection> {
        self.state.lock().take().map(|state| state.connection)
    }

    /// The commit that this process is about to make changes data that others keep.
    pub(super) fn tell(&self) {
        self.is_told.store(true, Ordering::SeqCst);
    }

    /// The writer has committed, and nobody has heard of it yet.
    pub(super) fn committed(&self, writer: &Connection) {
        let is_told = self.is_told.swap(false, Ordering::SeqCst);
        self.told.fetch_add(u64::from(is_told), Ordering::SeqCst);
        let mut state = self.state.lock();
        let Some(state) = state.as_mut() else { return };
        // In this order: who commits in between is seen by the second one.
        let (Ok(seen), Ok(others)) = (version(&state.connection), version(writer)) else {
            state.number += 1;
            return;
        };
        if is_told || others != state.others {
            state.number += 1;
        }
        (state.seen, state.others) = (seen, others);
    }

    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::SeqCst)
    }

    /// A number that differs if somebody else has committed, or this process has told.
    pub(super) fn number(&self) -> Result<i64, Error> {
        let mut state = self.state.lock();
        let state = state.as_mut().ok_or(Error::Closed)?;
        let seen = version(&state.connection)?;
        if seen != state.seen {
            // Perhaps it was ourselves, a moment ago: asking once more costs little.
            state.seen = seen;
            state.number += 1;
        }
        Ok(state.number)
    }
}

fn version(connection: &Connection) -> Result<i64, Error> {
    connection
        .prepare_cached("PRAGMA data_version")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(error)
}
