//! Takes the write-ahead log into the file, beside the commits.
//!
//! Done within COMMIT, as SQLite does by itself, it makes one caller in a
//! thousand wait ten times as long.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::writer::Queue;
use crate::Error;

/// How long commits gather before their pages are written.
const INTERVAL: Duration = Duration::from_millis(200);

/// Size of the log from which the writer is made to wait, so that it starts again from the top.
const LOG_SIZE_MAX_BYTES: i64 = 64 << 20;

#[derive(Default)]
pub(super) struct Checkpointer {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Tells the thread what happened.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    dirty: bool,
    stop: bool,
}

impl Checkpointer {
    pub(super) fn signal(&self) -> Arc<Signal> {
        self.signal.clone()
    }

    /// Starts the thread. It does not keep the queue alive.
    pub(super) fn start(&self, connection: Connection, queue: &Arc<Queue>) -> Result<(), Error> {
        let (signal, queue) = (self.signal.clone(), Arc::downgrade(queue));
        let thread = std::thread::Builder::new()
            .name("db-checkpoint".to_owned())
            .spawn(move || run(&connection, &signal, &queue))
            .map_err(|error| Error::Connect(format!("cannot start a thread: {error}")))?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }

    /// Tells the thread to end and hands it over to be waited for.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        self.signal.lock().stop = true;
        self.signal.changed.notify_all();
        lock(&self.thread).take()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Signal {
    /// Something was committed.
    pub(super) fn dirty(&self) {
        let mut state = self.lock();
        if !state.dirty {
            state.dirty = true;
            self.changed.notify_all();
        }
    }

    /// Waits for commits to gather; false means stop.
    fn wait(&self) -> bool {
        let idle = |state: &mut State| !state.dirty && !state.stop;
        let state = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let gathered = self
            .changed
            .wait_timeout_while(state, INTERVAL, |state| !state.stop);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        state.dirty = false;
        !state.stop
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn run(connection: &Connection, signal: &Signal, queue: &Weak<Queue>) {
    while signal.wait() {
        if let Err(error) = checkpoint(connection, queue) {
            tracing::warn!(%error, "the write-ahead log could not be taken into the database file");
        }
    }
}

fn checkpoint(connection: &Connection, queue: &Weak<Queue>) -> rusqlite::Result<()> {
    let page_size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    // PASSIVE waits for nobody. Under constant load it never reaches the end
    // of the log, which then grows without bound.
    let pages = log_pages(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    if pages.saturating_mul(page_size) < LOG_SIZE_MAX_BYTES {
        return Ok(());
    }
    // With the writer held, the rest is soon done and RESTART makes the next
    // commit begin at the top of the log.
    let Some(queue) = queue.upgrade() else {
        return Ok(());
    };
    let Ok(_turn) = queue.turn_alone() else {
        return Ok(());
    };
    log_pages(connection, "PRAGMA wal_checkpoint(RESTART)").map(drop)
}

/// Runs a checkpoint and returns the length of the log.
fn log_pages(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(1))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
