//! The one connection that writes, and the queue before it.
//!
//! Callers take turns. Each runs inside a savepoint of one shared transaction,
//! the batch; when nobody is waiting, or the batch is large or old enough, a
//! thread of its own commits it and only then is every caller answered. One
//! synchronisation of the disk serves all who queued during the one before,
//! and a lone caller waits for nobody.
//!
//! Callers run one after another, so they are serializable. A later one sees
//! the rows of an earlier one before they are committed, which is safe because
//! both are committed or lost together.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::Signal;
use super::open::{BUSY_TIMEOUT, is_busy};
use super::statement::error;
use super::step::{Outcome, execute};
use crate::Error;

/// Callers per batch at most: bounds how long the first one waits for its answer.
const BATCH_CALLERS: usize = 64;

/// Age of a batch at most, for the same reason.
const BATCH_AGE: Duration = Duration::from_millis(10);

/// The writing connection and what it owes to its callers.
pub(super) struct Writer {
    connection: Connection,
    batch: Option<Batch>,
}

/// Callers whose work is not committed yet.
struct Batch {
    begun: Instant,
    answers: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.answers.len() >= BATCH_CALLERS || self.begun.elapsed() >= BATCH_AGE
    }
}

/// Who writes next.
pub(super) struct Queue {
    line: Mutex<Line>,
    commits: mpsc::Sender<Turn>,
    checkpoint: Arc<Signal>,
}

struct Line {
    /// The writer, while it is nobody's turn. Its batch is then committed.
    free: Option<Box<Writer>>,
    waiting: VecDeque<Waiting>,
    closed: bool,
}

struct Waiting {
    waits: Waits,
    turn: oneshot::Sender<Turn>,
}

/// What somebody waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    InTurn,
    /// For the writer without an open batch.
    ToBeAlone,
    /// The same, as the last one.
    ToClose,
}

impl Queue {
    /// Starts the thread that commits.
    pub(super) fn start(connection: Connection, checkpoint: Arc<Signal>) -> Result<Arc<Self>, Error> {
        let (commits, due) = mpsc::channel::<Turn>();
        std::thread::Builder::new()
            .name("db-commit".to_owned())
            .spawn(move || due.into_iter().for_each(Turn::commit))
            .map_err(|error| Error::Connect(format!("cannot start a thread: {error}")))?;
        let free = Some(Box::new(Writer {
            connection,
            batch: None,
        }));
        let line = Mutex::new(Line {
            free,
            waiting: VecDeque::new(),
            closed: false,
        });
        Ok(Arc::new(Self {
            line,
            commits,
            checkpoint,
        }))
    }

    /// Waits for the writer, first come, first served.
    ///
    /// Who stops waiting has written nothing.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn, Error> {
        self.stand_in_line(Waits::InTurn)?
            .await
            .map_err(|_| Error::Closed)
    }

    /// Waits for the writer without an open batch, on a thread that may block.
    pub(super) fn turn_alone(self: &Arc<Self>) -> Result<Turn, Error> {
        self.stand_in_line(Waits::ToBeAlone)?
            .blocking_recv()
            .map_err(|_| Error::Closed)
    }

    /// Lets nobody in any more, waits for all who are waiting and takes the connection.
    pub(super) async fn retire(self: &Arc<Self>) -> Result<Connection, Error> {
        let mut turn = self
            .stand_in_line(Waits::ToClose)?
            .await
            .map_err(|_| Error::Closed)?;
        let writer = turn.writer.take().ok_or(Error::Closed)?;
        Ok(writer.connection)
    }

    fn stand_in_line(self: &Arc<Self>, waits: Waits) -> Result<oneshot::Receiver<Turn>, Error> {
        let (turn, receiver) = oneshot::channel();
        let mut line = self.lock();
        if line.closed {
            return Err(Error::Closed);
        }
        // Under the same lock as the place in the line: nobody comes after.
        line.closed = waits == Waits::ToClose;
        match line.free.take() {
            Some(writer) => {
                drop(line);
                let _ = turn.send(Turn {
                    queue: self.clone(),
                    writer: Some(writer),
                });
            }
            None => line.waiting.push_back(Waiting { waits, turn }),
        }
        Ok(receiver)
    }

    /// Decides what happens to the writer after a turn: the only place that does.
    fn pass(self: &Arc<Self>, mut writer: Box<Writer>) {
        loop {
            let mut line = self.lock();
            let commit = match (&writer.batch, line.waiting.front()) {
                (None, None) => {
                    line.free = Some(writer);
                    return;
                }
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(batch), Some(next)) => next.waits != Waits::InTurn || batch.is_full(),
            };
            if commit {
                drop(line);
                return self.commit_soon(writer);
            }
            let Some(next) = line.waiting.pop_front() else {
                continue;
            };
            drop(line);
            match next.turn.send(Turn {
                queue: self.clone(),
                writer: Some(writer),
            }) {
                Ok(()) => return,
                // It stopped waiting.
                Err(mut turn) => match turn.writer.take() {
                    Some(back) => writer = back,
                    None => return,
                },
            }
        }
    }

    fn commit_soon(self: &Arc<Self>, writer: Box<Writer>) {
        let turn = Turn {
            queue: self.clone(),
            writer: Some(writer),
        };
        if let Err(mpsc::SendError(turn)) = self.commits.send(turn) {
            // Without its thread a commit is slower, not impossible.
            turn.commit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write, given back when it is dropped.
pub(super) struct Turn {
    queue: Arc<Queue>,
    /// `None` only while it is being given back.
    writer: Option<Box<Writer>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.queue.pass(writer);
        }
    }
}

impl Turn {
    /// Opens a batch, unless the caller before left one open.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        let writer = self.writer();
        if writer.batch.is_some() {
            return Ok(());
        }
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        // IMMEDIATE: a transaction that first reads and then writes would
        // fail if another process wrote in between (SQLITE_BUSY_SNAPSHOT).
        while let Err(refusal) = execute(&writer.connection, "BEGIN IMMEDIATE") {
            if !is_busy(&refusal) || started.elapsed() >= BUSY_TIMEOUT {
                return Err(error(refusal));
            }
            // SQLite's own busy handler would put the worker thread to sleep.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        writer.batch = Some(Batch {
            begun: Instant::now(),
            answers: Vec::new(),
        });
        Ok(())
    }

    /// Runs one caller: what it wrote stays in the batch if it returned `Ok`.
    pub(super) fn run<T, E: From<Error>>(
        &mut self,
        f: impl FnOnce(&mut Connection) -> Outcome<T, E>,
    ) -> Outcome<T, E> {
        let connection = &mut self.writer().connection;
        if let Err(refusal) = execute(connection, "SAVEPOINT caller") {
            return Ok(Err(error(refusal).into()));
        }
        let outcome = f(connection);
        // A full disk or a failing one makes SQLite roll back everything.
        let ended = if connection.is_autocommit() {
            Err("SQLite rolled back the shared transaction".to_owned())
        } else {
            end_savepoint(connection, matches!(outcome, Ok(Ok(_)))).map_err(|error| error.to_string())
        };
        match ended {
            Ok(()) => outcome,
            Err(reason) => {
                let failure = Error::CommitFailed(reason);
                self.lose_batch(&failure);
                outcome.map(|result| result.and_then(|_| Err(failure.into())))
            }
        }
    }

    /// Adds the caller to those who are answered by the commit.
    pub(super) fn join_batch(&mut self) -> oneshot::Receiver<Result<(), Error>> {
        let (sender, answer) = oneshot::channel();
        match &mut self.writer().batch {
            Some(batch) => batch.answers.push(sender),
            // It is lost, and what the caller will return says so.
            None => drop(sender.send(Ok(()))),
        }
        answer
    }

    /// Commits the batch, gives the writer back and answers.
    fn commit(mut self) {
        let writer = self.writer();
        let Some(batch) = writer.batch.take() else { return };
        let connection = &writer.connection;
        let result = execute(connection, "COMMIT").map_err(|error| Error::CommitFailed(error.to_string()));
        if !connection.is_autocommit() {
            let _ = execute(connection, "ROLLBACK");
        }
        self.queue.checkpoint.dirty();
        // The next caller starts while these are answered.
        drop(self);
        for answer in batch.answers {
            // Who does not listen any more was cancelled.
            let _ = answer.send(result.clone());
        }
    }

    fn lose_batch(&mut self, failure: &Error) {
        let writer = self.writer();
        if !writer.connection.is_autocommit() {
            let _ = execute(&writer.connection, "ROLLBACK");
        }
        for answer in writer.batch.take().into_iter().flat_map(|batch| batch.answers) {
            let _ = answer.send(Err(failure.clone()));
        }
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect("only drop and retire take it")
    }
}

fn end_savepoint(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    if !keep {
        execute(connection, "ROLLBACK TO caller")?;
    }
    execute(connection, "RELEASE caller")
}
