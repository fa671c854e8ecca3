//! The engine, tested from outside on both databases.

mod bulk;
mod cancellation;
mod connect;
mod contention;
mod durability;
mod failover;
mod foreign_await;
mod group_commit;
mod last_rows;
mod migration;
mod pooler;
mod postgres;
mod sqlite;
mod transaction;
mod values;
mod work;

use genkan_db::testing::Scratch;
use genkan_db::{Db, Migration};

/// A table for tests that need one.
const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "items",
    sql: "CREATE TABLE items (
            id TEXT PRIMARY KEY, amount BIGINT NOT NULL, flag BOOLEAN NOT NULL, hash BYTEA, note TEXT UNIQUE
          );",
}];

/// `id, note`.
const INSERT: &str = "INSERT INTO items (id, amount, flag, note) VALUES ($1, 1, TRUE, $2)";

/// Creates the table.
async fn with_items(db: &Db) {
    db.migrate(SCHEMA).await.expect("the schema is applied");
}

/// The number of committed items.
async fn count(db: &Db) -> i64 {
    let row = db
        .read(async |tx| tx.opt("SELECT COUNT(*) FROM items", &[]).await)
        .await;
    row.expect("the items are counted")
        .expect("a count is a row")
        .get(0)
        .expect("a count is an integer")
}

/// The file of a SQLite database.
fn file(scratch: &Scratch) -> &str {
    scratch
        .url()
        .strip_prefix("sqlite:")
        .expect("it is a SQLite database")
}

/// A connection that stands for another process, and holds the write lock until it is dropped.
fn locked(scratch: &Scratch) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(file(scratch)).expect("the file opens");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the file is not locked");
    other
}
