//! HAProxy in front of servers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::cluster::{as_server, own};
use super::{is_required, url_of};

const PROGRAMS: [&str; 3] = [
    "/usr/sbin/haproxy",
    "/usr/bin/haproxy",
    "/opt/homebrew/bin/haproxy",
];

/// An HAProxy of one test. It ends when this is dropped.
#[derive(Debug)]
pub struct Balancer {
    directory: TempDir,
    process: Child,
}

impl Balancer {
    /// An HAProxy with the sections that `sections` writes. It gets a directory of the HAProxy's own, where
    /// sockets may be. `None` if HAProxy is not installed and not required.
    ///
    /// # Panics
    ///
    /// If it is required and missing, or does not start.
    pub async fn start(sections: impl FnOnce(&Path) -> String) -> Option<Self> {
        let program = PROGRAMS
            .iter()
            .map(PathBuf::from)
            .find(|program| program.exists());
        let Some(program) = program else {
            assert!(!is_required(), "haproxy is not installed");
            return None;
        };
        let directory = tempfile::Builder::new()
            .prefix("genkan-lb-")
            .tempdir()
            .expect("a temporary directory can be created");
        let settings = directory.path().join("haproxy.cfg");
        let text = format!(
            "global\n  stats socket {}/admin mode 600 level admin\n  log stdout format raw local0\n  nbthread 1\n{}",
            directory.path().display(),
            sections(directory.path())
        );
        std::fs::write(&settings, text).expect("its settings can be written");
        let log = std::fs::File::create(directory.path().join("log")).expect("its log can be written");
        own(directory.path());
        let process = as_server(&program)
            .arg("-db")
            .arg("-f")
            .arg(&settings)
            .stdout(log.try_clone().expect("a file has a second handle"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("haproxy starts");
        let mut balancer = Self { directory, process };
        while UnixStream::connect(balancer.admin()).is_err() {
            let ended = balancer.process.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "haproxy ended: {}", balancer.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(balancer)
    }

    fn admin(&self) -> PathBuf {
        self.directory.path().join("admin")
    }

    /// Runs an administrator's command, such as `set server …`, and returns the answer.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn command(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(self.admin()).expect("haproxy listens to its administrator");
        stream
            .write_all(format!("{line}\n").as_bytes())
            .expect("haproxy reads commands");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("haproxy answers");
        answer.trim().to_owned()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// An address for [`Db::connect`](crate::Db::connect), if a section listens on `.s.PGSQL.5432` in its directory.
    pub fn url(&self) -> String {
        url_of(self.directory.path())
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
