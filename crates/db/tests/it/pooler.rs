//! PgBouncer in transaction mode: every transaction may run in another server process.

use genkan_db::testing::{Cluster, Pooler};
use genkan_db::{Db, Error, p};
use tokio::task::JoinSet;

use crate::{INSERT, SCHEMA, count};

const ROUNDS: usize = 60;

/// Statements of every kind, with parameters of every type.
async fn mix(db: &Db, caller: usize, round: usize) -> Result<(), Error> {
    let (id, note) = (format!("{caller}-{round}"), format!("note {caller} {round}"));
    db.tx(async |tx| tx.exec(INSERT, p![&id, &*note]).await).await?;
    let found = db
        .read(async |tx| {
            let sql = "SELECT id, amount, flag FROM items WHERE note = $1 AND amount < $2 AND flag = $3";
            tx.opt(sql, p![&*note, 10_i64, true]).await
        })
        .await?;
    assert_eq!(found.expect("it was written").get::<String>(0)?, id);
    let hash: &[u8] = id.as_bytes();
    let changed = db
        .tx_read_committed(async |tx| {
            // `substr` takes an INTEGER, so only the server knows the type.
            let sql = "UPDATE items SET amount = $2, hash = $3 WHERE id = substr($1, $4) RETURNING hash";
            tx.opt(sql, p![&id, 7_i64, hash, 1_i64]).await
        })
        .await?;
    assert_eq!(changed.expect("it was changed").get::<Vec<u8>>(0)?, hash);
    let rows = db
        .read(async |tx| tx.all("SELECT id FROM items WHERE hash = $1", p![hash]).await)
        .await?;
    assert_eq!(rows.len(), 1);
    if round.is_multiple_of(3) {
        // A caller that fails. Its transaction is rolled back.
        let failed = db
            .tx(async |tx| {
                tx.exec("UPDATE items SET amount = 8 WHERE id = $1", p![&id])
                    .await?;
                tx.exec(INSERT, p![&id, None::<&str>]).await
            })
            .await;
        assert!(matches!(failed, Err(Error::Conflict(_))), "{failed:?}");
    }
    Ok(())
}

async fn open(url: &str) -> Db {
    Db::connect(url).await.expect("the pooler lets it in")
}

async fn two_nodes_work_through(url: &str) {
    let nodes = [open(url).await, open(url).await];
    let (one, two) = tokio::join!(nodes[0].migrate(SCHEMA), nodes[1].migrate(SCHEMA));
    assert_eq!((one, two), (Ok(()), Ok(())));
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let db = nodes[caller % 2].clone();
        callers.spawn(async move {
            for round in 0..ROUNDS {
                mix(&db, caller, round).await?;
            }
            Ok::<_, Error>(())
        });
    }
    for outcome in callers.join_all().await {
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(count(&nodes[0]).await, 8 * ROUNDS as i64);
    let sql = "SELECT COUNT(*) FROM items WHERE amount = 7";
    let row = nodes[1]
        .read(async |tx| tx.opt(sql, &[]).await)
        .await
        .expect("they are counted");
    assert_eq!(
        row.expect("a count is a row").get::<i64>(0),
        Ok(8 * ROUNDS as i64)
    );
    assert_eq!(nodes[1].ping().await, Ok(()));

    // The time limits apply.
    let sql = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')";
    let row = nodes[0].read(async |tx| tx.opt(sql, &[]).await).await;
    let row = row.expect("they are shown").expect("they are a row");
    assert_eq!(row.get::<String>(0), Ok("10s".to_owned()));
    assert_eq!(row.get::<String>(1), Ok("5s".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_noticed_and_nothing_is_mixed_up() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let Some(pooler) = Pooler::start(&cluster, "transaction", 3).await else {
        return;
    };
    two_nodes_work_through(&pooler.url()).await;

    // Nothing is left for another client of the pooler.
    let other = Db::connect(&format!("{}?pooler=none", cluster.url()))
        .await
        .unwrap();
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'";
    let row = other.read(async |tx| tx.opt(sql, &[]).await).await.unwrap();
    assert_eq!(row.unwrap().get::<i64>(0), Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_session_mode_works_too_and_so_does_a_schema_behind_one() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster
        .administer("CREATE ROLE app LOGIN; CREATE SCHEMA \"a schema\" AUTHORIZATION app")
        .await;
    cluster
        .administer("REVOKE ALL ON SCHEMA public FROM public")
        .await;
    let Some(pooler) = Pooler::start(&cluster, "session", 40).await else {
        return;
    };
    two_nodes_work_through(&format!("{}?schema=a%20schema", pooler.url())).await;
}

/// A role that owns nothing but its schema is enough.
#[tokio::test]
async fn a_schema_is_enough_and_nothing_else_is_touched() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster
        .administer("CREATE ROLE app LOGIN; CREATE SCHEMA own AUTHORIZATION app; REVOKE ALL ON SCHEMA public FROM public")
        .await;
    let url = cluster.url().replace("postgres@", "app@");
    let db = Db::connect(&format!("{url}?schema=own")).await.unwrap();
    db.migrate(SCHEMA).await.unwrap();
    db.tx(async |tx| tx.exec(INSERT, p!["a", None::<&str>]).await)
        .await
        .unwrap();
    let sql = "SELECT COUNT(*) FROM own.items";
    let row = db.read(async |tx| tx.opt(sql, &[]).await).await.unwrap();
    assert_eq!(row.unwrap().get::<i64>(0), Ok(1));

    let db = Db::connect(&format!("{url}?schema=none")).await.unwrap();
    let Err(Error::Migration(text)) = db.migrate(SCHEMA).await else {
        panic!("there is no such schema")
    };
    assert!(text.contains("create the schema first"), "{text}");
}
