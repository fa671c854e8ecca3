//! Scratch databases for tests, of both engines.
//!
//! PostgreSQL is used if `GENKAN_TEST_POSTGRES` holds the URL of a superuser. `scripts/postgres start`
//! starts such a server and prints it. If the environment has `CI` or `GENKAN_TEST_REQUIRE_POSTGRES`, a
//! test fails without PostgreSQL instead of testing only half.
//!
//! On PostgreSQL an empty database is a schema of its own, because it is made sooner and behaves the same.
//! A database with migrations is a copy of one that was migrated once, because the migrations would take
//! most of the time of a test.

mod balancer;
mod cluster;
mod language;
mod pooler;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::migrate::fingerprint;
use crate::{Db, Engine, Migration};

pub use balancer::Balancer;
pub use cluster::{Cluster, url as url_of};
pub use pooler::Pooler;

/// A database that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    url: String,
    engine: Engine,
    remains: Remains,
}

/// What must be removed.
#[derive(Debug)]
enum Remains {
    Directory {
        _removed_on_drop: TempDir,
    },
    Schema {
        server: String,
        name: String,
    },
    Database {
        server: String,
        name: String,
    },
    /// The database and the role have the same name.
    DatabaseOfRole {
        server: String,
        name: String,
    },
    /// It is removed with its server.
    Nothing,
}

impl Scratch {
    /// An empty file in a directory of its own.
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

    /// As [`Scratch::sqlite`], with `migrations` applied.
    ///
    /// # Panics
    ///
    /// If a migration fails.
    pub async fn sqlite_with(migrations: &[Migration]) -> Self {
        static MIGRATED: LazyLock<Mutex<HashMap<String, Arc<[u8]>>>> = LazyLock::new(Mutex::default);

        let scratch = Self::sqlite();
        let path = scratch.url.trim_start_matches("sqlite:");
        let mut migrated = MIGRATED.lock().await;
        let name = template_name(migrations);
        if let Some(file) = migrated.get(&name).cloned() {
            drop(migrated);
            std::fs::write(path, file).expect("the scratch file can be written");
        } else {
            migrate(&scratch.url, migrations).await;
            let file = std::fs::read(path).expect("the scratch file can be read");
            migrated.insert(name, file.into());
        }
        scratch
    }

    /// An empty schema on the test server, or `None` if there is no server and none is required.
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

    /// A database on the test server with `migrations` applied, or `None` as in [`Scratch::postgres`].
    ///
    /// # Panics
    ///
    /// If a server is required and missing, or does not work.
    pub async fn postgres_with(migrations: &[Migration]) -> Option<Self> {
        let server = test_server()?;
        let name = name();
        let template = template(&server, migrations).await;
        administer(&server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        // The application's name finds the connections that a test left open.
        let url = with_parameter(
            &with_database(&server, &name),
            &format!("application_name={name}"),
        );
        Some(Self {
            url,
            engine: Engine::Postgres,
            remains: Remains::Database { server, name },
        })
    }

    /// The database of a test's own server.
    pub fn on(cluster: &Cluster) -> Self {
        Self {
            url: cluster.url(),
            engine: Engine::Postgres,
            remains: Remains::Nothing,
        }
    }

    /// An empty database of each engine that can be tested here.
    pub async fn each() -> Vec<Self> {
        let mut each = vec![Self::sqlite()];
        each.extend(Self::postgres().await);
        each
    }

    /// A database of each engine that can be tested here, with `migrations` applied.
    pub async fn each_with(migrations: &[Migration]) -> Vec<Self> {
        let mut each = vec![Self::sqlite_with(migrations).await];
        each.extend(Self::postgres_with(migrations).await);
        each
    }

    /// The URL for [`Db::connect`].
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Loads a dump of this engine's own tool, before the database is opened.
    ///
    /// # Panics
    ///
    /// If the dump cannot be read.
    pub async fn load(&self, dump: &str) {
        match &self.remains {
            Remains::Directory { .. } => {
                let path = self.url.trim_start_matches("sqlite:");
                let connection = rusqlite::Connection::open(path).expect("the scratch file opens");
                connection.execute_batch(dump).expect("the dump is understood");
            }
            Remains::Schema { server, name } => {
                administer(server, &format!("SET search_path = {name}; {dump}")).await;
            }
            Remains::Database { .. } | Remains::DatabaseOfRole { .. } | Remains::Nothing => {
                administer(&self.url, dump).await;
            }
        }
    }

    /// Opens the database. Call it several times to stand for several processes.
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
        let drop_database = |name| format!("DROP DATABASE {name} WITH (FORCE)");
        let (server, statements) = match &self.remains {
            Remains::Directory { .. } | Remains::Nothing => return,
            Remains::Schema { server, name } => (
                server,
                vec![format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}';
                     DROP SCHEMA {name} CASCADE"
                )],
            ),
            Remains::Database { server, name } => (server, vec![drop_database(name)]),
            Remains::DatabaseOfRole { server, name } => {
                (server, vec![drop_database(name), format!("DROP ROLE {name}")])
            }
        };
        let server = server.clone();
        // On a thread of its own: a runtime cannot be entered twice, and Drop cannot wait in it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(async {
                for sql in statements {
                    administer(&server, &sql).await;
                }
            });
        });
        let dropped = dropped.join();
        if !std::thread::panicking() {
            dropped.unwrap_or_else(|panic| resume_unwind(panic));
        }
    }
}

/// Runs `test` on an empty database of each engine and closes it.
///
/// # Panics
///
/// If `test` does. The engine is printed before.
pub async fn on_each_engine(test: impl AsyncFn(Db)) {
    on_each_opened(Scratch::each().await, test).await;
}

/// As [`on_each_engine`], with `migrations` applied.
///
/// # Panics
///
/// If a migration fails or `test` does.
pub async fn on_each_engine_with(migrations: &[Migration], test: impl AsyncFn(Db)) {
    on_each_opened(Scratch::each_with(migrations).await, test).await;
}

async fn on_each_opened(each: Vec<Scratch>, test: impl AsyncFn(Db)) {
    on_each(each, async |scratch| {
        let db = scratch.connect().await;
        test(db.clone()).await;
        db.close().await;
    })
    .await;
}

/// Runs `test` on each database, which it opens and closes itself.
///
/// # Panics
///
/// If `test` does. The engine is printed before.
#[expect(
    clippy::print_stderr,
    reason = "the test runner shows it beside the panic's own text"
)]
pub async fn on_each(each: Vec<Scratch>, test: impl AsyncFn(Scratch)) {
    for scratch in each {
        let engine = scratch.engine();
        let outcome = AssertUnwindSafe(test(scratch)).catch_unwind().await;
        if let Err(panic) = outcome {
            eprintln!("the test failed on {engine:?}");
            resume_unwind(panic);
        }
    }
}

fn test_server() -> Option<String> {
    let server = variable("GENKAN_TEST_POSTGRES").filter(|url| !url.is_empty());
    assert!(
        server.is_some() || !is_required(),
        "GENKAN_TEST_POSTGRES is not set: start a server with scripts/postgres"
    );
    server
}

fn is_required() -> bool {
    variable("CI").is_some() || variable("GENKAN_TEST_REQUIRE_POSTGRES").is_some()
}

/// The directory of PostgreSQL's programs, of the newest version that is installed.
fn server_programs() -> PathBuf {
    let installed = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt"].into_iter();
    let mut found: Vec<PathBuf> = installed
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|version| version.ok().map(|version| version.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists() && programs.join("pg_basebackup").exists())
        .collect();
    found.sort();
    found
        .pop()
        .expect("a test server runs here, so PostgreSQL's programs are installed")
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

/// Makes `name` the schema in which tables without a schema are found.
fn with_schema(url: &str, name: &str) -> String {
    // The application's name finds the connections that a test left open.
    with_parameter(url, &format!("schema={name}&application_name={name}"))
}

fn with_parameter(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}

/// The URL of the database `name` on the same server.
fn with_database(url: &str, name: &str) -> String {
    let (place, parameters) = match url.split_once('?') {
        Some((place, parameters)) => (place, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let (server, _) = place.rsplit_once('/').expect("the URL names a database");
    format!("{server}/{name}{parameters}")
}

/// The name of a database that exactly these migrations made.
fn template_name(migrations: &[Migration]) -> String {
    let all: String = migrations.iter().map(Migration::checksum).collect();
    format!("genkan_template_{:.16}", fingerprint(&all))
}

/// A database of the test server with `migrations` applied. The first process that needs it makes it.
async fn template(server: &str, migrations: &[Migration]) -> String {
    let name = template_name(migrations);
    let admin = connect(server).await;
    let is_there = format!("SELECT FROM pg_database WHERE datname = '{name}' AND datistemplate");
    if admin
        .query_opt(&is_there, &[])
        .await
        .expect("the test server answers")
        .is_some()
    {
        return name;
    }
    // The number has no meaning. The lock ends with the connection.
    admin
        .batch_execute("SELECT pg_advisory_lock(20261130)")
        .await
        .expect("the test server answers");
    if admin
        .query_opt(&is_there, &[])
        .await
        .expect("the test server answers")
        .is_none()
    {
        // A template without the mark is from a process that was killed.
        for sql in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ] {
            admin.batch_execute(&sql).await.expect("the test server answers");
        }
        migrate(&with_database(server, &name), migrations).await;
        let sql = format!("ALTER DATABASE {name} IS_TEMPLATE true");
        admin.batch_execute(&sql).await.expect("the test server answers");
    }
    name
}

async fn migrate(url: &str, migrations: &[Migration]) {
    let db = Db::connect(url).await.expect("the scratch database opens");
    db.migrate(migrations).await.expect("the migrations apply");
    db.close().await;
}

async fn connect(server: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(server, NoTls)
        .await
        .unwrap_or_else(|error| panic!("GENKAN_TEST_POSTGRES does not work: {error}"));
    tokio::spawn(connection);
    client
}

async fn administer(server: &str, sql: &str) {
    let client = connect(server).await;
    loop {
        match client.batch_execute(sql).await {
            Ok(()) => return,
            // The process that made the template may still be connected.
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{:.200}: {error:?}", sql),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_added_to_a_url() {
        let parameters = "schema=x&application_name=x";
        assert_eq!(
            with_schema("postgres://u:p@h:1/d", "x"),
            format!("postgres://u:p@h:1/d?{parameters}")
        );
        assert_eq!(
            with_schema("postgres://h/d?a=b", "x"),
            format!("postgres://h/d?a=b&{parameters}")
        );
    }

    #[test]
    fn a_database_is_put_in_the_place_of_another() {
        assert_eq!(
            with_database("postgres://u:p@%2Ftmp%2Fx:1/postgres", "y"),
            "postgres://u:p@%2Ftmp%2Fx:1/y"
        );
        assert_eq!(with_database("postgres://h/d?a=/b", "y"), "postgres://h/y?a=/b");
    }
}
