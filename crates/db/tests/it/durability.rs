//! A commit that was acknowledged survives `kill -9`.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use genkan_db::testing::Scratch;
use genkan_db::{Db, Error, p};
use tokio::task::JoinSet;

use crate::{INSERT, with_items};

/// The database for the child process.
const URL: &str = "GENKAN_TEST_DURABILITY_URL";
/// The number of the child process.
const ROUND: &str = "GENKAN_TEST_DURABILITY_ROUND";

const WRITERS: usize = 32;
/// The number of lines before the child is killed, so that it has acknowledged some of each kind.
const ENOUGH: usize = 40;

/// Writes two rows. Every seventh caller then fails.
async fn write_pair(db: &Db, name: &str, index: u64) -> Result<(), Error> {
    let (one, two) = (format!("{name}-1"), format!("{name}-2"));
    db.tx(async |tx| {
        tx.exec(INSERT, p![&one, None::<&str>]).await?;
        if index.is_multiple_of(7) {
            return Err(Error::Database("on purpose".to_owned()));
        }
        tx.exec(INSERT, p![&two, None::<&str>]).await.map(drop)
    })
    .await
}

/// Not a test: the process that is killed. Prints what is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started and killed by the tests of this file"]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent has no other way to reach it"
)]
async fn child() {
    let (Ok(url), Ok(round)) = (std::env::var(URL), std::env::var(ROUND)) else {
        return;
    };
    let db = Db::connect(&url).await.unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (db, count, round) = (db.clone(), count.clone(), round.clone());
        writers.spawn(async move {
            loop {
                let index = count.fetch_add(1, Ordering::Relaxed);
                let name = format!("{round}-{index}");
                let failed = write_pair(&db, &name, index).await.is_err();
                assert_eq!(failed, index.is_multiple_of(7));
                let line = if failed {
                    format!("failed {name}\n")
                } else {
                    format!("kept {name}\n")
                };
                // A single write, so that a line is printed whole or not at all.
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    writers.join_all().await;
}

fn start(url: &str, round: usize) -> Child {
    Command::new(std::env::current_exe().expect("this binary has a path"))
        .args(["--exact", "durability::child", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this binary starts again")
}

/// Lets the child write until `enough` lines were read and for `time` after that, kills it, and returns its
/// output.
///
/// It waits for lines, because a busy machine needs time to start a process.
fn kill_after(mut child: Child, enough: usize, time: Duration) -> Vec<String> {
    let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    let (line, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for said in output.lines().map_while(Result::ok) {
            line.send(said).expect("the lines are read to their end");
        }
    });
    let mut said: Vec<String> = lines.iter().take(enough).collect();
    std::thread::sleep(time);
    child.kill().expect("it was still writing");
    child.wait().expect("it is a child of this process");
    said.extend(lines);
    reader.join().expect("its output is text");
    said
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    for scratch in Scratch::each().await {
        with_items(&scratch.connect().await).await;
        let (mut kept, mut failed) = (HashSet::new(), HashSet::new());
        for (round, millis) in [0, 90, 170].into_iter().enumerate() {
            let child = start(scratch.url(), round);
            for line in kill_after(child, ENOUGH, Duration::from_millis(millis)) {
                // The test harness of the child writes to the same pipe.
                if let Some(at) = line.find("kept ") {
                    kept.insert(line[at + 5..].to_owned());
                } else if let Some(at) = line.find("failed ") {
                    failed.insert(line[at + 7..].to_owned());
                }
            }
        }
        let engine = scratch.engine();
        assert!(kept.len() > ENOUGH, "{} writes on {engine:?}", kept.len());
        assert!(!failed.is_empty());

        let db = scratch.connect().await;
        let rows = db
            .read(async |tx| tx.all("SELECT id FROM items", &[]).await)
            .await
            .unwrap();
        let rows: HashSet<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        for name in &kept {
            assert!(
                rows.contains(&format!("{name}-1")) && rows.contains(&format!("{name}-2")),
                "{name} is lost"
            );
        }
        for name in &failed {
            assert!(
                !rows.contains(&format!("{name}-1")),
                "{name} failed and is visible"
            );
        }
        for row in &rows {
            let (name, half) = row.rsplit_once('-').unwrap();
            let other = if half == "1" { "2" } else { "1" };
            assert!(
                rows.contains(&format!("{name}-{other}")),
                "{row} is half a transaction"
            );
        }
        if scratch.url().starts_with("sqlite:") {
            let check = db
                .read(async |tx| tx.opt("PRAGMA integrity_check", &[]).await)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(check.get::<String>(0).unwrap(), "ok");
        }
        db.close().await;
    }
}
