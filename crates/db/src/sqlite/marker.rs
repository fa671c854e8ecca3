//! Notices commits, so that a cache can find out whether its data may be old.
//!
//! `PRAGMA data_version` tells a connection that another connection has committed. On a connection that
//! never writes, it tells of every commit. On the writing connection, it tells only of other processes.
//! Both together distinguish our own commits from those of others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::Error;
use crate::statement::sqlite::error;

#[derive(Default)]
pub(super) struct Marker {
    state: Mutex<Option<State>>,
    /// A transaction of the open batch has changed data that caches hold.
    is_told: AtomicBool,
    /// The number of commits with such a change.
    told: AtomicU64,
}

struct State {
    /// Used only for `PRAGMA data_version`.
    connection: Connection,
    /// The last version on this connection.
    seen: i64,
    /// The last version on the writing connection.
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

    /// The next commit of this process changes data that caches hold.
    pub(super) fn tell(&self) {
        self.is_told.store(true, Ordering::SeqCst);
    }

    /// The writer has committed, and has answered nobody yet.
    pub(super) fn committed(&self, writer: &Connection) {
        let is_told = self.is_told.swap(false, Ordering::SeqCst);
        self.told.fetch_add(u64::from(is_told), Ordering::SeqCst);
        let mut state = self.state.lock();
        let Some(state) = state.as_mut() else { return };
        // The order matters: if somebody commits in between, the second one sees it.
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

    /// A number that changes if another process has committed, or if this process has called
    /// [`Marker::tell`].
    pub(super) fn number(&self) -> Result<i64, Error> {
        let mut state = self.state.lock();
        let state = state.as_mut().ok_or(Error::Closed)?;
        let seen = version(&state.connection)?;
        if seen != state.seen {
            // It may have been this process, a moment ago. Asking again costs little.
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
