//! Migrates the file's schema.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::{dialect, open};
use crate::migrate::{AppliedMigration, pending};
use crate::{Error, Migration};

/// How long a start waits for another process that migrates.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Applies the missing migrations, one transaction for each.
pub(super) fn migrate(path: &Path, migrations: &[Migration]) -> Result<(), Error> {
    let mut connection = open::migrator(path, TIMEOUT)?;
    while apply_next(&mut connection, migrations)? {}
    Ok(())
}

/// The applied migrations, or `None` if there never were any.
pub(super) fn applied_by(path: &Path) -> Result<Option<Vec<AppliedMigration>>, Error> {
    let broken = |error: rusqlite::Error| Error::Migration(format!("the schema cannot be read: {error}"));
    let connection = open::reader(path)?;
    let is_there = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'")
        .and_then(|mut table| table.exists([]))
        .map_err(broken)?;
    if is_there {
        applied(&connection).map(Some).map_err(broken)
    } else {
        Ok(None)
    }
}

/// Applies one migration, and returns false if none is missing.
///
/// The transaction that applies it also reads what is missing. If several processes start at once, one
/// applies it and the others see that.
fn apply_next(connection: &mut Connection, migrations: &[Migration]) -> Result<bool, Error> {
    let broken = |error: rusqlite::Error| Error::Migration(format!("the schema cannot be read: {error}"));
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(broken)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
               version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL
             ) STRICT",
        )
        .map_err(broken)?;
    let applied = applied(&transaction).map_err(broken)?;
    let Some(next) = pending(migrations, &applied)?.first() else {
        return Ok(false);
    };

    transaction
        .execute_batch(&dialect::translate(next)?)
        .map_err(|error| next.failed(error))?;
    transaction
        .execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (?1, ?2, ?3)",
            (next.version, next.name, next.checksum()),
        )
        .map_err(|error| next.failed(error))?;
    refuse_dangling(&transaction, next)?;
    transaction.commit().map_err(|error| next.failed(error))?;
    tracing::info!(version = next.version, name = next.name, "migrated the database");
    Ok(true)
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<AppliedMigration>> {
    connection
        .prepare("SELECT version, name, checksum FROM schema_migrations ORDER BY version")?
        .query_map([], |row| {
            Ok(AppliedMigration {
                version: row.get(0)?,
                name: row.get(1)?,
                checksum: row.get(2)?,
            })
        })?
        .collect()
}

/// Foreign keys are not enforced while tables are rebuilt, so they are checked afterwards.
fn refuse_dangling(connection: &Connection, migration: &Migration) -> Result<(), Error> {
    let table = connection
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut check| {
            check
                .query_map([], |row| row.get::<_, String>(0))?
                .next()
                .transpose()
        })
        .map_err(|error| migration.failed(error))?;
    match table {
        None => Ok(()),
        Some(table) => Err(migration.failed(format!("a row of {table} refers to a row that is gone"))),
    }
}
