//! Behaviour of SQLite alone: a file that other processes use as well.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use genkan_db::testing::Scratch;
use genkan_db::{Db, Error, p};

use crate::{INSERT, count, file, locked, with_items};

async fn insert(db: &Db, id: &str) -> Result<u64, Error> {
    db.tx(async |tx| tx.exec(INSERT, p![id, None::<&str>]).await)
        .await
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).expect("the file exists").permissions().mode() & 0o777
}

#[tokio::test]
async fn the_files_are_readable_by_their_owner_only() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(format!("{}{end}", file(&scratch))), 0o600, "{end}");
    }
}

#[tokio::test]
async fn the_file_is_as_the_engine_promises() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    let pragma = async |sql: &'static str| {
        let row = db.tx(async |tx| tx.opt(sql, &[]).await).await.unwrap().unwrap();
        row.get::<i64>(0)
            .or_else(|_| row.get::<String>(0).map(|text| text.len() as i64))
            .unwrap()
    };
    assert_eq!(pragma("PRAGMA journal_mode").await, "wal".len() as i64);
    assert_eq!(pragma("PRAGMA synchronous").await, 2, "FULL");
    assert_eq!(pragma("PRAGMA foreign_keys").await, 1);
    let strict = "SELECT COUNT(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                  AND name NOT LIKE 'sqlite%' AND NOT strict";
    assert_eq!(pragma(strict).await, 0);
}

#[tokio::test]
async fn closing_takes_the_log_into_the_file() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    insert(&db, "a").await.unwrap();
    db.close().await;
    assert!(!Path::new(&format!("{}-wal", file(&scratch))).exists());
    assert_eq!(count(&scratch.connect().await).await, 1);
}

#[tokio::test]
async fn the_log_is_taken_into_the_file_without_closing() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    let started = Instant::now();
    insert(&db, "a").await.unwrap();
    // At first the file has one page. Everything written is in the log.
    while fs::metadata(file(&scratch)).unwrap().size() < 4 * 4096 {
        assert!(started.elapsed() < Duration::from_secs(20), "no checkpoint ran");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_writer_waits_for_another_process_without_blocking_its_thread() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    let other = locked(&scratch);
    // On one thread: if the transaction blocked it, nobody would release the lock.
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(other);
    };
    let (written, ()) = tokio::join!(insert(&db, "a"), release);
    assert_eq!(written, Ok(1));
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    let _other = locked(&scratch);
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn two_processes_write_in_turn() {
    let scratch = Scratch::sqlite();
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    with_items(&one).await;
    let write = async |db: &Db, name: &str| {
        for index in 0..50 {
            assert_eq!(insert(db, &format!("{name}-{index}")).await, Ok(1));
        }
    };
    tokio::join!(write(&one, "one"), write(&two, "two"));
    assert_eq!((count(&one).await, count(&two).await), (100, 100));
}

#[tokio::test]
async fn the_change_marker_tells_of_other_processes_and_of_what_it_is_told() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    let tell = async |db: &Db, id: &str, keep: bool| {
        db.tx(async |tx| {
            tx.exec(INSERT, p![id, None::<&str>]).await?;
            tx.tell();
            if keep {
                Ok(())
            } else {
                Err(Error::Database("on purpose".to_owned()))
            }
        })
        .await
    };
    let mut last = db.change_marker().await.unwrap();
    assert!(last.is_some());

    count(&db).await;
    tell(&db, "undone", false).await.unwrap_err();
    // The insert before was undone, so this one can use its key.
    insert(&db, "a").await.unwrap();
    last = db.change_marker().await.unwrap().max(last);
    for id in ["b", "c", "d"] {
        insert(&db, id).await.unwrap();
        assert_eq!(db.change_marker().await.unwrap(), last, "{id}");
    }

    let other = scratch.connect().await;
    for round in 0..3 {
        tell(&db, &format!("told {round}"), true).await.unwrap();
        let now = db.change_marker().await.unwrap();
        assert_ne!(now, last, "told");
        insert(&other, &format!("other {round}")).await.unwrap();
        // It is read only after a commit of our own, which must not hide the other one.
        insert(&db, &format!("own {round}")).await.unwrap();
        last = db.change_marker().await.unwrap();
        assert_ne!(last, now, "somebody else");
        insert(&other, &format!("last {round}")).await.unwrap();
        assert_ne!(
            db.change_marker().await.unwrap(),
            last,
            "somebody else, seen at once"
        );
        last = db.change_marker().await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_is_a_whole_database_for_its_owner_only() {
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    insert(&db, "a").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("it's a backup.db");

    let (backed_up, written) = tokio::join!(db.backup(&copy), insert(&db, "b"));
    assert_eq!((backed_up, written), (Ok(()), Ok(1)));
    assert_eq!(mode(&copy), 0o600);

    let restored = Db::connect(&format!("sqlite:{}", copy.display())).await.unwrap();
    with_items(&restored).await;
    assert!((1..=2).contains(&count(&restored).await));
    restored.close().await;

    let before = fs::read(&copy).unwrap();
    assert!(matches!(db.backup(&copy).await, Err(Error::Database(_))));
    assert_eq!(fs::read(&copy).unwrap(), before, "a backup is never overwritten");
    let nowhere = directory.path().join("none").join("copy.db");
    assert!(matches!(db.backup(&nowhere).await, Err(Error::Database(_))));
}

#[tokio::test]
async fn postgres_names_its_own_tools() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let db = scratch.connect().await;
    let refused = db.backup(Path::new("/nowhere/copy.db")).await.unwrap_err();
    assert!(refused.to_string().contains("pg_dump"), "{refused}");
    assert_eq!(db.change_marker().await, Ok(None));
}

/// Runs this test again as another user, because root may write everywhere.
fn again_as_nobody(test: &str) -> std::io::Result<bool> {
    const MARK: &str = "GENKAN_TEST_AS_NOBODY";
    let directory = tempfile::tempdir()?;
    let probe = directory.path().join("probe");
    fs::write(&probe, "")?;
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o400))?;
    if fs::OpenOptions::new().write(true).open(&probe).is_err() {
        return Ok(false);
    }
    // A copy, because the other user may not read this checkout.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    let binary = directory.path().join("it");
    fs::copy(std::env::current_exe()?, &binary)?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new(&binary);
    command
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .current_dir("/");
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    let output = loop {
        match command.output() {
            // Another test started a process while the copy was written. That process held the file open
            // until it became another program.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(10));
            }
            output => break output?,
        }
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    Ok(true)
}

#[tokio::test]
async fn what_this_user_may_not_write_is_named() {
    if again_as_nobody("sqlite::what_this_user_may_not_write_is_named").unwrap() {
        return;
    }
    let scratch = Scratch::sqlite();
    let db = scratch.connect().await;
    with_items(&db).await;
    db.close().await;
    let path = Path::new(file(&scratch));
    let refusal = async || {
        Db::connect(scratch.url())
            .await
            .map(drop)
            .unwrap_err()
            .to_string()
    };

    fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
    let text = refusal().await;
    assert!(text.contains("is not writable by this user"), "{text}");

    fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    let text = refusal().await;
    assert!(text.contains("check the path, its owner and mode"), "{text}");

    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o500)).unwrap();
    let text = refusal().await;
    assert!(text.contains("owner and mode"), "{text}");
    fs::remove_file(path).unwrap_err();
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(Db::connect(scratch.url()).await.is_ok());
}
