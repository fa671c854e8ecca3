//! Transactions: all of it or nothing, on both engines alike.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, Error, p};

use crate::{count, with_items};

const INSERT: &str = "INSERT INTO items (id, amount, flag, hash, note) VALUES ($1, $2, $3, $4, $5)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_read_back() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let written = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", 7_i64, true, b"\x00\xff", None::<&str>])
                    .await
            })
            .await;
        assert_eq!(written, Ok(1));
        let row = db
            .read(async |tx| {
                tx.opt("SELECT id, amount, flag, hash, note FROM items", &[])
                    .await
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), "a");
        assert_eq!(row.get::<i64>(1).unwrap(), 7);
        assert!(row.get::<bool>(2).unwrap());
        assert_eq!(row.get::<Vec<u8>>(3).unwrap(), b"\x00\xff");
        assert_eq!(row.get::<Option<String>>(4).unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_can_be_spawned_and_borrows_from_its_caller() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let task = tokio::spawn({
            let db = db.clone();
            async move {
                let id = String::from("borrowed");
                let hash = vec![1, 2, 3];
                db.tx(async |tx| tx.exec(INSERT, p![&id, 1_i64, false, &hash, &id]).await)
                    .await
            }
        });
        assert_eq!(task.await.unwrap(), Ok(1));
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_rolls_back() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let refused: Result<(), Error> = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", 1_i64, true, None::<&[u8]>, "n"]).await?;
                Err(Error::Database("no".to_owned()))
            })
            .await;
        assert_eq!(refused, Err(Error::Database("no".to_owned())));
        assert_eq!(count(&db).await, 0);
    })
    .await;
}
