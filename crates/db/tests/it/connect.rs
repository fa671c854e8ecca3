//! The messages if a database cannot be opened.

use genkan_db::testing::Scratch;
use genkan_db::{Db, Error};

use crate::postgres::loopback;

async fn refusal(url: &str) -> String {
    match Db::connect(url).await {
        Err(Error::Connect(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused_and_not_repeated() {
    let text = refusal("hunter2").await;
    assert_eq!(text, "a database URL starts with sqlite: or postgres://");
}

#[tokio::test]
async fn sqlite_needs_a_file() {
    for url in ["sqlite:", "sqlite::memory:"] {
        assert!(refusal(url).await.contains("needs the path of a file"), "{url}");
    }
    assert!(refusal("sqlite://genkan.db").await.contains("sqlite:genkan.db"));
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("data");
    let text = refusal(&format!("sqlite:{}", missing.join("genkan.db").display())).await;
    assert!(
        text.contains(&format!("the directory {} does not exist", missing.display())),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_not_a_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letter.txt");
    let letter = "Dear Ada, ".repeat(200);
    std::fs::write(&path, &letter).unwrap();
    let text = refusal(&format!("sqlite:{}", path.display())).await;
    assert!(text.contains("it is not a SQLite database"), "{text}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
    let text = refusal(&format!("sqlite:{}", directory.path().display())).await;
    assert!(text.contains("cannot be opened"), "{text}");
}

#[tokio::test]
async fn postgres_urls_are_checked_before_anything_is_sent() {
    for (url, says) in [
        (
            "postgres://u:hunter2@127.0.0.1:1/d?sslmode=prefer",
            "sslmode=prefer protects nothing",
        ),
        (
            "postgres://u:hunter2@127.0.0.1:1/d?sslmode=maybe",
            "sslmode is disable, require or verify-full",
        ),
        (
            "postgres://u:hunter2@127.0.0.1:1/d?pool_size=0",
            "pool_size is a number from 1 to 1000",
        ),
        (
            "postgres://u:hunter2@127.0.0.1:1/d?sslrootcert=/none",
            "sslrootcert /none cannot be used",
        ),
        (
            "postgres://u:hunter2@127.0.0.1:1/d?sslrootcert=%2Fnone%2",
            "two hexadecimal digits",
        ),
        (
            "postgres://u:hunter2@127.0.0.1:1/d?colour=red",
            "a parameter that does not exist",
        ),
        ("postgres://u:hunter2@127.0.0.1:1", "names no database"),
        (
            "postgres://u:hunter2@127.0.0.1:none/d",
            "the database URL cannot be used",
        ),
    ] {
        let text = refusal(url).await;
        assert!(text.contains(says), "{url}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn an_unreachable_postgres_is_named_without_the_password() {
    let text = refusal("postgres://ada:hunter2@127.0.0.1:1/genkan").await;
    assert!(
        text.starts_with("PostgreSQL at 127.0.0.1:1/genkan cannot be used: check that it runs"),
        "{text}"
    );
    assert!(text.contains("refused"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_refusing_postgres_says_what_to_check() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let place = loopback(&scratch).await;
    let text = refusal(&format!("postgres://postgres:hunter2@{place}/postgres")).await;
    assert!(
        text.contains("check the user name and the password in the URL"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    let text = refusal(&scratch.url().replace("/postgres?", "/none?")).await;
    assert!(text.contains("create the database first"), "{text}");
}

#[tokio::test]
async fn ping_answers() {
    genkan_db::testing::on_each_engine(async |db: Db| assert_eq!(db.ping().await, Ok(()))).await;
}

/// A password that was not escaped, with its end in every possible place.
#[tokio::test]
async fn no_part_of_a_password_is_shown_however_it_was_written() {
    for url in [
        "postgres://app:S3cr3t@Pass/word1@127.0.0.1:1/genkan",
        "postgres://app:p@S3cr3t:Pass#word1@127.0.0.1:1/genkan",
        "postgres://app:x/S3cr3t@127.0.0.1:1/genkan",
        "postgres://app:x?S3cr3t@127.0.0.1:1/genkan",
        "postgres://app:x@127.0.0.1:1/genkan?password=a&S3cr3t",
        "postgres://app:x@127.0.0.1:1/genkan?password=S3cr3t@Pass",
        "postgresql://app:S3cr3t@Pass@word1/genkan",
        "postgres://app:%S3cr3t@127.0.0.1:1/genkan",
    ] {
        let text = refusal(url).await;
        for part in ["S3cr3t", "Pass", "word1"] {
            assert!(!text.contains(part), "{url}: {text}");
        }
        // Text that is no escape is taken literally, and the server is asked.
        if !url.contains("%S") {
            assert_eq!(Db::check_url(url).unwrap_err().to_string(), text, "{url}");
        }
    }
    for url in [
        "postgres://app:S3cr3t%40Pass%2Fword1@127.0.0.1/genkan?sslmode=require",
        "postgres://127.0.0.1/genkan",
        "sqlite:genkan.db",
    ] {
        assert_eq!(Db::check_url(url), Ok(()), "{url}");
    }
}
