//! PostgreSQL that stops, starts again, fails over, or waits for a standby that is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use genkan_db::testing::{Cluster, url_of};
use genkan_db::{Db, Error, p};
use tokio::task::JoinSet;

use crate::{INSERT, count, with_items};

async fn insert(db: &Db, id: &str) -> Result<u64, Error> {
    db.tx(async |tx| tx.exec(INSERT, p![id, None::<&str>]).await)
        .await
}

async fn read(db: &Db) -> Result<i64, Error> {
    let row = db
        .read(async |tx| tx.opt("SELECT COUNT(*) FROM items", &[]).await)
        .await?;
    row.expect("a count is a row").get(0)
}

/// Changes a setting, and waits until the server has read it. Its checkpointer decides whether a COMMIT
/// waits for a standby, and cannot be asked directly.
async fn reload(cluster: &Cluster, setting: &'static str) {
    cluster.administer(setting).await;
    cluster.administer("SELECT pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

/// A link to the directory of one server or another: an address that can move.
struct Address(tempfile::TempDir);

impl Address {
    fn of(cluster: &Cluster) -> Self {
        let address = Self(tempfile::tempdir().expect("a temporary directory can be created"));
        std::os::unix::fs::symlink(cluster.directory(), address.0.path().join("now"))
            .expect("a link can be made");
        address
    }

    fn moves_to(&self, cluster: &Cluster) {
        let next = self.0.path().join("next");
        std::os::unix::fs::symlink(cluster.directory(), &next).expect("a link can be made");
        std::fs::rename(next, self.0.path().join("now")).expect("a link can be moved");
    }

    fn url(&self) -> String {
        url_of(&self.0.path().join("now"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_waited_for_and_loses_nothing() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let db = Db::connect(&cluster.url()).await.unwrap();
    with_items(&db).await;
    let written = Arc::new(AtomicU32::new(0));
    let mut callers = JoinSet::new();
    let until = Instant::now() + Duration::from_millis(2500);
    for caller in 0..8 {
        let (db, written) = (db.clone(), Arc::clone(&written));
        callers.spawn(async move {
            let mut index = 0;
            while Instant::now() < until {
                index += 1;
                match insert(&db, &format!("{caller}-{index}")).await {
                    Ok(_) => {
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                    // Its COMMIT was under way.
                    Err(Error::UnknownOutcome(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
    }
    for mode in ["fast", "immediate"] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| {
            cluster.stop(mode);
            cluster.launch();
        });
    }
    for outcome in callers.join_all().await {
        assert_eq!(outcome, Ok(()));
    }
    assert!(count(&db).await >= i64::from(written.load(Ordering::Relaxed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_said_to_be_unavailable_and_nothing_was_committed() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let db = Db::connect(&cluster.url()).await.unwrap();
    with_items(&db).await;
    cluster.stop("fast");
    let started = Instant::now();
    let (write, read) = tokio::join!(insert(&db, "a"), read(&db));
    for outcome in [write.map(|_| 0), read] {
        let Err(Error::Unavailable(text)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(text.contains("PostgreSQL at "), "{text}");
    }
    let waited = started.elapsed();
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(20)).contains(&waited),
        "{waited:?}"
    );
    let started = Instant::now();
    assert!(matches!(db.ping().await, Err(Error::Unavailable(_))));
    // A load balancer that asks does not wait for so long.
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    cluster.launch();
    assert_eq!(count(&db).await, 0);
    assert_eq!(db.ping().await, Ok(()));
    assert_eq!(insert(&db, "a").await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_not_used_and_the_new_primary_is_found_without_a_restart() {
    let Some(primary) = Cluster::start().await else {
        return;
    };
    let address = Address::of(&primary);
    let db = Db::connect(&address.url()).await.unwrap();
    with_items(&db).await;
    insert(&db, "before").await.unwrap();
    let standby = tokio::task::block_in_place(|| primary.standby());

    let Err(Error::Connect(text)) = Db::connect(&standby.url()).await else {
        panic!("it takes no writes")
    };
    assert!(
        text.ends_with("it is a standby, or set to take no writes"),
        "{text}"
    );

    // If all servers are in the URL, each connection takes the one that accepts writes.
    let place = |cluster: &Cluster| cluster.directory().display().to_string().replace('/', "%2F");
    let all = Db::connect(&format!(
        "postgres://postgres@{},{}/postgres?target_session_attrs=read-write",
        place(&standby),
        place(&primary)
    ))
    .await
    .unwrap();
    assert_eq!(all.ping().await, Ok(()));

    address.moves_to(&standby);
    tokio::task::block_in_place(|| primary.stop("immediate"));
    let Err(Error::Unavailable(text)) = db.ping().await else {
        panic!("it is not ready")
    };
    assert!(
        text.ends_with("it is a standby, or set to take no writes"),
        "{text}"
    );

    let promoting = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| standby.promote());
    };
    let (written, ()) = tokio::join!(insert(&db, "after"), promoting);
    assert_eq!(written, Ok(1));
    assert_eq!(db.ping().await, Ok(()));
    assert_eq!(insert(&all, "found").await, Ok(1));
    assert_eq!(count(&db).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_a_server_that_became_read_only_is_replaced() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let db = Db::connect(&cluster.url()).await.unwrap();
    with_items(&db).await;
    let runs = AtomicU32::new(0);
    let written = db
        .tx(async |tx| {
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                tx.exec("SET TRANSACTION READ ONLY", &[]).await?;
            }
            tx.exec(INSERT, p!["a", None::<&str>]).await
        })
        .await;
    assert_eq!(written, Ok(1));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    // If a read transaction writes, that is a mistake of the program, and no outage.
    let refused = db
        .read(async |tx| tx.exec(INSERT, p!["b", None::<&str>]).await)
        .await;
    assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");

    cluster
        .administer("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    cluster.administer("SELECT pg_reload_conf()").await;
    let mut ready = Ok(());
    for _ in 0..100 {
        ready = db.ping().await;
        if ready.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(ready, Err(Error::Unavailable(_))), "{ready:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_hang_end_and_do_not_stop_those_who_read() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let db = Db::connect(&format!("{}?pool_size=4", cluster.url()))
        .await
        .unwrap();
    with_items(&db).await;
    reload(&cluster, "ALTER SYSTEM SET synchronous_standby_names = 'away'").await;

    let started = Instant::now();
    let runs = Arc::new(AtomicU32::new(0));
    let mut writers = JoinSet::new();
    for index in 0..3 {
        let (db, runs) = (db.clone(), Arc::clone(&runs));
        writers.spawn(async move {
            let id = format!("hangs-{index}");
            db.tx(async |tx| {
                runs.fetch_add(1, Ordering::Relaxed);
                tx.exec(INSERT, p![&id, None::<&str>]).await
            })
            .await
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The commits use all connections that they may use.
    let reading = Instant::now();
    assert_eq!(read(&db).await, Ok(0));
    assert!(reading.elapsed() < Duration::from_secs(3));
    for outcome in writers.join_all().await {
        assert!(matches!(outcome, Err(Error::UnknownOutcome(_))), "{outcome:?}");
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(runs.load(Ordering::Relaxed), 3);

    // The next one fails at once, and the error says that nothing was committed.
    let asked = Instant::now();
    let refused = insert(&db, "next").await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(asked.elapsed() < Duration::from_secs(3));
    for _ in 0..20 {
        assert_eq!(read(&db).await, Ok(0));
    }
    assert_eq!(db.ping().await, Ok(()));

    // The server has answered by itself: the hanging rows are there, and others may write.
    reload(&cluster, "ALTER SYSTEM RESET synchronous_standby_names").await;
    assert_eq!(count(&db).await, 3);
    assert_eq!(insert(&db, "next").await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_a_hanging_commit_leaves_no_connection_behind_it() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let db = Db::connect(&format!("{}?pool_size=2", cluster.url()))
        .await
        .unwrap();
    with_items(&db).await;
    reload(&cluster, "ALTER SYSTEM SET synchronous_standby_names = 'away'").await;
    let left = tokio::time::timeout(Duration::from_millis(300), insert(&db, "a")).await;
    assert!(left.is_err(), "it should have hung");
    for _ in 0..5 {
        assert_eq!(read(&db).await, Ok(0));
    }
    assert!(matches!(insert(&db, "b").await, Err(Error::Unavailable(_))));
    reload(&cluster, "ALTER SYSTEM RESET synchronous_standby_names").await;
    assert_eq!(insert(&db, "b").await, Ok(1));
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn too_many_connections_are_waited_for() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let db = Db::connect(&cluster.url()).await.unwrap();
    with_items(&db).await;
    cluster
        .administer("CREATE ROLE app LOGIN CONNECTION LIMIT 1; GRANT ALL ON items TO app")
        .await;
    let url = cluster.url().replace("postgres@", "app@");
    let first = Db::connect(&url).await.unwrap();
    let waiting = tokio::spawn(async move { Db::connect(&url).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    first.close().await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
}
