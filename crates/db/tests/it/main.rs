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
    db.migrate(SCHEMA).await.expect("the schema is applied");
}

/// How many items are committed.
async fn count(db: &Db) -> i64 {
    let row = db
        .read(async |tx| tx.opt("SELECT COUNT(*) FROM items", &[]).await)
        .await;
    row.expect("the items are counted")
        .expect("a count is a row")
        .get(0)
        .expect("a count is an integer")
}
