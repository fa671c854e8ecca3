//! Migrates the database's schema.

use std::time::Duration;

use deadpool_postgres::{Client, ClientWrapper};
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error as Failure, Transaction};

use super::random;
use crate::migrate::{AppliedMigration, pending};
use crate::statement::postgres::{Session, chain, error};
use crate::{Error, Migration};

/// How long a step waits for a lock on a table.
///
/// While the step waits, every later statement of every node on the table waits behind it. Those statements
/// give up after five seconds.
const LOCK_LIMIT: &str = "2s";

/// Time between two attempts, plus a random time up to the same length. Meanwhile other transactions
/// proceed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a step is tried while other transactions hold its locks. A dump of the database holds locks
/// until it ends.
const TRY_FOR: Duration = Duration::from_secs(10 * 60);

/// Applies the missing migrations, one transaction for each migration or each of its steps.
pub(super) async fn migrate(
    client: &mut Client,
    session: &Session,
    migrations: &[Migration],
) -> Result<(), Error> {
    // Asked first, so that a user who may not create tables can start if the schema is complete.
    let applied = applied(client, session).await?;
    if let Some(applied) = &applied
        && pending(migrations, applied)?.is_empty()
    {
        return Ok(());
    }
    create_table(client, session).await?;
    let mut deadline = Instant::now() + TRY_FOR;
    let mut place = MigrationProgress::default();
    loop {
        match apply_next(client, session, migrations, &mut place).await? {
            StepOutcome::Applied => deadline = Instant::now() + TRY_FOR,
            StepOutcome::NoneLeft => return Ok(()),
            StepOutcome::Locked(error) if Instant::now() > deadline => return Err(error),
            StepOutcome::Locked(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "others hold the tables; the migration is tried again"
                );
                sleep(PAUSE + Duration::from_millis(random() % PAUSE.as_millis() as u64)).await;
            }
        }
    }
}

/// The applied migrations, or `None` if there never were any.
pub(super) async fn applied(
    client: &mut Client,
    session: &Session,
) -> Result<Option<Vec<AppliedMigration>>, Error> {
    let transaction = begin(client, session).await.map_err(|error| unreadable(&error))?;
    match read(&transaction).await {
        Ok(applied) => Ok(Some(applied)),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Creates the table that holds the versions. Its row 0 serves as the lock.
async fn create_table(client: &mut Client, session: &Session) -> Result<(), Error> {
    let transaction = begin(client, session).await.map_err(|error| unreadable(&error))?;
    let created = transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
               version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL
             );
             INSERT INTO schema_migrations (version, name, checksum) VALUES (0, 'lock', '')
             ON CONFLICT (version) DO NOTHING",
        )
        .await;
    let created = match created {
        Ok(()) => transaction.commit().await,
        Err(error) => Err(error),
    };
    match created {
        Ok(()) => Ok(()),
        // IF NOT EXISTS does not see a table that another process is creating at this moment. That process
        // also inserts the row.
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT)
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(unreadable(&error)),
    }
}

/// The progress of the migration under way.
#[derive(Debug, Default, Clone, Copy)]
struct MigrationProgress {
    version: i64,
    /// How many of its steps are done.
    steps: usize,
}

/// The outcome of one step.
enum StepOutcome {
    Applied,
    NoneLeft,
    /// Other transactions hold the locks that it needs. Nothing was done.
    Locked(Error),
}

async fn apply_next(
    client: &mut Client,
    session: &Session,
    migrations: &[Migration],
    place: &mut MigrationProgress,
) -> Result<StepOutcome, Error> {
    let transaction = begin(client, session).await.map_err(|error| unreadable(&error))?;
    let applied = match lock(&transaction).await {
        Ok(applied) => applied,
        Err(error) if is_locked(&error) => return Ok(StepOutcome::Locked(unreadable(&error))),
        Err(error) => return Err(unreadable(&error)),
    };
    let Some(next) = pending(migrations, &applied)?.first() else {
        return Ok(StepOutcome::NoneLeft);
    };
    if place.version != next.version {
        *place = MigrationProgress {
            version: next.version,
            steps: 0,
        };
    }
    match apply(transaction, next, place.steps).await {
        Ok(is_last) => {
            place.steps += 1;
            if is_last {
                tracing::info!(version = next.version, name = next.name, "migrated the database");
            }
            Ok(StepOutcome::Applied)
        }
        Err(failure) if is_locked(&failure) => Ok(StepOutcome::Locked(next.failed(error(&failure)))),
        Err(failure) => Err(next.failed(error(&failure))),
    }
}

/// Applies one step of a migration, and says whether it was the last one.
async fn apply(transaction: Transaction<'_>, next: &Migration, index: usize) -> Result<bool, Failure> {
    let steps = next.steps();
    if let Some(step) = steps.get(index) {
        transaction.batch_execute(step).await?;
    }
    if index + 1 < steps.len() {
        transaction.commit().await?;
        return Ok(false);
    }
    let checksum = next.checksum();
    let row: [(&(dyn ToSql + Sync), Type); 3] = [
        (&next.version, Type::INT8),
        (&next.name, Type::TEXT),
        (&checksum, Type::TEXT),
    ];
    let insert = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)";
    transaction.execute_typed(insert, &row).await?;
    transaction.commit().await?;
    Ok(true)
}

/// READ COMMITTED: after it got a lock, it sees what the last holder committed.
///
/// None of its statements has a name, because a pooler may be in front of the server.
async fn begin<'a>(client: &'a mut Client, session: &Session) -> Result<Transaction<'a>, Failure> {
    let client: &mut ClientWrapper = client;
    let client: &mut tokio_postgres::Client = client;
    let transaction = client.transaction().await?;
    transaction
        .batch_execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .await?;
    if let Some(settings) = session.set_local() {
        transaction.batch_execute(settings).await?;
    }
    Ok(transaction)
}

/// Waits for other processes that migrate, and reads which migrations are applied.
async fn lock(transaction: &Transaction<'_>) -> Result<Vec<AppliedMigration>, Failure> {
    // A step on a large table may take long.
    transaction
        .batch_execute(&format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{LOCK_LIMIT}'; \
             SELECT FROM schema_migrations WHERE version = 0 FOR UPDATE"
        ))
        .await?;
    read(transaction).await
}

async fn read(transaction: &Transaction<'_>) -> Result<Vec<AppliedMigration>, Failure> {
    let sql = "SELECT version, name, checksum FROM schema_migrations WHERE version > 0 ORDER BY version";
    let rows = transaction.query_typed(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(AppliedMigration {
                version: row.try_get(0)?,
                name: row.try_get(1)?,
                checksum: row.try_get(2)?,
            })
        })
        .collect()
}

fn is_locked(error: &Failure) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED)
    )
}

fn unreadable(error: &Failure) -> Error {
    let remedy = match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => ": make the user the owner of the schema",
        Some(&SqlState::INVALID_SCHEMA_NAME) => ": create the schema first, and make the user its owner",
        _ => "",
    };
    Error::Migration(format!(
        "the schema cannot be read or written{remedy} ({})",
        chain(error)
    ))
}
