//! The pool: it opens connections, tries again while a server starts or fails over, and lends them to
//! callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool::managed::QueueMode;
use deadpool_postgres::{Client, Hook, HookError, Manager, Pool, PoolError, Runtime, TimeoutType};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::{self, RetryPolicy, Settings};
use super::{STANDBY, random};
use crate::Error;
use crate::statement::postgres::{Server, Session, Turn, chain};

/// How long a caller waits for a connection to become free.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a new connection may take, with TLS and authentication.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long closing waits for open transactions.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection is replaced at this age, so that a moved database or a new certificate is noticed.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Time between two attempts to open a connection, plus a random time up to the same length.
const PAUSE: Duration = Duration::from_millis(50);

/// One in this many connections is reserved for reads.
const RESERVE: usize = 4;

const HANGING: &str = "it does not confirm commits: see whether its synchronous standby is there";

/// The connections to one database.
pub(super) struct Connections {
    pool: Pool,
    place: String,
    session: Arc<Session>,
    /// For transactions that write. There are fewer of these permits than connections.
    ///
    /// While a synchronous standby is away, each of them waits for its COMMIT. Transactions that only read
    /// go on with the other connections.
    turns: Arc<Semaphore>,
    turn_count: usize,
    /// Commits whose caller waits no longer, see [`Turn`].
    hanging: Arc<AtomicUsize>,
}

impl Connections {
    pub(super) fn new(settings: Settings) -> Result<Self, Error> {
        let place = settings.place();
        let session = Arc::new(Session::new(settings.pooler, settings.schema.as_deref()));
        let size = settings.pool_size;
        let turn_count = size - if size > 1 { size.div_ceil(RESERVE) } else { 0 };
        Ok(Self {
            pool: pool(settings, Arc::clone(&session))?,
            place,
            session,
            turns: Arc::new(Semaphore::new(turn_count)),
            turn_count,
            hanging: Arc::default(),
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// A connection. It returns by `deadline` or a little later.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if none could be opened in time, and [`Error::Connect`] if waiting cannot
    /// help.
    pub(super) async fn get(&self, hope: RetryPolicy, deadline: Instant) -> Result<Client, Error> {
        loop {
            let failure = match self.pool.get().await {
                Ok(client) => return Ok(client),
                Err(failure) => failure,
            };
            let why = match failure {
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                    if !config::passes(&error, hope) {
                        return Err(config::explain(&self.place, &error));
                    }
                    chain(&error)
                }
                PoolError::PostCreateHook(HookError::Message(why)) => why.into_owned(),
                PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                    "it did not answer in time: check its load and the network".to_owned()
                }
                PoolError::Timeout(TimeoutType::Wait) => {
                    return Err(Error::Busy(
                        "no connection to PostgreSQL became free, see pool_size".to_owned(),
                    ));
                }
                PoolError::Closed => return Err(Error::Closed),
                PoolError::NoRuntimeSpecified => return Err(Error::Database(failure.to_string())),
            };
            let pause = PAUSE + Duration::from_millis(random() % PAUSE.as_millis() as u64);
            if Instant::now() + pause > deadline {
                return Err(self.unavailable(&why));
            }
            sleep(pause).await;
        }
    }

    /// The permission to commit.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] at once if all permitted commits hang.
    pub(super) async fn turn(&self) -> Result<Turn, Error> {
        let permit = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.all_hang() => return Err(self.unavailable(HANGING)),
            Err(_) => match timeout(WAIT_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await {
                Ok(permit) => permit.map_err(|_| Error::Closed)?,
                Err(_) if self.hanging.load(Ordering::Relaxed) > 0 => return Err(self.unavailable(HANGING)),
                Err(_) => {
                    return Err(Error::Busy(
                        "too many transactions write at once, see pool_size".to_owned(),
                    ));
                }
            },
        };
        Ok(Turn {
            permit,
            hanging: Arc::clone(&self.hanging),
        })
    }

    fn all_hang(&self) -> bool {
        self.hanging.load(Ordering::Relaxed) >= self.turn_count
    }

    pub(super) fn unavailable(&self, why: &str) -> Error {
        Error::Unavailable(format!("PostgreSQL at {}: {why}", self.place))
    }

    /// Waits until every connection is returned.
    pub(super) async fn close(&self) {
        self.pool.close();
        let given_back = async {
            while self.pool.status().size > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(CLOSE_TIMEOUT, given_back).await.is_err() {
            tracing::warn!("closed the database while transactions were still open; they are rolled back");
        }
    }
}

fn pool(settings: Settings, session: Arc<Session>) -> Result<Pool, Error> {
    let manager = match settings.tls {
        Some(tls) => Manager::new(settings.config, MakeRustlsConnect::new(tls)),
        None => Manager::new(settings.config, NoTls),
    };
    Pool::builder(manager)
        .max_size(settings.pool_size)
        // The server's process that worked last has the warmest caches.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(WAIT_TIMEOUT))
        .create_timeout(Some(CREATE_TIMEOUT))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(move |client, _| {
            let session = Arc::clone(&session);
            Box::pin(async move {
                match session.open(client).await {
                    Ok(Server::Primary) => Ok(()),
                    Ok(Server::Standby) => Err(HookError::message(STANDBY)),
                    Err(error) => Err(HookError::Backend(error)),
                }
            })
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
