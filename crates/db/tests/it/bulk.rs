//! Long jobs beside short requests.

use std::sync::atomic::{AtomicUsize, Ordering};

use genkan_db::testing::on_each_engine;
use genkan_db::{Bulk, Db, Error, p};

use crate::{INSERT, count, with_items};

async fn fill(db: &Db, rows: i64) {
    let sql = "INSERT INTO items (id, amount, flag)
               WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
               SELECT CAST(i AS TEXT), i, TRUE FROM n";
    db.tx(async |tx| tx.exec(sql, p![rows]).await)
        .await
        .expect("the rows are inserted");
}

const DELETE: &str = "DELETE FROM items WHERE id IN (SELECT id FROM items WHERE flag ORDER BY id LIMIT $1)";

#[tokio::test]
async fn a_bulk_job_runs_in_steps_until_it_is_done_and_requests_come_in_between() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        fill(&db, 1500).await;
        let steps = AtomicUsize::new(0);
        let job = db.bulk(async |tx| {
            let chunk = tx.chunk();
            assert!(chunk >= 1);
            let deleted = tx.exec(DELETE, p![chunk]).await?;
            assert!(deleted <= chunk as u64);
            steps.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Error>(if deleted == 0 { Bulk::Done } else { Bulk::More })
        });
        let request = async {
            while steps.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            let sql = "INSERT INTO items (id, amount, flag) VALUES ('request', 1, FALSE)";
            db.tx(async |tx| tx.exec(sql, &[]).await).await.unwrap();
            // The job has not held everybody up until its end.
            count(&db).await
        };
        let (finished, rows_meanwhile) = tokio::join!(job, request);
        assert_eq!(finished, Ok(()));
        assert!(rows_meanwhile > 1, "the request ran after the job");
        assert!(steps.load(Ordering::Relaxed) >= 3);
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_steps_before_a_failed_one_stay() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let steps = AtomicUsize::new(0);
        let failed = db
            .bulk(async |tx| {
                let step = steps.fetch_add(1, Ordering::Relaxed);
                let id = format!("step-{step}");
                tx.exec(INSERT, p![&id, None::<&str>]).await?;
                if step == 2 {
                    Err(Error::Database("on purpose".to_owned()))
                } else {
                    Ok(Bulk::More)
                }
            })
            .await;
        assert_eq!(failed, Err(Error::Database("on purpose".to_owned())));
        assert_eq!(count(&db).await, 2);
    })
    .await;
}
