//! The rows that a transaction appends: on PostgreSQL they go to the server together with the COMMIT.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use genkan_db::testing::{Scratch, on_each_engine};
use genkan_db::{AppendTable, Db, Error, Tx, p};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::postgres::{break_connections, loopback};
use crate::{INSERT, count, with_items};

static ITEMS: AppendTable = AppendTable::new("INSERT INTO items (id, amount, flag, note) VALUES", 4);

fn append(tx: &mut Tx<'_>, id: &str, amount: i64) -> Result<(), Error> {
    tx.append(&ITEMS, p![id, amount, true, None::<&str>])
}

/// Passes everything on to `server`, and counts how often the client waited for it.
async fn counted(server: String, turns: Arc<AtomicUsize>) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let place = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (turns, server) = (Arc::clone(&turns), server.clone());
            tokio::spawn(async move { pass(client, TcpStream::connect(server).await?, &turns).await });
        }
    });
    Ok(place)
}

async fn pass(mut client: TcpStream, mut server: TcpStream, turns: &AtomicUsize) -> io::Result<()> {
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    let mut waits = false;
    loop {
        tokio::select! {
            biased;
            length = server.read(&mut answered) => match length? {
                0 => return Ok(()),
                length => {
                    waits = false;
                    client.write_all(&answered[..length]).await?;
                }
            },
            length = client.read(&mut asked) => match length? {
                0 => return Ok(()),
                length => {
                    turns.fetch_add(usize::from(!waits), Ordering::Relaxed);
                    waits = true;
                    server.write_all(&asked[..length]).await?;
                }
            },
        }
    }
}

/// A database, and how often it waits for the server.
async fn counting(scratch: &Scratch) -> (Db, Arc<AtomicUsize>) {
    with_items(&scratch.connect().await).await;
    let turns = Arc::new(AtomicUsize::new(0));
    let place = counted(loopback(scratch).await, Arc::clone(&turns)).await;
    let place = place.expect("the proxy listens");
    let (user, rest) = scratch.url().split_once('@').expect("it names a user");
    let (_, name) = rest.split_once('/').expect("it names a database");
    let db = Db::connect(&format!("{user}@{place}/{name}"))
        .await
        .expect("the proxy leads to the server");
    (db, turns)
}

#[tokio::test]
async fn a_transaction_begins_with_its_first_question_and_ends_with_its_last_rows() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let (db, turns) = counting(&scratch).await;
    let turns_of = async |id: &'static str| {
        let before = turns.load(Ordering::Relaxed);
        let written = db
            .tx_read_committed(async |tx| {
                tx.opt("SELECT id FROM items WHERE id = $1", p![id]).await?;
                append(tx, id, 1)
            })
            .await;
        assert_eq!(written, Ok(()));
        turns.load(Ordering::Relaxed) - before
    };
    // The first time, the server is also asked about the statements.
    turns_of("a").await;
    assert_eq!(turns_of("b").await, 2);
    assert_eq!(turns_of("c").await, 2);
    assert_eq!(count(&db).await, 3);
}

const MARK: &str = "UPDATE items SET note = $2 WHERE id = $1 RETURNING id";
const LOOK: &str = "SELECT note FROM items WHERE id = $1";

#[tokio::test]
async fn a_statement_and_the_next_one_run_in_their_order_in_one_round_trip() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let seen = db
            .tx_read_committed(async |tx| {
                tx.exec(INSERT, p!["a", "old"]).await?;
                let (marked, row) = tx.all_and_opt((MARK, p!["a", "new"]), (LOOK, p!["a"])).await?;
                let note: String = row.ok_or(Error::Aborted)?.get(0)?;
                let (none, gone) = tx.all_and_opt((MARK, p!["b", "new"]), (LOOK, p!["b"])).await?;
                Ok::<_, Error>((marked.len(), note, none.len(), gone.is_none()))
            })
            .await;
        assert_eq!(seen, Ok((1, "new".to_owned(), 0, true)));
    })
    .await;

    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let (db, turns) = counting(&scratch).await;
    let turns_of = async || {
        let before = turns.load(Ordering::Relaxed);
        db.tx_read_committed(async |tx| {
            tx.opt(LOOK, p!["a"]).await?;
            tx.all_and_opt((MARK, p!["a", "new"]), (LOOK, p!["a"])).await
        })
        .await
        .unwrap();
        turns.load(Ordering::Relaxed) - before
    };
    turns_of().await;
    assert_eq!(turns_of().await, 3, "the first look, both, and the COMMIT");
}

/// PostgreSQL refuses each statement after a refused one, so only the first error has a meaning.
#[tokio::test]
async fn of_two_statements_in_one_round_trip_the_first_error_is_told() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let twice = db
            .tx_read_committed(async |tx| {
                tx.exec(INSERT, p!["a", None::<&str>]).await?;
                let insert =
                    "INSERT INTO items (id, amount, flag, note) VALUES ($1, 1, TRUE, NULL) RETURNING id";
                tx.all_and_opt((insert, p!["a"]), (LOOK, p!["a"])).await
            })
            .await;
        assert!(matches!(twice, Err(Error::Conflict(_))), "{:?}", twice.err());
        assert_eq!(count(&db).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_is_refused_takes_the_whole_transaction_with_it() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let twice = db
            .tx_read_committed(async |tx| {
                tx.exec(INSERT, p!["a", None::<&str>]).await?;
                append(tx, "b", 1)?;
                append(tx, "a", 1)
            })
            .await;
        assert!(matches!(twice, Err(Error::Conflict(_))), "{twice:?}");
        assert_eq!(count(&db).await, 0);
        let after = db.tx(async |tx| append(tx, "a", 1)).await;
        assert_eq!((after, count(&db).await), (Ok(()), 1));
    })
    .await;
}

/// It makes no difference if the part writes its rows itself or leaves them to the commit.
#[tokio::test]
async fn a_part_that_is_undone_takes_its_own_rows_along_and_no_others() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        for (number, is_flushed) in [false, true].into_iter().enumerate() {
            let id = |name: &str| format!("{name}{number}");
            db.tx(async |tx| {
                append(tx, &id("before"), 1)?;
                let part = tx.begin_part().await?;
                append(tx, &id("within"), 1)?;
                if is_flushed {
                    tx.flush().await?;
                }
                tx.undo_part(part).await?;
                tx.begin_part().await?;
                append(tx, &id("kept"), 1)?;
                tx.keep_part().await?;
                append(tx, &id("after"), 1)
            })
            .await
            .unwrap();
            let rows = db
                .read(async |tx| tx.all("SELECT id FROM items ORDER BY id", &[]).await)
                .await
                .unwrap();
            let found: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
            let wanted: Vec<String> = ["after", "before", "kept"]
                .into_iter()
                .flat_map(|name| (0..=number).map(move |number| format!("{name}{number}")))
                .collect();
            assert_eq!(found, wanted, "{is_flushed}");
        }
    })
    .await;
}

/// The server does not hear of such a row. It must not hear of the COMMIT either.
#[tokio::test]
async fn a_row_with_a_value_of_another_type_takes_the_whole_transaction_with_it() {
    static AMOUNTS: AppendTable = AppendTable::new("INSERT INTO items (id, amount, flag) VALUES", 3);
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    for _ in 0..2 {
        let refused = db
            .tx(async |tx| {
                tx.exec(INSERT, p!["a", None::<&str>]).await?;
                append(tx, "b", 1)?;
                tx.append(&AMOUNTS, p!["c", "one", true])
            })
            .await;
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
        assert_eq!(count(&db).await, 0);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_last_rows_makes_the_transaction_run_again() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    with_items(&db).await;
    let runs = AtomicU32::new(0);
    let written = db
        .tx(async |tx| {
            tx.exec(INSERT, p!["a", None::<&str>]).await?;
            append(tx, "b", 1)?;
            if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                break_connections(&scratch).await;
            }
            Ok(())
        })
        .await;
    match written {
        Ok(()) => assert_eq!((runs.load(Ordering::Relaxed), count(&db).await), (2, 2)),
        // The driver had not read that the connection is closed, and has sent the COMMIT.
        Err(Error::UnknownOutcome(_)) => assert_eq!(count(&db).await, 0),
        Err(error) => panic!("{error}"),
    }
}

/// Each writes the number of rows that it has counted. If two counted the same, one of them runs again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_at_the_last_rows_or_the_commit_makes_the_transaction_run_again() {
    for scratch in Scratch::each().await {
        let nodes = [scratch.connect().await, scratch.connect().await];
        with_items(&nodes[0]).await;
        let mut callers = JoinSet::new();
        for index in 0..40 {
            let db = nodes[index % 2].clone();
            callers.spawn(async move {
                let id = format!("caller-{index}");
                loop {
                    let counted = db
                        .tx(async |tx| {
                            let row = tx.opt("SELECT COUNT(*) FROM items", &[]).await?;
                            append(tx, &id, row.expect("a count is a row").get(0)?)
                        })
                        .await;
                    if !matches!(counted, Err(Error::Busy(_))) {
                        return counted;
                    }
                }
            });
        }
        assert!(callers.join_all().await.iter().all(Result::is_ok));
        let sql = "SELECT COUNT(DISTINCT amount), MAX(amount) FROM items";
        let row = nodes[0].read(async |tx| tx.opt(sql, &[]).await).await;
        let row = row.unwrap().unwrap();
        assert_eq!((row.get::<i64>(0), row.get::<i64>(1)), (Ok(40), Ok(39)));
    }
}

#[tokio::test]
async fn many_rows_of_many_statements_are_all_written() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let ids: Vec<String> = (0..500).map(|index| format!("item-{index}")).collect();
        let written = db
            .tx(async |tx| ids.iter().try_for_each(|id| append(tx, id, 1)))
            .await;
        assert_eq!((written, count(&db).await), (Ok(()), 500));
    })
    .await;
}
