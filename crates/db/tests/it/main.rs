//! The engine, tested from outside on both databases.

mod transaction;

use genkan_db::{Db, Migration};

/// A table for tests that need any.
const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "items",
    sql: "CREATE TABLE items (
            id TEXT PRIMARY KEY, amount BIGINT NOT NULL, flag BOOLEAN NOT NULL, hash BYTEA, note TEXT UNIQUE
          );",
}];

/// Creates the table.
async fn with_items(db: &Db) {
    db.migrate(SCHEMA).await.unwrap();
}

async fn count(db: &Db) -> i64 {
    db.read(async |tx| tx.opt("SELECT COUNT(*) FROM items", &[]).await?.unwrap().get(0))
        .await
        .unwrap()
}
