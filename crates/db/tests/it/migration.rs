//! Migrations, at the start of one process or of several.

use genkan_db::testing::{Scratch, on_each_engine};
use genkan_db::{Db, Error, Migration, Schema, p};
use tokio::task::JoinSet;

use crate::SCHEMA;

const MORE: &[Migration] = &[
    SCHEMA[0],
    Migration {
        version: 2,
        name: "parts",
        sql: "CREATE TABLE parts (id BIGINT PRIMARY KEY, item_id TEXT NOT NULL REFERENCES items (id));
              CREATE INDEX parts_item ON parts (item_id);
              INSERT INTO items (id, amount, flag, hash) VALUES ('seed', 1, TRUE, NULL);",
    },
    Migration {
        version: 5,
        name: "size",
        sql: "ALTER TABLE parts ADD COLUMN size BIGINT NOT NULL DEFAULT 0",
    },
];

async fn versions(db: &Db) -> Vec<i64> {
    let sql = "SELECT version FROM schema_migrations WHERE version > 0 ORDER BY version";
    let rows = db
        .read(async |tx| tx.all(sql, &[]).await)
        .await
        .expect("the versions are read");
    rows.iter()
        .map(|row| row.get(0).expect("a version is an integer"))
        .collect()
}

#[tokio::test]
async fn what_is_missing_is_applied_once() {
    on_each_engine(async |db: Db| {
        db.migrate(SCHEMA).await.unwrap();
        assert_eq!(versions(&db).await, [1]);
        for _ in 0..2 {
            db.migrate(MORE).await.unwrap();
            assert_eq!(versions(&db).await, [1, 2, 5]);
        }
        let sql = "INSERT INTO parts (id, item_id, size) VALUES ($1, 'seed', 3)";
        assert_eq!(db.tx(async |tx| tx.exec(sql, p![1_i64]).await).await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_database() {
    on_each_engine(async |db: Db| {
        db.migrate(MORE).await.unwrap();
        let Err(Error::Migration(text)) = db.migrate(SCHEMA).await else {
            panic!("it is newer")
        };
        assert_eq!(
            text,
            "the database is newer than this program: it has migration 5 (size), the program knows up to 1. \
             Start a newer version of the program"
        );
        assert_eq!(versions(&db).await, [1, 2, 5]);
    })
    .await;
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    on_each_engine(async |db: Db| {
        db.migrate(SCHEMA).await.unwrap();
        let changed = Migration {
            sql: "CREATE TABLE items (id TEXT)",
            ..SCHEMA[0]
        };
        let Err(Error::Migration(text)) = db.migrate(&[changed]).await else {
            panic!("it was changed")
        };
        assert!(
            text.starts_with("migration 1 (items) was changed after it was applied"),
            "{text}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_can_be_mended() {
    on_each_engine(async |db: Db| {
        let broken = Migration {
            sql: "CREATE TABLE half (id TEXT); CREATE TABLE half (id TEXT)",
            ..SCHEMA[0]
        };
        let Err(Error::Migration(text)) = db.migrate(&[broken]).await else {
            panic!("it is broken")
        };
        assert!(text.starts_with("migration 1 (items) failed: "), "{text}");
        db.migrate(SCHEMA).await.unwrap();
        assert_eq!(versions(&db).await, [1]);
        let half = db.read(async |tx| tx.opt("SELECT 1 FROM half", &[]).await).await;
        assert!(half.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_starts_at_once_apply_each_step_once() {
    for scratch in Scratch::each().await {
        let mut starts = JoinSet::new();
        for _ in 0..8 {
            let url = scratch.url().to_owned();
            starts.spawn(async move {
                let db = Db::connect(&url).await?;
                db.migrate(MORE).await?;
                let versions = versions(&db).await;
                db.close().await;
                Ok::<_, Error>(versions)
            });
        }
        for outcome in starts.join_all().await {
            assert_eq!(outcome, Ok(vec![1, 2, 5]));
        }
    }
}

#[tokio::test]
async fn a_table_that_others_refer_to_can_be_rebuilt_on_sqlite() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    db.migrate(&MORE[..2]).await.unwrap();
    let part = "INSERT INTO parts (id, item_id) VALUES (1, 'seed')";
    db.tx(async |tx| tx.exec(part, &[]).await).await.unwrap();
    let rebuild = Migration {
        version: 3,
        name: "rebuild",
        sql: "CREATE TABLE items_new (id TEXT PRIMARY KEY, amount BIGINT NOT NULL);
              INSERT INTO items_new SELECT id, amount FROM items;
              DROP TABLE items;
              ALTER TABLE items_new RENAME TO items;",
    };
    db.migrate(&[MORE[0], MORE[1], rebuild]).await.unwrap();
    let parts = db
        .read(async |tx| tx.all("SELECT id FROM parts", &[]).await)
        .await
        .unwrap();
    assert_eq!(parts.len(), 1);
    let lose = Migration {
        version: 4,
        name: "lose",
        sql: "DELETE FROM items",
    };
    let Err(Error::Migration(text)) = db.migrate(&[MORE[0], MORE[1], rebuild, lose]).await else {
        panic!("it leaves a part without its item")
    };
    assert_eq!(
        text,
        "migration 4 (lose) failed: a row of parts refers to a row that is gone"
    );
    assert_eq!(versions(&db).await, [1, 2, 3]);
}

#[tokio::test]
async fn statements_prepared_before_a_migration_work_after_it() {
    on_each_engine(async |db: Db| {
        db.migrate(&MORE[..2]).await.unwrap();
        let all = async || {
            let rows = db
                .read(async |tx| tx.all("SELECT * FROM items", &[]).await)
                .await?;
            db.tx(async |tx| tx.exec("UPDATE items SET amount = 2 RETURNING *", &[]).await)
                .await?;
            Ok::<_, Error>(rows.len())
        };
        assert_eq!(all().await, Ok(1));
        let wider = Migration {
            version: 3,
            name: "wider",
            sql: "ALTER TABLE items ADD COLUMN extra TEXT",
        };
        db.migrate(&[MORE[0], MORE[1], wider]).await.unwrap();
        assert_eq!(all().await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn whether_something_is_missing_is_told_without_doing_it() {
    on_each_engine(async |db: Db| {
        assert_eq!(db.schema(SCHEMA).await, Ok(Schema::Absent));
        assert_eq!(db.schema(SCHEMA).await, Ok(Schema::Absent));
        db.migrate(SCHEMA).await.unwrap();
        assert_eq!(db.schema(SCHEMA).await, Ok(Schema::Current));
        assert_eq!(db.schema(MORE).await, Ok(Schema::Older));
        assert_eq!(versions(&db).await, [1]);
        db.migrate(MORE).await.unwrap();
        assert!(matches!(db.schema(SCHEMA).await, Err(Error::Migration(_))));
    })
    .await;
}

/// A step waits for a table for two seconds at most. Meanwhile readers of the table wait behind it. Then it
/// gives up and is tried again; the steps before it are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_table_lets_others_go_on() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    db.migrate(SCHEMA).await.unwrap();
    let large =
        "INSERT INTO items (id, amount, flag) SELECT 'row-' || n, n, TRUE FROM generate_series(1, 20000) n";
    db.tx(async |tx| tx.exec(large, &[]).await).await.unwrap();
    let (locked, released) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    // A report that reads for some time.
    let report = db.read(async |tx| {
        tx.all("SELECT id FROM items", &[]).await?;
        locked.notify_one();
        released.notified().await;
        Ok::<_, Error>(())
    });
    let wider = Migration {
        version: 2,
        name: "wider",
        sql: "CREATE TABLE tries (id BIGINT PRIMARY KEY);
INSERT INTO tries (id) VALUES (1);
-- step
ALTER TABLE items ADD COLUMN extra TEXT;
UPDATE items SET extra = id;
-- step
CREATE INDEX items_extra ON items (extra);",
    };
    let other = scratch.connect().await;
    let migrating = async {
        locked.notified().await;
        let started = std::time::Instant::now();
        other.migrate(&[SCHEMA[0], wider]).await.unwrap();
        started.elapsed()
    };
    let others = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let mut longest = std::time::Duration::ZERO;
        for index in 0..30 {
            let (id, started) = (index.to_string(), std::time::Instant::now());
            let sql = "INSERT INTO items (id, amount, flag) VALUES ($1, 1, TRUE)";
            let written = db.tx(async |tx| tx.exec(sql, p![&id]).await).await;
            assert_eq!(written, Ok(1));
            longest = longest.max(started.elapsed());
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        released.notify_one();
        longest
    };
    let (report, migrated, longest) = tokio::join!(report, migrating, others);
    assert_eq!(report, Ok(()));
    assert!(longest < std::time::Duration::from_secs(4), "{longest:?}");
    assert!(migrated > std::time::Duration::from_secs(3), "{migrated:?}");
    let wide = "SELECT COUNT(*) FROM items WHERE extra = id";
    let count = db.read(async |tx| tx.opt(wide, &[]).await).await.unwrap();
    let count: i64 = count.unwrap().get(0).unwrap();
    assert!(
        count >= 20_000,
        "{count}: also what was written meanwhile, but for the last"
    );
    assert_eq!(db.schema(&[SCHEMA[0], wider]).await, Ok(Schema::Current));
}
