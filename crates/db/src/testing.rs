//! Scratch databases for tests, of both engines.
//!
//! PostgreSQL is used if `GENKAN_TEST_POSTGRES` holds the URL of a user who
//! may create databases; `scripts/postgres start` prints one. Where the
//! environment has `CI` or `GENKAN_TEST_REQUIRE_POSTGRES`, a test fails
//! without it instead of testing half.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::{Db, Engine};

/// An empty database that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    url: String,
    engine: Engine,
    remains: Remains,
}

/// What is to be removed.
#[derive(Debug)]
enum Remains {
    Directory { _removed_on_drop: TempDir },
    Database { server: String, name: String },
}

impl Scratch {
    /// A file in a directory of its own.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be created");
        let url = format!("sqlite:{}", directory.path().join("scratch.db").display());
        Self {
            url,
            engine: Engine::Sqlite,
            remains: Remains::Directory {
                _removed_on_drop: directory,
            },
        }
    }

    /// A database on the test server, or `None` if there is no server and none is required.
    ///
    /// # Panics
    ///
    /// If a server is required and missing, or does not work.
    pub async fn postgres() -> Option<Self> {
        let server = test_server()?;
        let name = name();
        administer(&server, &format!("CREATE DATABASE {name}")).await;
        let url = with_database(&server, &name);
        Some(Self {
            url,
            engine: Engine::Postgres,
            remains: Remains::Database { server, name },
        })
    }

    /// One of each engine that can be tested here.
    pub async fn each() -> Vec<Self> {
        let mut each = vec![Self::sqlite()];
        each.extend(Self::postgres().await);
        each
    }

    /// What [`Db::connect`] takes.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Opens it. May be called several times, for several processes as it were.
    ///
    /// # Panics
    ///
    /// If it cannot be opened.
    pub async fn connect(&self) -> Db {
        Db::connect(&self.url).await.expect("the scratch database opens")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Remains::Database { server, name } = &self.remains else {
            return;
        };
        let (server, sql) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // A thread of its own: a runtime cannot be entered twice, and Drop cannot wait in it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("a runtime can be built")
                .block_on(administer(&server, &sql));
        });
        let dropped = dropped.join();
        if !std::thread::panicking() {
            dropped.unwrap_or_else(|panic| resume_unwind(panic));
        }
    }
}

/// Runs `test` on a fresh database of each engine and closes it.
///
/// # Panics
///
/// If `test` does; the engine is printed before.
#[expect(
    clippy::print_stderr,
    reason = "the test runner shows it beside the panic's own text"
)]
pub async fn on_each_engine(test: impl AsyncFn(Db)) {
    for scratch in Scratch::each().await {
        let db = scratch.connect().await;
        let outcome = AssertUnwindSafe(test(db.clone())).catch_unwind().await;
        if let Err(panic) = outcome {
            eprintln!("the test failed on {:?}", scratch.engine());
            resume_unwind(panic);
        }
        db.close().await;
    }
}

fn test_server() -> Option<String> {
    let server = variable("GENKAN_TEST_POSTGRES").filter(|url| !url.is_empty());
    let required = variable("CI").is_some() || variable("GENKAN_TEST_REQUIRE_POSTGRES").is_some();
    assert!(
        server.is_some() || !required,
        "GENKAN_TEST_POSTGRES is not set: start a server with scripts/postgres"
    );
    server
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A name that no other test uses, in this process or another.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "genkan_test_{}_{count}_{:08x}",
        std::process::id(),
        crate::postgres::random() as u32
    )
}

/// Replaces the database in a URL.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..]
        .find('/')
        .map_or(base.len(), |at| authority + at);
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}/{name}{separator}{query}", &base[..end])
}

/// Runs one statement that cannot run in a transaction.
async fn administer(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls)
        .await
        .unwrap_or_else(|error| panic!("GENKAN_TEST_POSTGRES does not work: {error}"));
    let connection = tokio::spawn(connection);
    let mut attempts = 0;
    // Copying the template fails while another copies it.
    while let Err(error) = client.batch_execute(sql).await {
        attempts += 1;
        assert!(attempts < 50, "{sql}: {error:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(client);
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        assert_eq!(
            with_database("postgres://u:p@h:1/postgres?a=b", "x"),
            "postgres://u:p@h:1/x?a=b"
        );
        assert_eq!(with_database("postgres://u:p@h:1", "x"), "postgres://u:p@h:1/x");
    }
}
