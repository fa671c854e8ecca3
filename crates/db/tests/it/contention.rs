//! Serializability, where a weaker isolation would let too many through.

use genkan_db::testing::{Scratch, on_each_engine};
use genkan_db::{Db, Error, p};
use tokio::task::JoinSet;

use crate::{INSERT, count, with_items};

/// Inserts while there are fewer than fifty, a condition that no single row can hold. If the database is
/// busy, it tries again, as the error says.
async fn insert_below_fifty(db: Db, index: usize) -> Result<bool, Error> {
    for _ in 0..50 {
        match try_insert_below_fifty(&db, index).await {
            Err(Error::Busy(_)) => {}
            decided => return decided,
        }
    }
    try_insert_below_fifty(&db, index).await
}

async fn try_insert_below_fifty(db: &Db, index: usize) -> Result<bool, Error> {
    let id = format!("caller-{index}");
    db.tx(async |tx| {
        let row = tx.opt("SELECT COUNT(*) FROM items", &[]).await?;
        if row.expect("a count is a row").get::<i64>(0)? >= 50 {
            return Ok(false);
        }
        tx.exec(INSERT, p![&id, None::<&str>]).await.map(|_| true)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_check_before_they_insert_fifty_succeed_on_two_nodes() {
    for scratch in Scratch::each().await {
        let nodes = [scratch.connect().await, scratch.connect().await];
        with_items(&nodes[0]).await;
        let mut callers = JoinSet::new();
        for index in 0..100 {
            callers.spawn(insert_below_fifty(nodes[index % 2].clone(), index));
        }
        let outcomes = callers.join_all().await;
        let inserted = outcomes.iter().filter(|outcome| **outcome == Ok(true)).count();
        assert_eq!(count(&nodes[0]).await, inserted as i64);
        assert_eq!(inserted, 50, "{outcomes:?}");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_that_redeem_one_row_one_succeeds() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        db.tx(async |tx| tx.exec(INSERT, p!["code", None::<&str>]).await)
            .await
            .unwrap();
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let db = db.clone();
            callers.spawn(async move {
                db.tx(async |tx| {
                    let sql = "UPDATE items SET flag = FALSE WHERE id = $1 AND flag RETURNING id";
                    Ok::<_, Error>(tx.opt(sql, p!["code"]).await?.is_some())
                })
                .await
            });
        }
        let outcomes = callers.join_all().await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(true)).count(), 1);
    })
    .await;
}
