//! PgBouncer in front of a server.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::cluster::{Cluster, as_server, own};
use super::{is_required, url_of};

const PROGRAMS: [&str; 3] = [
    "/usr/sbin/pgbouncer",
    "/usr/bin/pgbouncer",
    "/opt/homebrew/bin/pgbouncer",
];

/// A PgBouncer of one test. It ends when this is dropped.
#[derive(Debug)]
pub struct Pooler {
    directory: TempDir,
    process: Child,
}

impl Pooler {
    /// A PgBouncer with this `mode` and number of `connections` to the server. `None` if PgBouncer is not
    /// installed and not required.
    ///
    /// # Panics
    ///
    /// If it is required and missing, or does not start.
    pub async fn start(server: &Cluster, mode: &str, connections: u32) -> Option<Self> {
        let program = PROGRAMS
            .iter()
            .map(PathBuf::from)
            .find(|program| program.exists());
        let Some(program) = program else {
            assert!(!is_required(), "pgbouncer is not installed");
            return None;
        };
        let directory = tempfile::Builder::new()
            .prefix("genkan-pool-")
            .tempdir()
            .expect("a temporary directory can be created");
        let settings = directory.path().join("pgbouncer.ini");
        let (place, from) = (directory.path().display(), server.directory().display());
        let text = format!(
            "[databases]\n* = host={from} port=5432 user=postgres\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = 5432\nunix_socket_dir = {place}\nauth_type = any\n\
             pool_mode = {mode}\ndefault_pool_size = {connections}\nmax_client_conn = 200\n\
             server_login_retry = 1\nlogfile = {place}/log\n"
        );
        std::fs::write(&settings, text).expect("its settings can be written");
        own(directory.path());
        let process = as_server(&program)
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        let pooler = Self { directory, process };
        for _ in 0..100 {
            if pooler.socket().exists() {
                return Some(pooler);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("pgbouncer does not listen");
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join(".s.PGSQL.5432")
    }

    /// The directory of its socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The URL for [`Db::connect`](crate::Db::connect).
    pub fn url(&self) -> String {
        url_of(self.directory())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
