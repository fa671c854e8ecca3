//! SQLite in this process: one connection writes, and its commits are shared. Others read beside it.
//!
//! A statement runs on the thread that polls it. So a database future never suspends, and a transaction is
//! polled exactly once. If something suspends inside a transaction, it is not the database, and it is
//! refused. This excludes network I/O under the write lock, a deadlock with oneself, and cancellation
//! between two statements.

mod backup;
mod checkpoint;
mod dialect;
mod marker;
mod migrate;
mod open;
mod readers;
mod signal;
mod step;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::migrate::AppliedMigration;
use crate::statement::Access;
use crate::work::{Work, WorkDone};
use crate::{Error, Migration, Tx};
use checkpoint::Checkpointer;
use marker::Marker;
use readers::Readers;
use writer::Queue;

/// Checks the path of a URL without looking at the file.
pub(crate) fn check_path(path: &str) -> Result<(), Error> {
    open::path(path).map(drop)
}

/// A SQLite database.
pub(crate) struct Sqlite {
    path: PathBuf,
    queue: Arc<Queue>,
    readers: Readers,
    marker: Arc<Marker>,
    checkpointer: Checkpointer,
    work: Work,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens the file, and creates it if it is missing.
    pub(crate) async fn connect(path: &str) -> Result<Self, Error> {
        let path = open::path(path)?;
        blocking(move || {
            let writer = open::writer(&path)?;
            let readers = Readers::open(&path)?;
            let marker = Arc::new(Marker::default());
            marker.watch(open::reader(&path)?, &writer)?;
            let checkpointer = Checkpointer::default();
            let queue = Queue::start(writer, checkpointer.signal(), Arc::clone(&marker))?;
            checkpointer.start(open::checkpointer(&path)?, &queue)?;
            Ok(Self {
                path,
                queue,
                readers,
                marker,
                checkpointer,
                work: Work::default(),
            })
        })
        .await
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        let (path, migrations) = (self.path.clone(), migrations.to_vec());
        blocking(move || migrate::migrate(&path, &migrations)).await?;
        self.checkpointer.signal().dirty();
        Ok(())
    }

    pub(crate) async fn applied(&self) -> Result<Option<Vec<AppliedMigration>>, Error> {
        let path = self.path.clone();
        blocking(move || migrate::applied_by(&path)).await
    }

    /// Runs `f` after the callers before it. It may share their transaction.
    pub(crate) async fn tx<T, E: From<Error>>(
        &self,
        access: Access,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        step::refuse_nesting()?;
        let mut turn = self.queue.turn().await?;
        turn.begin().await?;
        self.work.write();
        let mut is_told = false;
        let outcome = turn.run(|connection| step::run(connection, (access, &mut is_told), &self.work, f));
        if is_told {
            self.marker.tell();
        }
        // From here the transaction happens, even if the caller is gone.
        let answer = turn.join_batch();
        drop(turn);
        let result = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // An error has to wait for the commit as well. It may depend on rows that an earlier caller of the
        // batch wrote, and a crash would undo these.
        answer
            .await
            .unwrap_or_else(|_| Err(Error::UnknownOutcome("nobody answered".to_owned())))?;
        result
    }

    /// Runs `f` on a snapshot.
    pub(crate) async fn read<T, E: From<Error>>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        step::refuse_nesting()?;
        // A read never suspends by itself. Without this, a task that only reads would never yield its
        // worker.
        tokio::task::coop::consume_budget().await;
        self.work.read();
        self.readers
            .with(|connection| step::read(connection, &self.work, f))?
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.read(async |tx: &mut Tx<'_>| tx.opt("SELECT 1", &[]).await.map(drop))
            .await
    }

    pub(crate) fn done(&self) -> WorkDone {
        self.work.done()
    }

    pub(crate) fn change_marker(&self) -> Result<i64, Error> {
        self.marker.number()
    }

    pub(crate) fn told(&self) -> u64 {
        self.marker.told()
    }

    pub(crate) async fn backup(&self, to: &Path) -> Result<(), Error> {
        // Absolute, because SQLite would read `file:…` as a URI with options.
        let to = std::path::absolute(to).unwrap_or_else(|_| to.to_owned());
        let from = self.path.clone();
        blocking(move || backup::backup(&from, &to)).await
    }

    /// Waits for the callers before it and closes every connection.
    ///
    /// The last connection to close copies the log into the file and removes the log.
    pub(crate) async fn close(&self) {
        let Ok(writer) = self.queue.retire().await else {
            return;
        };
        let checkpoints = self.checkpointer.stop();
        self.readers.close();
        let marker = self.marker.close();
        let closed = blocking(move || {
            drop(marker);
            if let Some(thread) = checkpoints {
                let _ = thread.join();
            }
            drop(writer);
            Ok(())
        });
        let _ = closed.await;
    }
}

/// Runs `f` on a thread that may block.
async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down.
            Err(_) => Err(Error::Closed),
        },
    }
}
