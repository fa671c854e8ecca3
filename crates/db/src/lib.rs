//! The store engine: one SQL text, executed on SQLite or PostgreSQL.
//!
//! Queries are written once, in the subset both engines share (`$1`
//! parameters, `ON CONFLICT … DO UPDATE`, `RETURNING`, `TEXT`, `BIGINT`,
//! `BOOLEAN`, `BYTEA`, time as `BIGINT` microseconds).

mod append;
mod bulk;
mod error;
mod many;
mod migrate;
mod postgres;
mod row;
mod sqlite;
mod statement;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod value;
mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulk::Pace;
use parking_lot::Mutex;
use postgres::Postgres;
use sqlite::Sqlite;
use statement::{Access, Isolation};
use tx::FIRST_CHUNK;

pub use append::AppendTable;
pub use bulk::Bulk;
pub use error::{Error, Outage};
pub use many::{Column, ColumnType, Many};
pub use migrate::{Migration, Schema};
pub use row::Row;
pub use tx::{Part, Tx};
pub use value::{FromValue, Value};
pub use work::WorkDone;

/// Which engine runs the SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database. Clones share it.
#[derive(Debug, Clone)]
pub struct Db(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Db {
    /// Opens `sqlite:<path>` or `postgres://…`.
    ///
    /// A missing SQLite file is created, readable by its owner only; a missing
    /// directory is not. The parameters of a PostgreSQL URL are those of
    /// libpq, with these differences: `sslmode` is `disable`, or `require` (or
    /// `verify-full`), which always verifies the server's certificate;
    /// `sslrootcert` names a PEM file that is trusted instead of the public
    /// authorities; and `pool_size` is the number of connections, 8 by default.
    ///
    /// Two parameters are ours. `schema` names the schema of the tables; without it the server decides.
    /// `pooler=transaction` says that each transaction may run in another server process, as behind
    /// PgBouncer in transaction mode, and `pooler=none` that it may not. Without it the first connection
    /// finds out.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], whose text says what to check and holds no password.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Sqlite::connect(path)
                .await
                .map(|sqlite| Self(Inner::Sqlite(Arc::new(sqlite))));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Postgres::connect(url)
                .await
                .map(|postgres| Self(Inner::Postgres(Arc::new(postgres))));
        }
        // The text is not repeated in the message, because it may be a password.
        Err(Error::Connect(
            "a database URL starts with sqlite: or postgres://".to_owned(),
        ))
    }

    /// Refuses what [`Db::connect`] would refuse without looking at a file or a server.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], whose text says what to write and holds no part of the URL.
    pub fn check_url(url: &str) -> Result<(), Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return sqlite::check_path(path);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return postgres::check_url(url);
        }
        Err(Error::Connect(
            "a database URL starts with sqlite: or postgres://".to_owned(),
        ))
    }

    pub fn engine(&self) -> Engine {
        match &self.0 {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Applies the `migrations` that are missing. Several processes may call it at once.
    ///
    /// # Errors
    ///
    /// [`Error::Migration`] if a step fails, if the database is newer than
    /// `migrations`, or if the text of an applied step was changed.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.migrate(migrations).await,
            Inner::Postgres(postgres) => postgres.migrate(migrations).await,
        }
    }

    /// How far `migrations` are applied. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Db::migrate`] if the database is newer or was made by other steps.
    pub async fn schema(&self, migrations: &[Migration]) -> Result<Schema, Error> {
        let applied = match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.applied().await?,
            Inner::Postgres(postgres) => postgres.applied().await?,
        };
        let applied = applied.unwrap_or_default();
        Ok(match migrate::pending(migrations, &applied)? {
            [] => Schema::Current,
            _ if applied.is_empty() => Schema::Absent,
            _ => Schema::Older,
        })
    }

    /// Runs `f` in a read-write transaction; commits on `Ok`, rolls back on `Err`.
    /// `f` may run again after a serialization failure.
    ///
    /// Transactions are serializable. `Ok` is returned once the commit is durable.
    ///
    /// Make ids, secrets and times outside `f`, because `f` is cloned to run again. (It is `Clone` if it
    /// only borrows. The bound is written so that its future is `Send`, which the future of an `AsyncFn` is
    /// not.) Inside `f` await only this transaction's `Tx`: anything else would hold the write lock of
    /// everybody. SQLite refuses it with [`Error::ForeignAwait`]. PostgreSQL cannot notice it, so every
    /// test runs on SQLite too.
    ///
    /// If a caller is dropped while it waits for its turn, nothing is written. Later the transaction
    /// happens as a whole or not at all.
    ///
    /// # Errors
    ///
    /// What `f` returns, or an [`Error`]. Only after
    /// [`Error::UnknownOutcome`] may something have been committed.
    pub async fn tx<T, E: From<Error>>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        self.write(access(Isolation::Serializable, FIRST_CHUNK), f).await
    }

    /// As [`Db::tx`], but on PostgreSQL each statement sees what others committed before it.
    ///
    /// So a row that was only read makes nothing run again. Use it if the rule of the transaction is held
    /// by one statement that checks and writes, by locked rows (`FOR UPDATE`), or by a constraint. A
    /// transaction that counts before it inserts needs [`Db::tx`]. On SQLite the two are the same.
    ///
    /// # Errors
    ///
    /// As [`Db::tx`].
    pub async fn tx_read_committed<T, E: From<Error>>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        self.write(access(Isolation::ReadCommitted, FIRST_CHUNK), f).await
    }

    async fn write<T, E: From<Error>>(
        &self,
        access: Access,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.tx(access, f).await,
            Inner::Postgres(postgres) => postgres.tx(access, &f).await,
        }
    }

    /// Runs `f` in a read-only snapshot.
    ///
    /// Does not wait for writers. The same rules as in [`Db::tx`] hold for what `f` awaits.
    ///
    /// # Errors
    ///
    /// What `f` returns, or an [`Error`]; a statement that writes is one.
    pub async fn read<T, E: From<Error>>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone,
    ) -> Result<T, E> {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.read(f).await,
            Inner::Postgres(postgres) => postgres.tx(Access::Read, &f).await,
        }
    }

    /// Repeats `step`, one short transaction each, with pauses, until it says [`Bulk::Done`].
    ///
    /// A step touches [`Tx::chunk`] rows at most. The steps before a failed
    /// one stay committed.
    ///
    /// # Errors
    ///
    /// The first one that a step returns.
    pub async fn bulk<E: From<Error>>(
        &self,
        step: impl AsyncFnOnce(&mut Tx<'_>) -> Result<Bulk, E> + Clone,
    ) -> Result<(), E> {
        let mut pace = Pace::new();
        // Timed inside the transaction: a smaller step would not shorten the wait for a turn or for the
        // disk.
        let held = Mutex::new(Duration::ZERO);
        loop {
            let (step, held) = (step.clone(), &held);
            let timed = async move |tx: &mut Tx<'_>| {
                let started = Instant::now();
                let progress = step(tx).await;
                *held.lock() = started.elapsed();
                progress
            };
            let access = access(Isolation::Serializable, pace.chunk());
            let progress = self.write(access, timed).await?;
            if progress == Bulk::Done {
                return Ok(());
            }
            let pause = pace.learn(*held.lock());
            tokio::time::sleep(pause).await;
        }
    }

    /// A number that changes after a commit of another process, and after a commit of this process that
    /// called [`Tx::tell`].
    ///
    /// It costs a few microseconds on SQLite, so a cache can ask before each answer. `None` on PostgreSQL,
    /// which has nothing as cheap.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], or [`Error::Database`] if the file cannot be read.
    pub async fn change_marker(&self) -> Result<Option<i64>, Error> {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.change_marker().map(Some),
            Inner::Postgres(_) => Ok(None),
        }
    }

    /// A number that changes after a commit of this process that called [`Tx::tell`].
    ///
    /// Costs nothing. Always 0 on PostgreSQL.
    pub fn told(&self) -> u64 {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.told(),
            Inner::Postgres(_) => 0,
        }
    }

    /// The time of the database's own clock, in microseconds since 1970.
    ///
    /// `None` on SQLite, which uses the clock of this machine.
    ///
    /// # Errors
    ///
    /// As [`Db::read`].
    pub async fn clock(&self) -> Result<Option<i64>, Error> {
        const CLOCK: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        match &self.0 {
            Inner::Sqlite(_) => Ok(None),
            Inner::Postgres(_) => {
                let row = self.read(async |tx| tx.opt(CLOCK, &[]).await).await?;
                row.map(|row| row.get(0)).transpose()
            }
        }
    }

    /// Writes a consistent copy of a SQLite database to the new file `to`.
    ///
    /// It delays neither readers nor writers. Only its owner can read the copy.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if `to` exists or cannot be written, and on PostgreSQL, which has `pg_dump`.
    pub async fn backup(&self, to: &Path) -> Result<(), Error> {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.backup(to).await,
            Inner::Postgres(_) => Err(Error::Database(
                "a PostgreSQL database is backed up with pg_dump, or by the backups of its host".to_owned(),
            )),
        }
    }

    /// What this database has done since it was opened, clones included.
    ///
    /// At the level `trace`, the log has each statement.
    pub fn done(&self) -> WorkDone {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.done(),
            Inner::Postgres(postgres) => postgres.done(),
        }
    }

    /// Whether the database answers and takes writes, for readiness.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], also on a standby. It does not try again for as long as [`Db::tx`].
    pub async fn ping(&self) -> Result<(), Error> {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.ping().await,
            Inner::Postgres(postgres) => postgres.ping().await,
        }
    }

    /// Waits for work under way and closes every connection, also those of clones.
    ///
    /// Later calls get [`Error::Closed`].
    pub async fn close(self) {
        match &self.0 {
            Inner::Sqlite(sqlite) => sqlite.close().await,
            Inner::Postgres(postgres) => postgres.close().await,
        }
    }
}

const fn access(isolation: Isolation, chunk: i64) -> Access {
    Access::Write { isolation, chunk }
}
