//! The command line, as a process of its own on a real database.

mod applications;
mod attributes;
mod changes;
mod claims;
mod clients;
mod connection;
mod dev;
mod directory;
mod doctor;
mod documents;
mod domains;
mod environment;
mod frame;
mod import;
mod membership;
mod migrate;
mod one_answer;
mod organizations;
mod other_ways;
mod printed;
mod printed_commands;
mod roles;
mod running_server;
mod saml;
mod sessions;
mod upkeep;
mod users;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use genkan::config::{Config, Environment, InstanceKeyBytes};
use genkan::server;
use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use serde_json::Value;
use tempfile::TempDir;

/// The binary under test, without anything of this process's configuration.
pub(super) fn genkan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genkan"));
    #[expect(
        clippy::disallowed_methods,
        reason = "the child must not inherit the tests' own variables"
    )]
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GENKAN_")) {
        command.env_remove(name);
    }
    command
}

/// An instance that was set up, whose server does not run.
struct Instance {
    folder: TempDir,
    config: PathBuf,
    _database: Scratch,
}

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Asserts that the command ended with `code` and said `words`.
    #[track_caller]
    fn failed(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(
            self.stderr.contains(words),
            "expected {words:?} in:\n{}",
            self.stderr
        );
        assert_eq!(self.stdout, "", "a failure printed an answer");
    }
}

impl Ran {
    /// Asserts that the command failed with `words`, though it had something to tell.
    #[track_caller]
    fn fails_after_an_answer(&self, words: &str) {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(
            self.stderr.contains(words),
            "expected {words:?} in:\n{}",
            self.stderr
        );
    }
}

/// Configuration of an instance at `public_url` on `database`.
fn configuration(public_url: &str, listen: &str, database: &str) -> String {
    format!(
        "public_url = \"{public_url}\"\nlisten = \"{listen}\"\ninstance_key_file = \"instance.key\"\n\
         [database]\nurl = \"{database}\"\n[outbound]\nallow_private_addresses = true\n"
    )
}

impl Instance {
    /// A production instance on SQLite.
    async fn new() -> Self {
        Self::on(Scratch::sqlite_with(MIGRATIONS).await, Kind::Production).await
    }

    async fn development() -> Self {
        Self::on(Scratch::sqlite_with(MIGRATIONS).await, Kind::Development).await
    }

    async fn on(database: Scratch, kind: Kind) -> Self {
        let instance = Self::bare(database);
        instance.set_up(kind).await;
        instance
    }

    /// One that was never started.
    fn bare(database: Scratch) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("genkan.toml");
        let text = configuration("https://auth.example.com", "127.0.0.1:1", database.url());
        std::fs::write(&config, text).unwrap();
        InstanceKeyBytes::generate()
            .write_new_file(&folder.path().join("instance.key"))
            .unwrap();
        Self {
            folder,
            config,
            _database: database,
        }
    }

    async fn set_up(&self, kind: Kind) {
        let config = self.config();
        let key = server::instance_key(&config).unwrap();
        let db = server::open_database(&config).await.unwrap();
        server::ensure_environment(&db, &key, &config, kind)
            .await
            .unwrap();
        db.close().await;
    }

    fn config(&self) -> Config {
        Config::load(Some(&self.config), &Environment::default()).unwrap()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = genkan();
        command
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .current_dir(self.path());
        command
    }

    /// Runs a command without a terminal.
    fn run(&self, words: &[&str]) -> Ran {
        self.command(words).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Runs a command that reads `input`.
    fn run_with(&self, input: &str, words: &[&str]) -> Ran {
        let mut command = self.command(words);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its arguments reads nothing, and may have ended before it is written to.
        if let Err(error) = child.stdin.take().unwrap().write_all(input.as_bytes()) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
        }
        child.wait_with_output().unwrap().into()
    }

    /// Runs a command and reads its answer.
    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        self.run(&[words, &["--json"]].concat()).json()
    }
}

/// The text at `pointer` of a JSON document.
#[track_caller]
fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} in {document}"))
}

/// The identifiers in a listing.
#[track_caller]
fn ids(listing: &Value, plural: &str) -> Vec<String> {
    listing[plural]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| text(row, "/id").to_owned())
        .collect()
}
