//! Bringing the database's schema up to date.

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error as Failure, IsolationLevel};

use crate::migrate::{Applied, pending};
use crate::statement::postgres::{chain, error};
use crate::{Error, Migration};

/// Applies what is missing, one transaction for each step.
pub(super) async fn migrate(client: &mut Client, migrations: &[Migration]) -> Result<(), Error> {
    create_table(client).await?;
    while apply_next(client, migrations).await? {}
    Ok(())
}

/// Creates the table that holds the versions. Its row 0 is the lock.
async fn create_table(client: &Client) -> Result<(), Error> {
    // Asked first, so that a user who may not create tables can start on a finished schema.
    match client
        .execute("SELECT FROM schema_migrations WHERE version = 0", &[])
        .await
    {
        Ok(1) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {}
        Err(error) => return Err(unreadable(&error)),
    }
    let created = client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
               version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL
             )",
        )
        .await;
    match created {
        Ok(()) => {}
        // IF NOT EXISTS does not see a table that another process is just creating.
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT)
            ) => {}
        Err(error) => return Err(unreadable(&error)),
    }
    client
        .batch_execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (0, 'lock', '')
             ON CONFLICT (version) DO NOTHING",
        )
        .await
        .map_err(|error| unreadable(&error))
}

/// Applies one step, and returns false if there was none.
async fn apply_next(client: &mut Client, migrations: &[Migration]) -> Result<bool, Error> {
    // READ COMMITTED, so that what follows the lock sees what its last holder committed.
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(|error| unreadable(&error))?;
    let applied = lock(&transaction).await.map_err(|error| unreadable(&error))?;
    let Some(next) = pending(migrations, &applied)?.first() else {
        return Ok(false);
    };

    let failed = |failure: Failure| next.failed(error(&failure));
    transaction.batch_execute(next.sql).await.map_err(failed)?;
    transaction
        .execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            &[&next.version, &next.name, &next.checksum()],
        )
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    tracing::info!(version = next.version, name = next.name, "migrated the database");
    Ok(true)
}

/// Waits for other processes that migrate, and reads what they have done.
async fn lock(transaction: &Transaction<'_>) -> Result<Vec<Applied>, Failure> {
    // A step over a large table takes its time, and the others wait for it.
    transaction
        .batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        .await?;
    transaction
        .execute("SELECT FROM schema_migrations WHERE version = 0 FOR UPDATE", &[])
        .await?;
    let rows = transaction
        .query(
            "SELECT version, name, checksum FROM schema_migrations WHERE version > 0 ORDER BY version",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Applied {
                version: row.try_get(0)?,
                name: row.try_get(1)?,
                checksum: row.try_get(2)?,
            })
        })
        .collect()
}

fn unreadable(error: &Failure) -> Error {
    let remedy = match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => ": make the user the owner of the database",
        _ => "",
    };
    Error::Migration(format!(
        "the schema cannot be read or written{remedy} ({})",
        chain(error)
    ))
}
