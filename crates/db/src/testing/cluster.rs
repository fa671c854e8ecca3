//! A PostgreSQL server of one test, which can stop it, start it again, give it a standby and promote that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{administer, server_programs, test_server};

/// A server on a socket in a directory of its own. It is stopped and removed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    directory: TempDir,
}

impl Cluster {
    /// A new server, or `None` if there is no test server and none is required.
    ///
    /// # Panics
    ///
    /// If a server is required and PostgreSQL's programs are missing, or do not work.
    pub async fn start() -> Option<Self> {
        test_server()?;
        let cluster = Self::empty(server_programs());
        let data = cluster.data();
        let mut command = cluster.command("initdb");
        command.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(command.arg("-D").arg(&data));
        // A test may lose its data in a power cut.
        cluster
            .configure("fsync = off\nmax_connections = 40\nshared_buffers = 16MB\nlisten_addresses = ''\n");
        // If the server comes back, its standby connects again at once.
        cluster.configure("wal_level = replica\nmax_wal_senders = 4\nwal_retrieve_retry_interval = 200ms\n");
        cluster.launch();
        Some(cluster)
    }

    /// A standby that follows this one.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn standby(&self) -> Self {
        let standby = Self::empty(self.programs.clone());
        let mut command = self.command("pg_basebackup");
        command.args([
            "--checkpoint=fast",
            "--no-sync",
            "--write-recovery-conf",
            "--wal-method=stream",
        ]);
        run(command
            .args(["-U", "postgres", "-h"])
            .arg(self.directory())
            .arg("-D")
            .arg(standby.data()));
        standby.launch();
        standby
    }

    fn empty(programs: PathBuf) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("genkan-pg-")
            .tempdir()
            .expect("a temporary directory can be created");
        own(directory.path());
        Self { programs, directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The directory of its socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The URL for [`Db::connect`](crate::Db::connect).
    pub fn url(&self) -> String {
        url(self.directory())
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn launch(&self) {
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).args(["-w", "-t", "60", "-l"]);
        command.arg(self.directory().join("log")).arg("-o");
        run(command
            .arg(format!("-k {}", self.directory().display()))
            .arg("start"));
    }

    /// Stops it: `immediate` as a crash would, or `fast`.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop(&self, mode: &str) {
        let mut command = self.command("pg_ctl");
        run(command
            .arg("-D")
            .arg(self.data())
            .args(["-w", "-m", mode, "stop"]));
    }

    /// Makes a standby the primary.
    ///
    /// # Panics
    ///
    /// If it is no standby.
    pub fn promote(&self) {
        let mut command = self.command("pg_ctl");
        run(command.arg("-D").arg(self.data()).args(["-w", "promote"]));
    }

    /// Freezes all its processes: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        // The main process comes first, because it starts others.
        self.signal("STOP", |main| vec![main]);
        self.signal("STOP", children);
    }

    /// Lets frozen processes go on.
    pub fn thaw(&self) {
        self.signal("CONT", children);
        self.signal("CONT", |main| vec![main]);
    }

    fn signal(&self, signal: &str, processes: impl FnOnce(u32) -> Vec<u32>) {
        let started = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(main) = started.lines().next().and_then(|line| line.parse().ok()) else {
            return;
        };
        for process in processes(main) {
            // One may have ended meanwhile.
            let _ = Command::new("kill")
                .args([format!("-{signal}"), process.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Runs SQL on it, as its superuser.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub async fn administer(&self, sql: &str) {
        administer(&self.url(), sql).await;
    }

    /// Adds lines to its settings, for the next start or reload.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn configure(&self, lines: &str) {
        use std::io::Write;
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"));
        file.expect("the settings are there")
            .write_all(lines.as_bytes())
            .expect("the settings can be written");
    }

    fn command(&self, program: &str) -> Command {
        as_server(&self.programs.join(program))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.thaw();
        let mut command = self.command("pg_ctl");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-m", "immediate", "stop"]);
        let _ = command.output();
    }
}

/// The URL of the server whose socket is in `directory`.
pub fn url(directory: &Path) -> String {
    let place = directory.display().to_string().replace('/', "%2F");
    format!("postgres://postgres@{place}/postgres")
}

/// Makes a directory the property of the user that servers run as.
pub(super) fn own(directory: &Path) {
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(directory, Some(user), Some(group)).expect("root may give files away");
    }
}

/// A command for a program that refuses to run as root.
pub(super) fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = server_user() {
        std::os::unix::process::CommandExt::gid(&mut command, group);
        std::os::unix::process::CommandExt::uid(&mut command, user);
    }
    command
}

/// A user other than root, if this process is root's.
fn server_user() -> Option<(u32, u32)> {
    let mine = std::fs::metadata("/proc/self").expect("this process has a user");
    if std::os::unix::fs::MetadataExt::uid(&mine) != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the users are listed");
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// The processes that `parent` has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // proc(5): the name is in parentheses, then come the state and the parent.
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            after_name.split_whitespace().nth(1) == Some(&parent.to_string())
        })
        .collect()
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}
