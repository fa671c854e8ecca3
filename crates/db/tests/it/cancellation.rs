//! Cancelled callers.

use std::time::Duration;

use genkan_db::testing::Scratch;
use genkan_db::{AppendTable, Db, Error, p};
use tokio::time::timeout;

use crate::{INSERT, count, locked, with_items};

static ITEMS: AppendTable = AppendTable::new("INSERT INTO items (id, amount, flag) VALUES", 3);

const SOON: Duration = Duration::from_millis(50);

async fn insert(db: Db, id: &'static str) -> Result<u64, Error> {
    db.tx(async |tx| tx.exec(INSERT, p![id, None::<&str>]).await)
        .await
}

#[tokio::test]
async fn who_stops_waiting_for_the_writer_has_written_nothing() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;

    let other = locked(&scratch);
    let first = tokio::spawn(insert(db.clone(), "first"));
    tokio::time::sleep(SOON).await;
    let second = tokio::spawn(insert(db.clone(), "second"));
    let third = tokio::spawn(insert(db.clone(), "third"));
    let fourth = tokio::spawn(insert(db.clone(), "fourth"));
    tokio::time::sleep(SOON).await;
    // The first caller has its turn and waits for the lock. The others wait for their turn.
    first.abort();
    third.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert!(third.await.unwrap_err().is_cancelled());
    drop(other);

    assert_eq!(second.await.unwrap(), Ok(1));
    assert_eq!(fourth.await.unwrap(), Ok(1));
    assert_eq!(count(&db).await, 2);
    assert_eq!(insert(db.clone(), "fifth").await, Ok(1));
}

#[tokio::test]
async fn if_all_stop_waiting_the_writer_is_free_again() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;

    let other = locked(&scratch);
    let mut callers = tokio::task::JoinSet::new();
    for id in ["a", "b", "c"] {
        callers.spawn(insert(db.clone(), id));
    }
    tokio::time::sleep(SOON).await;
    callers.shutdown().await;
    drop(other);
    assert_eq!(count(&db).await, 0);
    assert_eq!(insert(db.clone(), "d").await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_vanish_at_any_moment_leave_whole_transactions() {
    for scratch in Scratch::each().await {
        let db = scratch.connect().await;
        with_items(&db).await;
        let mut callers = Vec::new();
        for index in 0..200_u64 {
            let db = db.clone();
            let caller = tokio::spawn(async move {
                let (one, two) = (format!("{index}-1"), format!("{index}-2"));
                db.tx(async |tx| {
                    tx.exec(INSERT, p![&one, None::<&str>]).await?;
                    // Every other second row goes with the COMMIT.
                    if index % 4 < 2 {
                        tx.append(&ITEMS, p![&two, 1_i64, true])?;
                        return Ok(1);
                    }
                    tx.exec(INSERT, p![&two, None::<&str>]).await
                })
                .await
            });
            callers.push(caller);
        }
        for (index, caller) in callers.iter().enumerate() {
            if index % 2 == 0 {
                tokio::task::yield_now().await;
                caller.abort();
            }
        }
        let mut acknowledged = 0;
        for caller in callers {
            match caller.await {
                Ok(outcome) => {
                    assert_eq!(outcome, Ok(1));
                    acknowledged += 1;
                }
                Err(error) => assert!(error.is_cancelled()),
            }
        }
        // A cancelled caller may have been committed, but never in part.
        let rows = count(&db).await;
        assert_eq!(rows % 2, 0);
        assert!(
            rows >= 2 * acknowledged,
            "{rows} rows, {acknowledged} acknowledged"
        );
        assert!(acknowledged >= 100);
        assert_eq!(insert(db.clone(), "after").await, Ok(1));
        db.close().await;
    }
}

#[tokio::test]
async fn a_cancelled_transaction_on_postgres_rolls_back_and_releases_its_locks() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    let cancelled = timeout(
        Duration::from_millis(200),
        db.tx(async |tx| {
            tx.exec(INSERT, p!["a", None::<&str>]).await?;
            std::future::pending::<Result<(), Error>>().await
        }),
    );
    assert!(cancelled.await.is_err());
    // This would wait for the outcome of the first call if that were still open.
    assert_eq!(
        timeout(Duration::from_secs(20), insert(db.clone(), "a")).await,
        Ok(Ok(1))
    );
    assert_eq!(count(&db).await, 1);
}
