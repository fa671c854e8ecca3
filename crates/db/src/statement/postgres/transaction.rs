//! An open transaction. Its commit has a time limit, and it is rolled back if it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Client, ClientWrapper};
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::session::Session;
use crate::statement::Access;

/// How long a COMMIT may take.
///
/// A slow disk takes a second or two. A server whose synchronous standby is away takes longer, and has no
/// limit: `statement_timeout` does not apply to COMMIT.
pub(crate) const COMMIT_LIMIT: Duration = Duration::from_secs(5);

/// How long the server may take to begin a transaction. A pooler that cannot reach its server is silent for
/// two minutes.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);

/// Why no transaction was begun.
pub(crate) enum Begin {
    Refused(tokio_postgres::Error),
    Silent,
}

/// How a COMMIT ended.
pub(crate) enum Commit {
    Answered(Result<(), tokio_postgres::Error>),
    /// It may still happen.
    Hangs,
}

/// A transaction. If it is dropped without a commit, also by a panic or a cancelled caller, it sends
/// ROLLBACK before anything else uses the connection.
pub(crate) struct Transaction {
    /// `None` after it was returned.
    client: Option<Client>,
    pub(crate) session: Arc<Session>,
    access: Access,
    turn: Option<Turn>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Committing,
    Over,
}

/// The permission to commit. It is returned when the server has answered.
pub(crate) struct Turn {
    pub(crate) permit: OwnedSemaphorePermit,
    /// The number of commits that hang.
    pub(crate) hanging: Arc<AtomicUsize>,
}

impl Transaction {
    pub(crate) async fn begin(
        client: Client,
        session: &Arc<Session>,
        access: Access,
        turn: Option<Turn>,
    ) -> Result<Self, Begin> {
        // Made before the transaction begins, because the caller may be cancelled in between.
        let transaction = Self {
            client: Some(client),
            session: Arc::clone(session),
            access,
            turn,
            phase: Phase::Open,
        };
        let begin = session.begin(access);
        let answer = timeout(BEGIN_LIMIT, transaction.client().batch_execute(&begin)).await;
        let failure = match answer {
            Ok(Ok(())) => return Ok(transaction),
            Ok(Err(error)) => Begin::Refused(error),
            Err(_) => Begin::Silent,
        };
        transaction.discard();
        Err(failure)
    }

    pub(crate) fn is_read(&self) -> bool {
        self.access == Access::Read
    }

    pub(crate) fn client(&self) -> &ClientWrapper {
        self.client
            .as_ref()
            .expect("only what ends a transaction takes its connection")
    }

    pub(crate) async fn commit(mut self) -> Commit {
        self.phase = Phase::Committing;
        match timeout(COMMIT_LIMIT, self.client().batch_execute("COMMIT")).await {
            Ok(answer) => {
                self.phase = Phase::Over;
                Commit::Answered(answer)
            }
            Err(_) => Commit::Hangs,
        }
    }

    /// Waits for the rollback, so that the caller's next statement does not meet its own locks.
    pub(crate) async fn rollback(mut self) {
        if self.client().batch_execute("ROLLBACK").await.is_ok() {
            self.phase = Phase::Over;
        }
    }

    /// Closes the connection, which is unusable.
    pub(crate) fn discard(mut self) {
        self.phase = Phase::Over;
        if let Some(client) = self.client.take() {
            drop(Client::take(client));
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match self.phase {
            Phase::Over => {}
            // It is sent at the first poll. Nobody waits for the answer.
            Phase::Open => {
                let _ = client.batch_execute("ROLLBACK").now_or_never();
            }
            Phase::Committing => outlast(Client::take(client), self.turn.take()),
        }
    }
}

/// Keeps a connection with an unanswered COMMIT outside the pool until the answer comes.
///
/// The server process waits on, whether or not we listen. The permission is held as long, so there are
/// never more such processes than permissions. The pool opens a connection in its place, so other callers
/// go on.
fn outlast(client: ClientWrapper, turn: Option<Turn>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let hanging = turn.as_ref().map(|turn| Arc::clone(&turn.hanging));
    if let Some(hanging) = &hanging {
        hanging.fetch_add(1, Ordering::Relaxed);
    }
    runtime.spawn(async move {
        // The server answers this after the COMMIT. Otherwise the connection breaks.
        let _ = client.batch_execute("").await;
        if let Some(hanging) = &hanging {
            hanging.fetch_sub(1, Ordering::Relaxed);
        }
        drop(turn.map(|turn| turn.permit));
    });
}
