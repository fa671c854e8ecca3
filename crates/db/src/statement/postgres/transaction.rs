//! An open transaction: begun, committed within a limit, rolled back if it is dropped.

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
/// A disk that stalls takes a second or two. Longer waits a server whose
/// synchronous standby is away, and it waits without a limit:
/// `statement_timeout` does not hold for COMMIT.
pub(crate) const COMMIT_LIMIT: Duration = Duration::from_secs(5);

/// How long the server may take to begin a transaction. A pooler whose server is away
/// says nothing for two minutes.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);

/// Why none was begun.
pub(crate) enum Begin {
    Refused(tokio_postgres::Error),
    Silent,
}

/// How a COMMIT ended.
pub(crate) enum Commit {
    Answered(Result<(), tokio_postgres::Error>),
    /// It may happen yet.
    Hangs,
}

/// A transaction. Dropped without a commit, also by a panic or a cancelled
/// caller, it sends ROLLBACK before anything else uses the connection.
pub(crate) struct Transaction {
    /// Gone once it was given away.
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

/// The right to commit. It is given back when the server has answered.
pub(crate) struct Turn {
    pub(crate) permit: OwnedSemaphorePermit,
    /// How many commits hang.
    pub(crate) hanging: Arc<AtomicUsize>,
}

impl Transaction {
    pub(crate) async fn begin(
        client: Client,
        session: &Arc<Session>,
        access: Access,
        turn: Option<Turn>,
    ) -> Result<Self, Begin> {
        // Made before it is begun: a caller may go away in between.
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

    /// Waits for the rollback, so that what the caller does next does not meet its own locks.
    pub(crate) async fn rollback(mut self) {
        if self.client().batch_execute("ROLLBACK").await.is_ok() {
            self.phase = Phase::Over;
        }
    }

    /// Closes the connection, which is good for nothing more.
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
            // Sent when it is polled; nobody waits for the answer.
            Phase::Open => {
                let _ = client.batch_execute("ROLLBACK").now_or_never();
            }
            Phase::Committing => outlast(Client::take(client), self.turn.take()),
        }
    }
}

/// Keeps a connection whose COMMIT was not answered until it is, outside the pool.
///
/// The server process waits on, whether or not we listen. With the turn held
/// as long, there are never more such processes than turns, and as the pool
/// has a connection in its place, others go on.
fn outlast(client: ClientWrapper, turn: Option<Turn>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let hanging = turn.as_ref().map(|turn| Arc::clone(&turn.hanging));
    if let Some(hanging) = &hanging {
        hanging.fetch_add(1, Ordering::Relaxed);
    }
    runtime.spawn(async move {
        // Answered after the COMMIT, or when the connection breaks.
        let _ = client.batch_execute("").await;
        if let Some(hanging) = &hanging {
            hanging.fetch_sub(1, Ordering::Relaxed);
        }
        drop(turn.map(|turn| turn.permit));
    });
}
