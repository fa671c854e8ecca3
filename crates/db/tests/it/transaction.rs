//! Transactions: all or nothing, on both engines alike.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, Error, p};

use crate::{INSERT, count, with_items};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_can_be_spawned_and_borrows_from_its_caller() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let task = tokio::spawn({
            let db = db.clone();
            async move {
                let id = String::from("borrowed");
                let written = db
                    .tx(async |tx| tx.exec(INSERT, p![&id, None::<&str>]).await)
                    .await;
                let read = db
                    .read(async |tx| tx.opt("SELECT 1 FROM items WHERE id = $1", p![&id]).await)
                    .await
                    .unwrap();
                (written, read.is_some(), id)
            }
        });
        assert_eq!(task.await.unwrap(), (Ok(1), true, "borrowed".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn an_error_rolls_back() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let refused: Result<(), Error> = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", "n"]).await?;
                Err(Error::Database("no".to_owned()))
            })
            .await;
        assert_eq!(refused, Err(Error::Database("no".to_owned())));
        assert_eq!(count(&db).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_reads_its_own_writes_and_others_do_not() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let own = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", None::<&str>]).await?;
                tx.opt("SELECT COUNT(*) FROM items", &[])
                    .await?
                    .unwrap()
                    .get::<i64>(0)
            })
            .await;
        assert_eq!(own, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn a_taken_key_is_a_conflict_that_names_it_and_shows_no_value() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let insert =
            async |id: &'static str| db.tx(async |tx| tx.exec(INSERT, p![id, "hunter2"]).await).await;
        assert_eq!(insert("a").await, Ok(1));
        let Err(Error::Conflict(name)) = insert("b").await else {
            panic!("the note is taken")
        };
        assert!(name.contains("note"), "{name}");
        assert!(!name.contains("hunter2"), "{name}");
        assert!(matches!(insert("a").await, Err(Error::Conflict(_))));
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_dooms_its_transaction_even_if_the_closure_goes_on() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let swallowed: Result<(), Error> = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", None::<&str>]).await?;
                assert!(tx.exec(INSERT, p!["a", None::<&str>]).await.is_err());
                assert_eq!(tx.exec(INSERT, p!["b", None::<&str>]).await, Err(Error::Aborted));
                Ok(())
            })
            .await;
        assert_eq!(swallowed, Err(Error::Aborted));
        assert_eq!(count(&db).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_conflict_that_the_statement_expects_dooms_nothing() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let inserted = db
            .tx(async |tx| {
                const SQL: &str = "INSERT INTO items (id, amount, flag) VALUES ('a', 1, TRUE)
                                   ON CONFLICT (id) DO NOTHING RETURNING id";
                let first = tx.opt(SQL, &[]).await?.is_some();
                let second = tx.opt(SQL, &[]).await?.is_some();
                Ok::<_, Error>((first, second, tx.exec(SQL, &[]).await?))
            })
            .await;
        assert_eq!(inserted, Ok((true, false, 0)));
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_panic_rolls_back_and_leaves_the_database_usable() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        for _ in 0..40 {
            let db = db.clone();
            let task = tokio::spawn(async move {
                let _: Result<(), Error> = db
                    .tx(async |tx| {
                        tx.exec(INSERT, p!["a", None::<&str>]).await?;
                        panic!("on purpose")
                    })
                    .await;
            });
            assert!(task.await.unwrap_err().is_panic());
        }
        assert_eq!(count(&db).await, 0);
        let reading = tokio::spawn({
            let db = db.clone();
            async move {
                db.read(async |_| -> Result<(), Error> { panic!("on purpose") })
                    .await
            }
        });
        assert!(reading.await.unwrap_err().is_panic());
        assert_eq!(
            db.tx(async |tx| tx.exec(INSERT, p!["a", None::<&str>]).await)
                .await,
            Ok(1)
        );
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_read_writes_nothing() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let refused = db
            .read(async |tx| tx.exec(INSERT, p!["a", None::<&str>]).await)
            .await;
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
        assert_eq!(count(&db).await, 0);
    })
    .await;
}

#[tokio::test]
async fn foreign_keys_are_enforced() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        db.migrate(&[
            crate::SCHEMA[0],
            genkan_db::Migration {
                version: 2,
                name: "parts",
                sql: "CREATE TABLE parts (item_id TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE)",
            },
        ])
        .await
        .unwrap();
        let dangling = db
            .tx(async |tx| tx.exec("INSERT INTO parts (item_id) VALUES ('none')", &[]).await)
            .await;
        assert!(matches!(dangling, Err(Error::Database(_))), "{dangling:?}");
        let removed = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", None::<&str>]).await?;
                tx.exec("INSERT INTO parts (item_id) VALUES ('a'), ('a')", &[])
                    .await?;
                // Cascaded deletions are not counted.
                tx.exec("DELETE FROM items", &[]).await
            })
            .await;
        assert_eq!(removed, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn nobody_is_let_in_after_close() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let late = db.clone();
        db.close().await;
        assert_eq!(
            late.tx(async |tx| tx.exec(INSERT, p!["a", None::<&str>]).await)
                .await,
            Err(Error::Closed)
        );
        assert_eq!(
            late.read(async |tx| tx.opt("SELECT 1", &[]).await.map(drop))
                .await,
            Err(Error::Closed)
        );
        assert_eq!(late.ping().await, Err(Error::Closed));
        late.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_waits_for_those_who_came_before() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..30 {
            let db = db.clone();
            tasks.spawn(async move {
                let id = format!("i{index}");
                db.tx(async |tx| tx.exec(INSERT, p![&id, None::<&str>]).await)
                    .await
            });
        }
        tokio::task::yield_now().await;
        let closing = db.clone();
        closing.close().await;
        let outcomes = tasks.join_all().await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Ok(1) | Err(Error::Closed))),
            "{outcomes:?}"
        );
    })
    .await;
}
