//! Many callers at once. Each behaves as if it were alone.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, Error, p};
use tokio::task::JoinSet;

use crate::{INSERT, count, with_items};

const CALLERS: usize = 600;

/// Writes twice and reads its own writes. One in six callers fails in each of three ways.
async fn caller(db: Db, index: usize) -> Result<(), Error> {
    let id = format!("caller-{index}");
    db.tx(async |tx| {
        let note = if index % 6 == 2 { "taken" } else { id.as_str() };
        tx.exec(INSERT, p![&id, None::<&str>]).await?;
        tx.exec(
            "UPDATE items SET note = $2, amount = amount + 1 WHERE id = $1",
            p![&id, note],
        )
        .await?;
        let row = tx.opt("SELECT amount FROM items WHERE id = $1", p![&id]).await?;
        assert_eq!(row.expect("its own row").get::<i64>(0), Ok(2));
        match index % 6 {
            0 => Err(Error::Database("on purpose".to_owned())),
            1 => panic!("on purpose"),
            _ => Ok(()),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_callers_fail_each_for_itself() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        db.tx(async |tx| tx.exec(INSERT, p!["before", "taken"]).await)
            .await
            .unwrap();
        let mut callers = JoinSet::new();
        for index in 0..CALLERS {
            let db = db.clone();
            callers.spawn(async move { (index, tokio::spawn(caller(db, index)).await) });
        }
        for (index, outcome) in callers.join_all().await {
            match index % 6 {
                0 => assert_eq!(outcome.unwrap(), Err(Error::Database("on purpose".to_owned()))),
                1 => assert!(outcome.unwrap_err().is_panic()),
                2 => assert!(matches!(outcome.unwrap(), Err(Error::Conflict(_)))),
                _ => assert_eq!(outcome.unwrap(), Ok(())),
            }
        }
        assert_eq!(count(&db).await, 1 + CALLERS as i64 / 2);
        let stray = db
            .read(async |tx| {
                let sql = "SELECT COUNT(*) FROM items WHERE id <> 'before' AND (amount <> 2 OR note <> id)";
                tx.opt(sql, &[]).await?.unwrap().get::<i64>(0)
            })
            .await;
        assert_eq!(stray, Ok(0));
    })
    .await;
}
