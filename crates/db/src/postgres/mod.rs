//! PostgreSQL: a pool of connections, and transactions that run again after a conflict or on another
//! server.

mod config;
mod migrate;
mod pool;

use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::Client;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;

use crate::migrate::AppliedMigration;
use crate::statement::postgres::{
    self as statement, COMMIT_LIMIT, Commit, SILENT, STANDBY, Server, Transaction,
};
use crate::statement::{Access, Fate};
use crate::tx::poll;
use crate::work::{Work, WorkDone};
use crate::{Error, Migration, Tx};
use config::{RetryPolicy, Settings};
use pool::Connections;

pub(crate) use config::check as check_url;

/// How long a transaction is tried again after conflicts, lost connections and servers that take no writes.
///
/// A restart and a planned failover take a second or less. A person waits for the answer, so it must come
/// before they give up.
const RERUN_FOR: Duration = Duration::from_secs(5);

/// After this many conflicts a caller runs again only if it is the only such caller of this process.
const PATIENCE: u32 = 1;

/// How long one check of the server may take, and how long checks are repeated.
const PING_LIMIT: Duration = Duration::from_secs(5);
const PING_AGAIN_FOR: Duration = Duration::from_millis(500);

/// A PostgreSQL database.
pub(crate) struct Postgres {
    connections: Connections,
    /// Held by the one caller that runs again after more than [`PATIENCE`] conflicts.
    ///
    /// If many transactions need one row, eight connections mean seven conflicts for one success.
    /// Random pauses alone do not help in time.
    queue: Semaphore,
    work: Work,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("place", &self.connections.place())
            .finish_non_exhaustive()
    }
}

/// The outcome of one run of a closure.
enum Attempt<T> {
    WorkDone(T),
    Rerun(Reason),
}

/// Why nothing was committed, although the transaction itself is correct.
enum Reason {
    /// Another transaction changed the same rows.
    Conflict,
    /// The connection broke before the commit, or led to a server that takes no writes.
    Connection(String),
}

impl Postgres {
    /// Opens the pool and one connection, so that a wrong setting shows at once.
    pub(crate) async fn connect(url: &str) -> Result<Self, Error> {
        let connections = Connections::new(Settings::parse(url)?)?;
        let deadline = Instant::now() + RERUN_FOR;
        match connections.get(RetryPolicy::First, deadline).await {
            Ok(_) => Ok(Self {
                connections,
                queue: Semaphore::new(1),
                work: Work::default(),
            }),
            // Nothing has begun yet that could be committed.
            Err(Error::Unavailable(why)) => Err(Error::Connect(why)),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        let mut client = self
            .connections
            .get(RetryPolicy::Again, Instant::now() + RERUN_FOR)
            .await?;
        migrate::migrate(&mut client, self.connections.session(), migrations).await
    }

    pub(crate) async fn applied(&self) -> Result<Option<Vec<AppliedMigration>>, Error> {
        let mut client = self
            .connections
            .get(RetryPolicy::Again, Instant::now() + RERUN_FOR)
            .await?;
        migrate::applied(&mut client, self.connections.session()).await
    }

    /// Runs `f` until it succeeds without a conflict, for [`RERUN_FOR`] at most.
    pub(crate) async fn tx<T, E: From<Error>>(
        &self,
        access: Access,
        f: &(impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone),
    ) -> Result<T, E> {
        match access {
            Access::Read => self.work.read(),
            Access::Write { .. } => self.work.write(),
        }
        let deadline = Instant::now() + RERUN_FOR;
        let (mut runs, mut conflicts) = (0, 0);
        loop {
            let turn = if conflicts > PATIENCE {
                self.queue.acquire().await.ok()
            } else {
                None
            };
            let reason = match self.attempt(access, f.clone(), deadline).await? {
                Attempt::WorkDone(value) => return Ok(value),
                Attempt::Rerun(reason) => reason,
            };
            if Instant::now() >= deadline {
                return Err(self.give_up(reason).into());
            }
            runs += 1;
            self.work.rerun();
            conflicts += u32::from(matches!(reason, Reason::Conflict));
            drop(turn);
            sleep(backoff(runs)).await;
        }
    }

    fn give_up(&self, reason: Reason) -> Error {
        match reason {
            Reason::Conflict => {
                Error::Busy("other transactions were in the way of this one too often".to_owned())
            }
            Reason::Connection(why) => self.connections.unavailable(&why),
        }
    }

    /// Whether the server answers and takes writes.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        timeout(PING_LIMIT, self.look())
            .await
            .unwrap_or_else(|_| Err(self.connections.unavailable(SILENT)))
    }

    pub(crate) fn done(&self) -> WorkDone {
        self.work.done()
    }

    async fn look(&self) -> Result<(), Error> {
        let deadline = Instant::now() + PING_AGAIN_FOR;
        loop {
            let client = self.connections.get(RetryPolicy::Again, deadline).await?;
            let failure = match self.connections.session().server(&client).await {
                Ok(Server::Primary) => return Ok(()),
                Ok(Server::Standby) => self.connections.unavailable(STANDBY),
                Err(error) => self.connections.unavailable(&statement::chain(&error)),
            };
            // Only this connection is affected. Another one may lead to another server.
            drop(Client::take(client));
            if Instant::now() >= deadline {
                return Err(failure);
            }
        }
    }

    pub(crate) async fn close(&self) {
        self.connections.close().await;
    }

    async fn attempt<T, E: From<Error>>(
        &self,
        access: Access,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
        deadline: Instant,
    ) -> Result<Attempt<T>, E> {
        let turn = match access {
            Access::Write { .. } => Some(self.connections.turn().await?),
            Access::Read => None,
        };
        let client = self.connections.get(RetryPolicy::Again, deadline).await?;
        let mut transaction = Transaction::new(client, self.connections.session(), access, turn);
        let mut tx = Tx::postgres(&mut transaction, access, &self.work);
        let result = {
            let mut future = pin!(f(&mut tx));
            poll_fn(|context| poll(future.as_mut(), context)).await
        };
        let (fate, why, last_rows) = tx.ends();
        match (fate, result) {
            (Fate::Rerun, _) => Ok(Attempt::Rerun(Reason::Conflict)),
            (Fate::Elsewhere, _) => {
                transaction.close();
                Ok(Attempt::Rerun(Reason::Connection(why)))
            }
            (Fate::Doomed, Ok(_)) => Err(Error::Aborted.into()),
            (Fate::Open | Fate::Doomed, Err(error)) => {
                transaction.roll_back().await;
                Err(error)
            }
            // There is nothing to commit. The ROLLBACK that the drop sends costs no round trip.
            (Fate::Open, Ok(value)) if access == Access::Read && last_rows.is_empty() => {
                Ok(Attempt::WorkDone(value))
            }
            (Fate::Open, Ok(value)) => {
                match statement::commit(transaction, &self.work, &last_rows).await {
                    Commit::Answered(Ok(())) => Ok(Attempt::WorkDone(value)),
                    Commit::Answered(Err(error)) => Ok(not_committed(&error)?),
                    Commit::Refused(Fate::Rerun, _) => Ok(Attempt::Rerun(Reason::Conflict)),
                    Commit::Refused(Fate::Elsewhere, error) => {
                        Ok(Attempt::Rerun(Reason::Connection(error.to_string())))
                    }
                    Commit::Refused(Fate::Open | Fate::Doomed, error) => Err(error.into()),
                    Commit::Hangs => Err(Error::UnknownOutcome(format!(
                        "the server did not confirm it within {} seconds: see whether its synchronous standby is there",
                        COMMIT_LIMIT.as_secs()
                    ))
                    .into()),
                }
            }
        }
    }
}

fn not_committed<T>(error: &tokio_postgres::Error) -> Result<Attempt<T>, Error> {
    match error.code() {
        _ if statement::is_lost(error) => Err(Error::UnknownOutcome(statement::chain(error))),
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
            Ok(Attempt::Rerun(Reason::Conflict))
        }
        Some(&SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN) | None => {
            Err(Error::UnknownOutcome(statement::chain(error)))
        }
        Some(_) => Err(statement::error(error)),
    }
}

/// A random time that doubles with every retry, so that two callers do not meet again.
///
/// It is never less than half of the maximum, so the last retries come late enough for a machine under
/// load.
fn backoff(retry: u32) -> Duration {
    let half_micros = 2_000_u64 << retry.min(7);
    Duration::from_micros(half_micros + random() % half_micros)
}

/// A number that differs between processes and calls. It is good for jitter, not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
