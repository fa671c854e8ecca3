//! PostgreSQL: a pool of connections, serializable transactions that are run again on conflict.

mod config;
mod migrate;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use deadpool_postgres::{Client, Hook, HookError, Pool, PoolError, Runtime, TimeoutType};
use tokio::sync::Semaphore;
use tokio_postgres::error::SqlState;
use tokio_postgres::{IsolationLevel, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::statement::{Fate, postgres as statement};
use crate::tx::FIRST_CHUNK;
use crate::work::{Done, Work};
use crate::{Error, Migration, Tx};
use config::Settings;

pub(crate) use config::check as check_url;

/// How often a transaction is run again after a conflict.
const RETRIES: u32 = 8;

/// Conflicts after which a caller runs again only while no other such caller of this process does.
const PATIENCE: u32 = 1;

/// How long a caller waits for a connection to become free.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a new connection may take, with TLS and authentication.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long closing waits for transactions that are open.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Age at which a connection is replaced, so that a moved database or a new
/// certificate is taken up.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// No statement of a request takes this long unless something is wrong, and a
/// transaction that a lost process left open must not hold its locks.
const SESSION: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '10s'";

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Pool,
    place: String,
    /// Held by the one caller that runs again after more than [`PATIENCE`] conflicts.
    ///
    /// Where many meet on one row, sixteen connections at once mean fifteen
    /// conflicts for one success, and waiting alone does not help in time.
    queue: Semaphore,
    work: Work,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// What a closure may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// On a snapshot.
    Read,
    Write {
        chunk: i64,
    },
}

impl Access {
    fn chunk(self) -> i64 {
        match self {
            Self::Read => FIRST_CHUNK,
            Self::Write { chunk } => chunk,
        }
    }
}

/// The outcome of one run of a closure.
enum Attempt<T> {
    Done(T),
    /// Another transaction was in the way, or the connection broke before the commit.
    Rerun,
}

impl Postgres {
    /// Opens the pool and one connection, so that a mistake shows at once.
    pub(crate) async fn connect(url: &str) -> Result<Self, Error> {
        let settings = Settings::parse(url)?;
        let place = settings.place();
        let postgres = Self {
            pool: pool(settings)?,
            place,
            queue: Semaphore::new(1),
            work: Work::default(),
        };
        postgres.ping().await?;
        Ok(postgres)
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        migrate::migrate(&mut self.client().await?, migrations).await
    }

    /// Runs `f` until no other transaction is in its way, [`RETRIES`] times again at most.
    pub(crate) async fn tx<T, E: From<Error>>(
        &self,
        access: Access,
        f: &(impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone),
    ) -> Result<T, E> {
        match access {
            Access::Read => self.work.read(),
            Access::Write { .. } => self.work.write(),
        }
        for retry in 0..=RETRIES {
            if retry > 0 {
                self.work.rerun();
                tokio::time::sleep(backoff(retry)).await;
            }
            let _turn = if retry > PATIENCE {
                self.queue.acquire().await.ok()
            } else {
                None
            };
            if let Attempt::Done(value) = self.attempt(access, f.clone()).await? {
                return Ok(value);
            }
        }
        Err(Error::Busy("other transactions were in the way of this one too often".to_owned()).into())
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let client = self.client().await?;
        client
            .batch_execute("SELECT 1")
            .await
            .map_err(|error| statement::error(&error))
    }

    pub(crate) fn done(&self) -> Done {
        self.work.done()
    }

    /// Waits until every connection is given back.
    pub(crate) async fn close(&self) {
        self.pool.close();
        let given_back = async {
            while self.pool.status().size > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, given_back).await.is_err() {
            tracing::warn!("closed the database while transactions were still open; they are rolled back");
        }
    }

    async fn attempt<T, E: From<Error>>(
        &self,
        access: Access,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<Attempt<T>, E> {
        let mut client = self.client().await?;
        let builder = client.build_transaction();
        let builder = match access {
            Access::Write { .. } => builder.isolation_level(IsolationLevel::Serializable),
            Access::Read => builder
                .isolation_level(IsolationLevel::RepeatableRead)
                .read_only(true),
        };
        // Dropped without a commit, also by a panic or a cancelled caller, the
        // transaction sends ROLLBACK before anything else uses the connection.
        let transaction = match builder.start().await {
            Ok(transaction) => transaction,
            Err(error) => return Ok(not_begun(&error)?),
        };
        let mut tx = Tx::postgres(&transaction, access.chunk(), &self.work);
        let result = f(&mut tx).await;
        match (tx.fate(), result) {
            (Fate::Rerun, _) => Ok(Attempt::Rerun),
            (Fate::Doomed, Ok(_)) => Err(Error::Aborted.into()),
            (Fate::Open | Fate::Doomed, Err(error)) => {
                // Waited for, so that what the caller does next does not meet its own locks.
                let _ = transaction.rollback().await;
                Err(error)
            }
            // There is nothing to commit: the ROLLBACK on drop costs no round trip.
            (Fate::Open, Ok(value)) if access == Access::Read => Ok(Attempt::Done(value)),
            (Fate::Open, Ok(value)) => match transaction.commit().await {
                Ok(()) => Ok(Attempt::Done(value)),
                Err(error) => Ok(not_committed(&error)?),
            },
        }
    }

    async fn client(&self) -> Result<Client, Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => config::explain(&self.place, &error),
            PoolError::Timeout(TimeoutType::Wait) => {
                Error::Busy("no connection to PostgreSQL became free, see pool_size".to_owned())
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => Error::Connect(format!(
                "PostgreSQL at {} did not answer in time: check its load and the network",
                self.place
            )),
            PoolError::Closed => Error::Closed,
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Error::Connect(format!("PostgreSQL at {} cannot be used: {error}", self.place))
            }
        })
    }
}

fn pool(settings: Settings) -> Result<Pool, Error> {
    let manager = match settings.tls {
        Some(tls) => deadpool_postgres::Manager::new(settings.config, MakeRustlsConnect::new(tls)),
        None => deadpool_postgres::Manager::new(settings.config, NoTls),
    };
    Pool::builder(manager)
        .max_size(settings.pool_size)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(SESSION).await.map_err(HookError::Backend) })
        }))
        .pre_recycle(Hook::sync_fn(|_, metrics| {
            if metrics.age() < LIFETIME {
                Ok(())
            } else {
                Err(HookError::message("old enough"))
            }
        }))
        .build()
        .map_err(|error| Error::Connect(error.to_string()))
}

/// Nothing was done yet, so a lost connection is no reason to fail.
fn not_begun<T>(error: &tokio_postgres::Error) -> Result<Attempt<T>, Error> {
    if statement::is_lost(error) {
        Ok(Attempt::Rerun)
    } else {
        Err(statement::error(error))
    }
}

fn not_committed<T>(error: &tokio_postgres::Error) -> Result<Attempt<T>, Error> {
    match error.code() {
        _ if statement::is_lost(error) => Err(Error::UnknownOutcome(statement::chain(error))),
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => Ok(Attempt::Rerun),
        Some(&SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN) | None => {
            Err(Error::UnknownOutcome(statement::chain(error)))
        }
        Some(_) => Err(statement::error(error)),
    }
}

/// A random time that doubles with every retry: those who met once do not meet again.
///
/// Never less than half of the longest, so that the last retries come late
/// enough for a machine under load.
fn backoff(retry: u32) -> Duration {
    let half_micros = 2_000_u64 << retry.min(7);
    Duration::from_micros(half_micros + random() % half_micros)
}

/// A number that differs between processes and calls; good for jitter, not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
