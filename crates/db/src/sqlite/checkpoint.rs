//! Copies the write-ahead log into the database file, on a thread of its own.
//!
//! If SQLite did so within COMMIT, as by default, one caller in a thousand would wait ten times as long.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::signal::Signal;
use super::writer::Queue;
use crate::Error;

/// If the log is as large as this, the writer has to wait, so that the log starts again from the top.
const LOG_SIZE_MAX_BYTES: i64 = 64 << 20;

/// Pause before the writer has to wait again, if somebody still reads from the log.
const HELD_PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Checkpointer {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Tells the thread to end, and returns its handle so that the caller can wait for it.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        self.signal.stop();
        self.thread.lock().take()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(connection: &Connection, signal: &Signal, queue: &Weak<Queue>) {
    let mut restart_from = Instant::now();
    while signal.wait() {
        let patient = Instant::now() < restart_from;
        let limit_bytes = if patient { i64::MAX } else { LOG_SIZE_MAX_BYTES };
        match checkpoint(connection, queue, limit_bytes) {
            Ok(Progress::Held) => restart_from = Instant::now() + HELD_PAUSE,
            Ok(Progress::Copied | Progress::Restarted) => {}
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be taken into the file"),
        }
    }
}

/// The result of a checkpoint.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// It copied what it could without waiting.
    Copied,
    /// The next commit starts at the top of the log.
    Restarted,
    /// The log is too large, but somebody still reads from it.
    Held,
}

fn checkpoint(connection: &Connection, queue: &Weak<Queue>, limit_bytes: i64) -> rusqlite::Result<Progress> {
    let page_size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    // PASSIVE waits for nobody. Under constant load it never reaches the end of the log, and the log would
    // grow without bound.
    let log = Log::checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    if log.pages.saturating_mul(page_size) < limit_bytes {
        return Ok(Progress::Copied);
    }
    // Copies what was written meanwhile, so that little is left while the writer waits.
    Log::checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    let Some(queue) = queue.upgrade() else {
        return Ok(Progress::Copied);
    };
    let Ok(_turn) = queue.turn_alone() else {
        return Ok(Progress::Copied);
    };
    let log = Log::checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    if log.copied < log.pages {
        // A long read, such as a backup, needs the older pages. Waiting for it would stop every writer
        // until it ends.
        return Ok(Progress::Held);
    }
    let log = Log::checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)")?;
    Ok(if log.held {
        Progress::Held
    } else {
        Progress::Restarted
    })
}

/// What SQLite reports about the log after a checkpoint.
struct Log {
    held: bool,
    pages: i64,
    copied: i64,
}

impl Log {
    fn checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<Self> {
        connection.query_row(sql, [], |row| {
            Ok(Self {
                held: row.get(0)?,
                pages: row.get(1)?,
                copied: row.get(2)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::open;

    const INSERT: &str = "INSERT INTO t (data) VALUES (zeroblob(4000))";

    struct Fixture {
        directory: tempfile::TempDir,
        queue: Arc<Queue>,
        connection: Connection,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let writer = open::writer(&path).unwrap();
        writer
            .execute_batch("CREATE TABLE t (data BLOB NOT NULL) STRICT")
            .unwrap();
        let queue = Queue::start(writer, Arc::default(), Arc::default()).unwrap();
        Fixture {
            queue,
            connection: open::checkpointer(&path).unwrap(),
            directory,
        }
    }

    impl Fixture {
        fn open(&self) -> Connection {
            open::copier(&self.directory.path().join("test.db")).unwrap()
        }

        fn checkpoint(&self, limit_bytes: i64) -> Progress {
            checkpoint(&self.connection, &Arc::downgrade(&self.queue), limit_bytes).unwrap()
        }

        /// Writes one row and returns the number of pages in the log.
        fn write(&self) -> i64 {
            let other = self.open();
            other.execute_batch(INSERT).unwrap();
            Log::checkpoint(&self.connection, "PRAGMA wal_checkpoint(PASSIVE)")
                .unwrap()
                .pages
        }
    }

    #[test]
    fn a_short_log_makes_nobody_wait() {
        let fixture = fixture();
        fixture.write();
        assert_eq!(fixture.checkpoint(1 << 20), Progress::Copied);
    }

    #[test]
    fn a_long_log_starts_again_from_the_top() {
        let fixture = fixture();
        let before = (0..20).map(|_| fixture.write()).max().unwrap();
        assert_eq!(fixture.checkpoint(1), Progress::Restarted);
        assert!(fixture.write() < before.max(4), "the log went on growing");
    }

    #[test]
    fn a_long_read_is_not_waited_for() {
        let fixture = fixture();
        fixture.write();
        let reader = fixture.open();
        reader.execute_batch("BEGIN; SELECT COUNT(*) FROM t").unwrap();
        fixture.write();
        // The reader stays until after this line. If the checkpoint waited for it, the test would time out.
        assert_eq!(fixture.checkpoint(1), Progress::Held);
        let writer = fixture.queue.turn_alone();
        assert!(writer.is_ok(), "the writer is free");
        drop(writer);
        reader.execute_batch("ROLLBACK").unwrap();
        assert_eq!(fixture.checkpoint(1), Progress::Restarted);
    }
}
