//! Behaviour of PostgreSQL alone: broken connections, and TLS.

use std::sync::atomic::{AtomicU32, Ordering};

use genkan_db::testing::Scratch;
use genkan_db::{Db, Error, p};

use crate::{INSERT, count, with_items};

/// The TCP address of the test server.
pub(crate) async fn loopback(scratch: &Scratch) -> String {
    let db = scratch.connect().await;
    let row = db.read(async |tx| tx.opt("SHOW port", &[]).await).await;
    let port: String = row
        .expect("it answers")
        .expect("it has a port")
        .get(0)
        .expect("it is text");
    format!("127.0.0.1:{port}")
}

/// Ends all connections of a scratch database except its own.
pub(crate) async fn break_connections(scratch: &Scratch) {
    let db = scratch.connect().await;
    let sql = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity
               WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    db.read(async |tx| tx.opt(sql, &[]).await)
        .await
        .expect("the test user may end connections");
    db.close().await;
}

#[tokio::test]
async fn a_connection_that_broke_while_idle_is_replaced() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    for id in ["a", "b", "c"] {
        break_connections(&scratch).await;
        assert_eq!(
            db.tx(async |tx| tx.exec(INSERT, p![id, None::<&str>]).await)
                .await,
            Ok(1)
        );
    }
    assert_eq!(count(&db).await, 3);
}

#[tokio::test]
async fn the_connection_that_was_used_last_is_used_next() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    let process = async || {
        let row = db
            .read(async |tx| tx.opt("SELECT CAST(pg_backend_pid() AS BIGINT)", &[]).await)
            .await;
        let id: i64 = row
            .expect("it answers")
            .expect("it has a process")
            .get(0)
            .expect("it is a number");
        id
    };
    // Three at once need three connections.
    let together = db.read(async |_| {
        let within = db.read(async |_| Ok::<_, Error>((process().await, process().await)));
        within.await
    });
    together.await.expect("nothing is in the way");
    let first = process().await;
    for _ in 0..5 {
        assert_eq!(process().await, first);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_within_a_transaction_makes_it_run_again() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    let runs = AtomicU32::new(0);
    let written = db
        .tx(async |tx| {
            tx.exec(INSERT, p!["a", None::<&str>]).await?;
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                break_connections(&scratch).await;
            }
            tx.exec(INSERT, p!["b", None::<&str>]).await
        })
        .await;
    assert_eq!(written, Ok(1));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_commit_has_an_unknown_outcome() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    let runs = AtomicU32::new(0);
    let unknown = db
        .tx(async |tx| {
            tx.exec(INSERT, p!["a", None::<&str>]).await?;
            runs.fetch_add(1, Ordering::Relaxed);
            break_connections(&scratch).await;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(unknown, Err(Error::UnknownOutcome(_))), "{unknown:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_statement_that_waits_too_long_for_a_lock_says_busy() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    db.tx(async |tx| tx.exec(INSERT, p!["a", None::<&str>]).await)
        .await
        .unwrap();
    let busy = db
        .tx(async |tx| {
            tx.exec("UPDATE items SET amount = 2", &[]).await?;
            db.tx(async |tx| {
                tx.exec("SET LOCAL lock_timeout = '50ms'", &[]).await?;
                tx.exec("UPDATE items SET amount = 3", &[]).await
            })
            .await
        })
        .await;
    assert_eq!(
        busy,
        Err(Error::Busy("another transaction holds a lock".to_owned()))
    );
}

#[tokio::test]
async fn tls_is_used_and_the_certificate_is_verified() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    let sql = "SELECT CAST(current_setting('ssl') AS TEXT),
                      pg_read_file(current_setting('data_directory') || '/' || current_setting('ssl_cert_file'))";
    let row = db.read(async |tx| tx.opt(sql, &[]).await).await.unwrap().unwrap();
    assert_eq!(
        row.get::<String>(0).unwrap(),
        "on",
        "the test server has no TLS: use scripts/postgres"
    );
    let directory = tempfile::tempdir().unwrap();
    let certificate = directory.path().join("root.crt");
    std::fs::write(&certificate, row.get::<String>(1).unwrap()).unwrap();

    let (scheme, rest) = scratch.url().split_once("://").unwrap();
    let (user, _) = rest.split_once('@').unwrap();
    let place = loopback(&scratch).await;
    let url = format!("{scheme}://{user}@{place}/postgres");
    let trusting = format!("{url}?sslmode=verify-full&sslrootcert={}", certificate.display());
    let encrypted = Db::connect(&trusting).await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = encrypted
        .read(async |tx| tx.opt(sql, &[]).await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<bool>(0), Ok(true));

    let Err(Error::Connect(text)) = Db::connect(&format!("{url}?sslmode=require")).await else {
        panic!("no public authority has signed it")
    };
    assert!(text.contains("UnknownIssuer"), "{text}");
    let elsewhere = trusting.replace("127.0.0.1", "127.0.0.2");
    assert!(Db::connect(&elsewhere).await.is_err());
    let plain = Db::connect(&url).await.unwrap();
    let row = plain
        .read(async |tx| tx.opt(sql, &[]).await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<bool>(0), Ok(false));
}

#[tokio::test]
async fn no_statement_and_no_lock_lasts_for_ever() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    let sql = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
                      current_setting('idle_in_transaction_session_timeout')";
    let row = db.read(async |tx| tx.opt(sql, &[]).await).await.unwrap().unwrap();
    let set: Vec<String> = (0..3).map(|index| row.get(index).unwrap()).collect();
    assert_eq!(set, ["10s", "5s", "10s"]);
}
