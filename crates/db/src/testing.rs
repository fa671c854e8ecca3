//! Scratch databases for tests, of both engines.
//!
//! PostgreSQL is used if `GENKAN_TEST_POSTGRES` holds the URL of a superuser;
//! `scripts/postgres start` prints one. Where the environment has `CI` or
//! `GENKAN_TEST_REQUIRE_POSTGRES`, a test fails without it instead of testing
//! half.
//!
//! There each test has a schema of its own, which nobody can tell from a
//! database of its own: creating and dropping one of those takes a second.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

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
    Schema { server: String, name: String },
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

    /// A schema on the test server, or `None` if there is no server and none is required.
    ///
    /// # Panics
    ///
    /// If a server is required and missing, or does not work.
    pub async fn postgres() -> Option<Self> {
        let server = test_server()?;
        let name = name();
        administer(&server, &format!("CREATE SCHEMA {name}")).await;
        let url = with_schema(&server, &name);
        Some(Self {
            url,
            engine: Engine::Postgres,
            remains: Remains::Schema { server, name },
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

    /// Runs a dump of this engine's own tool on it, before anybody opens it.
    ///
    /// # Panics
    ///
    /// If it is not understood.
    pub async fn load(&self, dump: &str) {
        match &self.remains {
            Remains::Directory { .. } => {
                let path = self.url.trim_start_matches("sqlite:");
                let connection = rusqlite::Connection::open(path).expect("the scratch file opens");
                connection.execute_batch(dump).expect("the dump is understood");
            }
            Remains::Schema { .. } => administer(&self.url, dump).await,
        }
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
        let Remains::Schema { server, name } = &self.remains else {
            return;
        };
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}';
             DROP SCHEMA {name} CASCADE"
        );
        let server = server.clone();
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

/// Makes a schema the one that names without a schema are looked up in.
fn with_schema(url: &str, name: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    // The application's name finds the connections that a test left open.
    format!("{url}{separator}options=-csearch_path%3D{name}&application_name={name}")
}

async fn administer(server: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(server, NoTls)
        .await
        .unwrap_or_else(|error| panic!("GENKAN_TEST_POSTGRES does not work: {error}"));
    let connection = tokio::spawn(connection);
    client
        .batch_execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{:.200}: {error:?}", sql));
    drop(client);
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_added_to_a_url() {
        let parameters = "options=-csearch_path%3Dx&application_name=x";
        assert_eq!(
            with_schema("postgres://u:p@h:1/d", "x"),
            format!("postgres://u:p@h:1/d?{parameters}")
        );
        assert_eq!(
            with_schema("postgres://h/d?a=b", "x"),
            format!("postgres://h/d?a=b&{parameters}")
        );
    }
}
