//! Runs plugins that may reach only the hosts granted to them.
//!
//! Each plugin call is a run of its own: a method and JSON go in, standard output
//! comes out, and nothing of the run stays. Every engine implements [`Backend`];
//! [`egress`] decides for every engine which hosts a plugin may reach.

pub mod egress;
#[cfg(any(feature = "jail", feature = "microvm"))]
pub mod guest;
#[cfg(all(feature = "jail", target_os = "linux"))]
pub mod jail;
#[cfg(all(feature = "microvm", unix))]
pub mod microvm;
#[cfg(any(feature = "jail", feature = "microvm"))]
mod output;
#[cfg(feature = "wasm")]
pub mod wasm;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use egress::{Denial, Egress};

/// The file of a plugin package that is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A WebAssembly component that exports the plugin world.
    Component(PathBuf),
    /// One ECMAScript module without imports beside it (`run.js`).
    JsBundle(PathBuf),
    /// An executable for this machine.
    Native(PathBuf),
}

/// The engines, strongest boundary last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendKind {
    Jail,
    Wasm,
    Microvm,
}

/// One plugin as an engine sees it.
#[derive(Debug, Clone)]
pub struct PluginSpec {
    /// The package name without its leading `@` and with `-` for `/`.
    pub id: String,
    pub artifact: Artifact,
    /// SHA-512 of the artifact's file; an engine refuses a file that differs.
    pub sha512: [u8; 64],
    pub egress: Arc<Egress>,
    pub limits: Limits,
}

/// The limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Bytes of standard output, and of standard error.
    pub output_bytes: usize,
    /// Bytes of all HTTP answers together, after which connections are cut.
    pub received_bytes: u64,
    /// Bytes sent to the outside.
    pub sent_bytes: u64,
    /// Connections open at one moment.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            memory_bytes: 256 * MIB,
            cpu: Duration::from_secs(10),
            output_bytes: 1 << 20,
            received_bytes: 16 * MIB,
            sent_bytes: 4 * MIB,
            connections: 16,
        }
    }
}

/// One call of a plugin.
#[derive(Debug)]
pub struct Call<'a> {
    pub method: &'a str,
    pub params_json: &'a str,
    pub params_by: ParamsBy,
    /// The plugin's whole environment.
    pub env: &'a [(String, Secret)],
    /// Wall-clock time, waiting and the start of a process or a machine included.
    pub timeout: Duration,
}

/// How a native program gets its parameters. Other artifacts have no choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ParamsBy {
    /// As its second argument, which every user of the machine can read.
    #[default]
    Argument,
    /// On its standard input, for a program that reads them there.
    Input,
}

/// A value that is wiped, and that `Debug` does not show.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself, for the place where it is handed over.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The outcome of a call.
#[derive(Debug, Default)]
pub struct CallOutcome {
    pub stdout: Vec<u8>,
    /// The beginning of standard error, for authors.
    pub stderr: Vec<u8>,
    pub exit: i32,
    /// The connections that the plugin was refused.
    pub denials: Vec<Denial>,
    pub usage: Usage,
}

/// The resources that a call used, as far as the engine can tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub wall: Duration,
    pub cpu: Option<Duration>,
    pub memory_bytes: Option<u64>,
}

/// Why a call has no outcome. The plugin's own failures are outcomes.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the plugin took longer than {0:?} and was stopped")]
    Timeout(Duration),
    #[error("the plugin used up its processor time and was stopped")]
    Cpu,
    #[error("the plugin used more memory than it may and was stopped")]
    Memory,
    #[error("the plugin wrote more output than it may and was stopped")]
    OutputLimit,
    /// The plugin ended without an answer.
    #[error("the plugin crashed: {0}")]
    Crashed(String),
    /// The artifact is not the verified one, or needs something that this engine does not offer.
    #[error("the plugin was refused: {0}")]
    Refused(String),
    #[error("this sandbox engine does not work here: {0}")]
    Unavailable(String),
}

/// A call that failed, and what it had tried to reach until then.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct CallFailure {
    #[source]
    pub error: SandboxError,
    pub denials: Vec<Denial>,
}

impl From<SandboxError> for CallFailure {
    fn from(error: SandboxError) -> Self {
        Self {
            error,
            denials: Vec::new(),
        }
    }
}

/// Whether an engine works on this machine, found by a call in it.
#[derive(Debug, Clone)]
pub enum Probe {
    /// It works; a short sentence says what ran.
    Works(String),
    /// It does not work: the reason, and how to fix it.
    Fails { reason: String, fix: String },
}

/// A sandbox engine.
#[async_trait]
pub trait Backend: Send + Sync {
    fn kind(&self) -> BackendKind;

    /// Runs a real call in the engine: files that exist prove nothing.
    async fn probe(&self) -> Probe;

    /// Whether this engine can run such an artifact.
    ///
    /// # Errors
    ///
    /// A sentence that says why not.
    fn supports(&self, artifact: &Artifact) -> Result<(), String>;

    /// Reads, checks and compiles a plugin once, so that calls are quick.
    async fn prepare(&self, plugin: &PluginSpec) -> Result<Box<dyn Prepared>, SandboxError>;
}

/// A plugin that is ready to be called, any number of times and at the same time.
#[async_trait]
pub trait Prepared: Send + Sync {
    async fn call(&self, call: Call<'_>) -> Result<CallOutcome, CallFailure>;
}
