//! The counters of a database.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, Error, WorkDone, p};

use crate::{INSERT, with_items};

#[tokio::test]
async fn reads_writes_and_statements_are_counted() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let before = db.done();
        db.tx(async |tx| {
            tx.exec(INSERT, p!["a", None::<&str>]).await?;
            tx.opt("SELECT 1", &[]).await
        })
        .await
        .unwrap();
        let failed: Result<(), Error> = db.tx(async |_| Err(Error::Aborted)).await;
        failed.unwrap_err();
        db.clone()
            .read(async |tx| tx.all("SELECT id FROM items", &[]).await)
            .await
            .unwrap();
        let expected = WorkDone {
            reads: 1,
            writes: 2,
            reruns: 0,
            statements: 3,
        };
        assert_eq!(db.done() - before, expected);
    })
    .await;
}
