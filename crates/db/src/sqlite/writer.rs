//! The one connection that writes, and its queue.
//!
//! Callers take turns. Each runs inside a savepoint of one shared transaction, the *batch*. If nobody
//! waits, or the batch is large or old enough, a thread of its own commits the batch. Only then are its
//! callers answered. So one synchronisation of the disk serves all callers that queued during the one
//! before, and a single caller waits for nobody.
//!
//! Callers run one after another, so they are serializable. A later caller sees the rows of an earlier one
//! before the commit. This is safe, because both are committed or lost together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::marker::Marker;
use super::open::{BUSY_TIMEOUT, is_busy};
use super::signal::Signal;
use super::step::{Outcome, execute};
use crate::Error;
use crate::statement::sqlite::error;

/// The most callers of a batch. It bounds how long the first one waits for its answer.
const BATCH_CALLERS: usize = 64;

/// The maximum age of a batch, for the same reason.
const BATCH_AGE: Duration = Duration::from_millis(10);

/// The writing connection, and the callers that wait for its commit.
pub(super) struct Writer {
    connection: Connection,
    batch: Option<Batch>,
}

/// Callers whose work is not committed yet.
struct Batch {
    begun: Instant,
    /// Whether one of its callers returned `Ok`.
    kept: bool,
    answers: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.answers.len() >= BATCH_CALLERS || self.begun.elapsed() >= BATCH_AGE
    }
}

/// The queue of writers.
pub(super) struct Queue {
    line: Mutex<Line>,
    commits: mpsc::Sender<Turn>,
    checkpoint: Arc<Signal>,
    marker: Arc<Marker>,
}

struct Line {
    /// The writer, if nobody has the turn. Then its batch is committed.
    free: Option<Box<Writer>>,
    waiting: VecDeque<Waiter>,
    closed: bool,
}

struct Waiter {
    waits: Waits,
    turn: oneshot::Sender<Turn>,
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    InTurn,
    /// The writer without an open batch.
    ToBeAlone,
    /// The same, as the last caller.
    ToClose,
}

impl Queue {
    /// Starts the thread that commits.
    pub(super) fn start(
        connection: Connection,
        checkpoint: Arc<Signal>,
        marker: Arc<Marker>,
    ) -> Result<Arc<Self>, Error> {
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
            marker,
        }))
    }

    /// Waits for the writer. Callers are served in their order.
    ///
    /// If a caller stops waiting, it has written nothing.
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

    /// Lets nobody in any more, waits for all callers in the queue, and takes the connection.
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
        let mut line = self.line.lock();
        if line.closed {
            return Err(Error::Closed);
        }
        // The place in the queue is taken under the same lock, so nobody can follow.
        line.closed = waits == Waits::ToClose;
        match line.free.take() {
            Some(writer) => {
                drop(line);
                let _ = turn.send(Turn {
                    queue: self.clone(),
                    writer: Some(writer),
                });
            }
            None => line.waiting.push_back(Waiter { waits, turn }),
        }
        Ok(receiver)
    }

    /// Decides what happens to the writer after a turn. Nothing else decides it.
    fn pass(self: &Arc<Self>, mut writer: Box<Writer>) {
        loop {
            let mut line = self.line.lock();
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
            // Without the thread, the commit happens here, which is slower.
            turn.commit();
        }
    }
}

/// The right to write. It ends when it is dropped.
pub(super) struct Turn {
    queue: Arc<Queue>,
    /// `None` only while it is being returned.
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
    /// Opens a batch, unless the last caller left one open.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        let writer = self.writer();
        if writer.batch.is_some() {
            return Ok(());
        }
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        // IMMEDIATE: if a transaction first reads and then writes, it would fail when another process
        // writes in between (SQLITE_BUSY_SNAPSHOT).
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
            kept: false,
            answers: Vec::new(),
        });
        Ok(())
    }

    /// Runs one caller. If it returns `Ok`, its writes stay in the batch.
    pub(super) fn run<T, E: From<Error>>(
        &mut self,
        f: impl FnOnce(&mut Connection) -> Outcome<T, E>,
    ) -> Outcome<T, E> {
        if let Err(refusal) = self.open() {
            return Ok(Err(refusal.into()));
        }
        let outcome = f(&mut self.writer().connection);
        match self.end(matches!(outcome, Ok(Ok(_)))) {
            Ok(()) => outcome,
            Err(failure) => outcome.map(|result| result.and_then(|_| Err(failure.into()))),
        }
    }

    // These two functions are separate, so that they are not compiled again for every transaction.

    #[inline(never)]
    fn open(&mut self) -> Result<(), Error> {
        execute(&self.writer().connection, "SAVEPOINT caller").map_err(error)
    }

    #[inline(never)]
    fn end(&mut self, keep: bool) -> Result<(), Error> {
        let connection = &self.writer().connection;
        // If the disk is full or fails, SQLite rolls back everything.
        let ended = if connection.is_autocommit() {
            Err("SQLite rolled back the shared transaction".to_owned())
        } else {
            end_savepoint(connection, keep).map_err(|error| error.to_string())
        };
        match ended {
            Ok(()) => {
                if let Some(batch) = &mut self.writer().batch {
                    batch.kept |= keep;
                }
                Ok(())
            }
            Err(reason) => {
                let failure = Error::CommitFailed(reason);
                self.lose_batch(&failure);
                Err(failure)
            }
        }
    }

    /// Adds the caller to those that the commit answers.
    pub(super) fn join_batch(&mut self) -> oneshot::Receiver<Result<(), Error>> {
        let (sender, answer) = oneshot::channel();
        match &mut self.writer().batch {
            Some(batch) => batch.answers.push(sender),
            // The batch is lost. The result of the caller says so.
            None => drop(sender.send(Ok(()))),
        }
        answer
    }

    /// Commits the batch, returns the writer and answers the callers.
    fn commit(mut self) {
        let marker = Arc::clone(&self.queue.marker);
        let writer = self.writer();
        let Some(batch) = writer.batch.take() else { return };
        let connection = &writer.connection;
        // A COMMIT would also write what was rolled back to a savepoint.
        let end = if batch.kept { "COMMIT" } else { "ROLLBACK" };
        let result = execute(connection, end).map_err(|error| Error::CommitFailed(error.to_string()));
        if !connection.is_autocommit() {
            let _ = execute(connection, "ROLLBACK");
        }
        marker.committed(connection);
        self.queue.checkpoint.dirty();
        // The next caller starts while these are answered.
        drop(self);
        for answer in batch.answers {
            // A caller that no longer listens was cancelled.
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures_util::FutureExt;

    use super::*;
    use crate::sqlite::open;

    struct Fixture {
        _directory: tempfile::TempDir,
        queue: Arc<Queue>,
        reader: Connection,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let writer = open::writer(&path).unwrap();
        writer
            .execute_batch(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB) STRICT;
                 CREATE TABLE child (t_id INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED) STRICT;",
            )
            .unwrap();
        let queue = Queue::start(writer, Arc::default(), Arc::default()).unwrap();
        Fixture {
            _directory: directory,
            queue,
            reader: open::reader(&path).unwrap(),
        }
    }

    impl Fixture {
        fn ids(&self) -> Vec<i64> {
            let mut statement = self.reader.prepare("SELECT id FROM t ORDER BY id").unwrap();
            statement
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect()
        }
    }

    fn sql(sql: &str) -> impl FnOnce(&mut Connection) -> Outcome<(), Error> + use<'_> {
        move |connection| Ok(connection.execute_batch(sql).map_err(error))
    }

    fn is_commit_failed(answer: &Result<(), Error>) -> bool {
        matches!(answer, Err(Error::CommitFailed(_)))
    }

    /// Runs three callers in one batch, of which the second is `second`.
    async fn batch(fixture: &Fixture, second: &str) -> [(Result<(), Error>, Result<(), Error>); 3] {
        let mut turn = fixture.queue.turn().await.unwrap();
        let mut callers = Vec::new();
        for statement in [
            "INSERT INTO t (id) VALUES (1)",
            second,
            "INSERT INTO t (id) VALUES (3)",
        ] {
            // After a lost batch the next caller opens another.
            turn.begin().await.unwrap();
            let own = turn.run(sql(statement)).unwrap();
            callers.push((own, turn.join_batch()));
        }
        drop(turn);
        let mut answers = Vec::new();
        for (own, answer) in callers {
            answers.push((own, answer.await.unwrap()));
        }
        answers.try_into().unwrap()
    }

    #[tokio::test]
    async fn a_failed_caller_is_undone_and_the_others_are_kept() {
        let fixture = fixture();
        let [first, second, third] = batch(
            &fixture,
            "INSERT INTO t (id) VALUES (2); INSERT INTO t (id) VALUES (1)",
        )
        .await;
        assert_eq!((first, third), ((Ok(()), Ok(())), (Ok(()), Ok(()))));
        assert!(matches!(second, (Err(Error::Conflict(_)), Ok(()))), "{second:?}");
        assert_eq!(fixture.ids(), [1, 3]);
    }

    #[tokio::test]
    async fn nobody_is_answered_before_the_commit() {
        let fixture = fixture();
        let mut turn = fixture.queue.turn().await.unwrap();
        turn.begin().await.unwrap();
        turn.run(sql("INSERT INTO t (id) VALUES (1)")).unwrap().unwrap();
        let mut answer = turn.join_batch();
        assert!(answer.try_recv().is_err());
        assert_eq!(fixture.ids(), []);
        drop(turn);
        assert_eq!(answer.await, Ok(Ok(())));
        assert_eq!(fixture.ids(), [1]);
    }

    #[tokio::test]
    async fn if_sqlite_rolls_back_everything_those_before_learn_of_it() {
        let fixture = fixture();
        let [first, second, third] = batch(&fixture, "INSERT OR ROLLBACK INTO t (id) VALUES (1)").await;
        assert!(first.0.is_ok() && is_commit_failed(&first.1), "{first:?}");
        assert!(matches!(second.0, Err(Error::Conflict(_))), "{second:?}");
        assert_eq!(third, (Ok(()), Ok(())));
        assert_eq!(fixture.ids(), [3]);
    }

    #[tokio::test]
    async fn a_closure_that_ends_the_transaction_itself_is_not_taken_for_a_success() {
        let fixture = fixture();
        let [first, second, third] = batch(&fixture, "ROLLBACK").await;
        assert!(
            is_commit_failed(&first.1) && is_commit_failed(&second.0),
            "{first:?} {second:?}"
        );
        assert_eq!(third, (Ok(()), Ok(())));
        assert_eq!(fixture.ids(), [3]);
    }

    #[tokio::test]
    async fn a_full_disk_fails_those_it_concerns_and_later_ones_go_on() {
        let fixture = fixture();
        let full = |pages: i64| format!("PRAGMA max_page_count = {pages}");
        fixture
            .queue
            .turn()
            .await
            .unwrap()
            .run(sql(&full(4)))
            .unwrap()
            .unwrap();
        let [first, second, third] =
            batch(&fixture, "INSERT INTO t (id, data) VALUES (2, zeroblob(100000))").await;
        assert!(
            matches!(&second.0, Err(Error::Database(text)) if text.contains("full")),
            "{second:?}"
        );
        assert!(is_commit_failed(&first.1), "{first:?}");
        assert_eq!(third, (Ok(()), Ok(())));
        assert_eq!(fixture.ids(), [3]);

        fixture
            .queue
            .turn()
            .await
            .unwrap()
            .run(sql(&full(1_000_000)))
            .unwrap()
            .unwrap();
        let [_, second, _] = batch(&fixture, "INSERT INTO t (id, data) VALUES (2, zeroblob(100000))").await;
        assert_eq!(second, (Ok(()), Ok(())));
    }

    #[tokio::test]
    async fn if_the_commit_fails_everybody_learns_of_it_and_later_ones_go_on() {
        let fixture = fixture();
        // No migration may have such a constraint. Here it stands for any failure of a COMMIT.
        let answers = batch(&fixture, "INSERT INTO child (t_id) VALUES (7)").await;
        for (own, answer) in &answers {
            assert!(own.is_ok() && is_commit_failed(answer), "{answers:?}");
        }
        assert_eq!(fixture.ids(), []);
        let again = batch(&fixture, "INSERT INTO t (id) VALUES (2)").await;
        assert!(
            again.iter().all(|caller| *caller == (Ok(()), Ok(()))),
            "{again:?}"
        );
        assert_eq!(fixture.ids(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_turn_that_is_lost_in_a_panic_is_passed_on() {
        let fixture = fixture();
        let mut turn = fixture.queue.turn().await.unwrap();
        turn.begin().await.unwrap();
        turn.run(sql("INSERT INTO t (id) VALUES (1)")).unwrap().unwrap();
        let answer = turn.join_batch();
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _turn = turn;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(answer.await, Ok(Ok(())));
        assert!(fixture.queue.turn().await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_to_be_alone_finds_no_open_batch() {
        let fixture = fixture();
        let mut turn = fixture.queue.turn().await.unwrap();
        turn.begin().await.unwrap();
        turn.run(sql("INSERT INTO t (id) VALUES (1)")).unwrap().unwrap();
        let answer = turn.join_batch();
        let queue = fixture.queue.clone();
        let alone = tokio::task::spawn_blocking(move || queue.turn_alone().unwrap());
        while fixture.queue.line.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        drop(turn);
        let mut alone = alone.await.unwrap();
        assert!(alone.writer().batch.is_none());
        assert_eq!(answer.await, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_full_batch_is_committed_although_others_wait() {
        let fixture = fixture();
        let mut turn = fixture.queue.turn().await.unwrap();
        turn.begin().await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..BATCH_CALLERS {
            turn.run(sql("SELECT 1")).unwrap().unwrap();
            answers.push(turn.join_batch());
        }
        let mut next = std::pin::pin!(fixture.queue.turn());
        assert!((&mut next).now_or_never().is_none());
        drop(turn);
        for answer in answers {
            assert_eq!(answer.await, Ok(Ok(())));
        }
        assert!(next.await.unwrap().writer().batch.is_none());
    }
}
