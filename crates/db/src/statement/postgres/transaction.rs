//! A transaction. It begins with its first statement, and is rolled back if it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Client, ClientWrapper};
use futures_util::FutureExt;
use futures_util::future::try_join;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::session::Session;
use super::{SILENT, StatementResult, not_begun};
use crate::Error;
use crate::statement::{Access, Fate};

/// How long a COMMIT may take.
///
/// A slow disk takes a second or two. A server whose synchronous standby is away takes longer, and has no
/// limit: `statement_timeout` does not apply to COMMIT.
pub(crate) const COMMIT_LIMIT: Duration = Duration::from_secs(5);

/// How long the server may take to begin a transaction. A pooler that cannot reach its server is silent for
/// two minutes.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);

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
    /// The server has not heard of it.
    New,
    Open,
    Committing,
    Over,
    /// The server did not begin it, so the connection is unusable.
    Failed,
}

/// The permission to commit. It is returned when the server has answered.
pub(crate) struct Turn {
    pub(crate) permit: OwnedSemaphorePermit,
    /// The number of commits that hang.
    pub(crate) hanging: Arc<AtomicUsize>,
}

impl Transaction {
    /// A transaction that begins with its first statement. Nothing is sent before.
    pub(crate) fn new(client: Client, session: &Arc<Session>, access: Access, turn: Option<Turn>) -> Self {
        Self {
            client: Some(client),
            session: Arc::clone(session),
            access,
            turn,
            phase: Phase::New,
        }
    }

    pub(crate) fn is_read(&self) -> bool {
        self.access == Access::Read
    }

    pub(crate) fn is_begun(&self) -> bool {
        self.phase != Phase::New
    }

    pub(crate) fn client(&self) -> &ClientWrapper {
        self.client
            .as_ref()
            .expect("only what ends a transaction takes its connection")
    }

    /// Begins it, if that has not been done.
    pub(super) async fn begin(&mut self) -> StatementResult<()> {
        if self.is_begun() {
            return Ok(());
        }
        self.begin_with(async |_| Ok(())).await
    }

    /// Begins it and runs its first statement, in one round trip.
    ///
    /// If the server does not begin it, the statement runs outside of a transaction. So it must not change
    /// anything.
    pub(super) async fn begin_with<T>(
        &mut self,
        statement: impl AsyncFnOnce(&Self) -> StatementResult<T>,
    ) -> StatementResult<T> {
        // Before the server answers, because the caller may leave in between.
        self.phase = Phase::Open;
        let mut is_begun = false;
        let begun = async {
            self.ask_to_begin().await?;
            is_begun = true;
            Ok(())
        };
        // Each sends at its first poll, and they are polled in this order.
        let result = try_join(begun, statement(self)).await;
        if !is_begun {
            self.close();
        }
        result.map(|((), value)| value)
    }

    async fn ask_to_begin(&self) -> StatementResult<()> {
        let begin = self.session.begin(self.access);
        match timeout(BEGIN_LIMIT, self.client().batch_execute(&begin)).await {
            Ok(answer) => answer.map_err(|failure| not_begun(&failure)),
            Err(_) => Err((Fate::Elsewhere, Error::Database(SILENT.to_owned()))),
        }
    }

    /// From now on a caller that leaves does not undo it.
    pub(super) fn commits(&mut self) {
        self.phase = Phase::Committing;
    }

    /// The server has answered the COMMIT.
    pub(super) fn ends(&mut self) {
        self.phase = Phase::Over;
    }

    /// Waits for the rollback, so that the caller's next statement does not meet its own locks.
    pub(crate) async fn roll_back(&mut self) {
        match self.phase {
            Phase::New | Phase::Over | Phase::Failed => {}
            Phase::Open | Phase::Committing => {
                self.phase = Phase::Open;
                // The server answers in order, so what was sent before is answered, too.
                if self.client().batch_execute("ROLLBACK").await.is_ok() {
                    self.phase = Phase::Over;
                }
            }
        }
    }

    /// Closes the connection, which is unusable.
    pub(crate) fn close(&mut self) {
        self.phase = Phase::Failed;
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match self.phase {
            Phase::New | Phase::Over => {}
            Phase::Failed => drop(Client::take(client)),
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
