//! A transaction awaits only the database. SQLite alone can notice if it does not.

use std::time::Duration;

use genkan_db::testing::Scratch;
use genkan_db::{Db, Error, p};

use crate::{INSERT, count, with_items};

async fn sqlite() -> (Scratch, Db) {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    (scratch, db)
}

#[tokio::test]
async fn a_timer_in_a_transaction_is_refused_and_rolls_back() {
    let (_scratch, db) = sqlite().await;
    let refused: Result<(), Error> = db
        .tx(async |tx| {
            tx.exec(INSERT, p!["a", None::<&str>]).await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        })
        .await;
    assert_eq!(refused, Err(Error::ForeignAwait));
    assert_eq!(count(&db).await, 0);
    assert_eq!(
        db.tx(async |tx| tx.exec(INSERT, p!["a", None::<&str>]).await)
            .await,
        Ok(1)
    );
}

#[tokio::test]
async fn a_timer_in_a_read_is_refused() {
    let (_scratch, db) = sqlite().await;
    let refused: Result<(), Error> = db
        .read(async |_| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        })
        .await;
    assert_eq!(refused, Err(Error::ForeignAwait));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_transaction_within_a_transaction_is_refused_and_never_runs() {
    let (_scratch, db) = sqlite().await;
    let refused = db
        .tx(async |tx| {
            tx.exec(INSERT, p!["outer", None::<&str>]).await?;
            db.tx(async |tx| tx.exec(INSERT, p!["inner", None::<&str>]).await)
                .await
        })
        .await;
    assert_eq!(refused, Err(Error::ForeignAwait));
    assert_eq!(db.tx(async |_| Ok::<_, Error>(())).await, Ok(()));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_read_within_a_transaction_is_refused_although_it_would_not_wait() {
    let (_scratch, db) = sqlite().await;
    let refused = db.tx(async |_| db.ping().await).await;
    assert_eq!(refused, Err(Error::ForeignAwait));
    let refused = db.read(async |_| db.ping().await).await;
    assert_eq!(refused, Err(Error::ForeignAwait));
    assert_eq!(db.ping().await, Ok(()));
}

#[tokio::test]
async fn an_await_that_is_ready_is_no_wait() {
    let (_scratch, db) = sqlite().await;
    let ready = db.tx(async |_| Ok::<_, Error>(std::future::ready(7).await)).await;
    assert_eq!(ready, Ok(7));
}
