//! The Linux jail: namespaces, Landlock and seccomp around an ordinary process.
//!
//! It runs JavaScript plugins with the machine's Node.js, unmodified, and native
//! programs. A plugin sees its own file, the program that runs it with its
//! libraries, and a small `/tmp`. It sees no `/proc`, no other process, and only
//! the network that [`egress`](crate::egress) allows. The jail needs no root and
//! no daemon, but the kernel must let ordinary users make namespaces.
//!
//! A helper process with one thread builds the jail: see [`init_main`].

mod artifact;
mod call;
mod cgroup;
mod control;
mod elf;
mod explain;
mod init;
mod network;
mod probe;
mod program;
mod wire;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use artifact::SealedFile;

use crate::egress::Egress;
use crate::{
    Artifact, Backend, BackendKind, Call, CallFailure, CallOutcome, Limits, PluginSpec, Prepared, Probe,
    SandboxError,
};

pub use init::init_main;
pub use program::find_node;

/// How many different ports one plugin may be granted.
const MOST_PORTS: usize = 32;

/// The first argument with which `openneko` becomes the helper.
pub const INIT_ARGUMENT: &str = "jail-init";

/// How the helper is started: a program that calls [`init_main`] before
/// anything else when it gets these arguments.
#[derive(Debug, Clone)]
pub struct JailInit {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl JailInit {
    /// The running program itself, also after its file was replaced:
    ///
    /// ```ignore
    /// if std::env::args_os().nth(1).is_some_and(|first| first == jail::INIT_ARGUMENT) {
    ///     return jail::init_main();
    /// }
    /// ```
    pub fn this_program() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            args: vec![INIT_ARGUMENT.into()],
        }
    }
}

/// The options of the jail.
#[derive(Debug, Clone)]
pub struct JailOptions {
    pub init: JailInit,
    /// Node.js, for JavaScript plugins: see [`find_node`].
    pub node: Option<PathBuf>,
    /// Certificate authorities (PEM) beside the public ones, shown to the
    /// plugin, which does its own TLS.
    pub extra_authorities: Option<String>,
}

/// The engine.
#[derive(Debug, Clone)]
pub struct Jail(Arc<Machine>);

/// What the engine's clones share.
#[derive(Debug)]
struct Machine {
    options: JailOptions,
    /// Asked once.
    node_major: OnceLock<u32>,
    /// The delegated control group, if there is one.
    delegated: Option<PathBuf>,
}

impl Jail {
    pub fn new(options: JailOptions) -> Self {
        Self(Arc::new(Machine {
            options,
            node_major: OnceLock::new(),
            delegated: cgroup::delegated(),
        }))
    }
}

#[async_trait]
impl Backend for Jail {
    fn kind(&self) -> BackendKind {
        BackendKind::Jail
    }

    async fn probe(&self) -> Probe {
        probe::probe(self).await
    }

    fn supports(&self, artifact: &Artifact) -> Result<(), String> {
        match artifact {
            Artifact::Component(_) => {
                Err("the jail runs JavaScript and native programs, not components".to_owned())
            }
            Artifact::JsBundle(_) if self.0.options.node.is_none() => {
                Err("Node.js, which runs JavaScript plugins in the jail, is not installed".to_owned())
            }
            Artifact::JsBundle(_) | Artifact::Native(_) => Ok(()),
        }
    }

    async fn prepare(&self, plugin: &PluginSpec) -> Result<Box<dyn Prepared>, SandboxError> {
        self.supports(&plugin.artifact).map_err(SandboxError::Refused)?;
        let machine = Arc::clone(&self.0);
        let plugin = plugin.clone();
        // Reading and hashing megabytes is no work for the runtime's threads.
        let prepared = tokio::task::spawn_blocking(move || Program::prepare(machine, &plugin));
        let program = prepared
            .await
            .map_err(|error| SandboxError::Unavailable(error.to_string()))??;
        Ok(Box::new(program))
    }
}

/// A plugin whose bytes were checked and whose libraries were found.
struct Program {
    machine: Arc<Machine>,
    egress: Arc<Egress>,
    limits: Limits,
    kind: RunnerKind,
    /// Of Node.js, where that runs it.
    node_major: u32,
    artifact: SealedFile,
    /// Program and first arguments, as paths inside.
    command: Vec<String>,
    needs: program::Needs,
    ports: Vec<u16>,
}

impl Program {
    fn prepare(machine: Arc<Machine>, plugin: &PluginSpec) -> Result<Self, SandboxError> {
        let (path, kind) = match &plugin.artifact {
            Artifact::JsBundle(path) => (path, RunnerKind::JsBundle),
            Artifact::Native(path) => (path, RunnerKind::Native),
            Artifact::Component(_) => return Err(SandboxError::Refused("it is a component".to_owned())),
        };
        let artifact = SealedFile::read(path)?;
        artifact.verify(&plugin.sha512)?;
        Self::build(machine, kind, artifact, Arc::clone(&plugin.egress), plugin.limits)
    }

    fn build(
        machine: Arc<Machine>,
        kind: RunnerKind,
        artifact: SealedFile,
        egress: Arc<Egress>,
        limits: Limits,
    ) -> Result<Self, SandboxError> {
        let mut node_major = 0;
        let (command, needs) = match kind {
            RunnerKind::Native => {
                let refuse = |reason| SandboxError::Refused(format!("its program cannot run here: {reason}"));
                let needs = program::of(&artifact.file, None).map_err(refuse)?;
                (vec![call::NATIVE.to_owned()], needs)
            }
            RunnerKind::JsBundle => {
                let node = machine.options.node.as_deref();
                let node =
                    node.ok_or_else(|| SandboxError::Unavailable("Node.js is not installed".to_owned()))?;
                let needs = program::node(node).map_err(SandboxError::Unavailable)?;
                node_major = *machine.node_major.get_or_init(|| program::node_major(node));
                // V8 must know the limit, or it collects garbage too late.
                let heap = format!("--max-old-space-size={}", (limits.memory_bytes >> 20).max(1));
                let params = format!("--require={}", call::PARAMS_PATH);
                (
                    vec![program::NODE.to_owned(), heap, params, call::BUNDLE.to_owned()],
                    needs,
                )
            }
        };
        let mut ports: Vec<u16> = egress.grants().iter().map(|grant| grant.port).collect();
        // Always listening, so that an attempt at it is logged.
        ports.push(crate::egress::HTTPS);
        ports.sort_unstable();
        ports.dedup();
        if ports.len() > MOST_PORTS {
            let reason = format!("more than {MOST_PORTS} ports are granted to it");
            return Err(SandboxError::Refused(reason));
        }
        Ok(Self {
            machine,
            egress,
            limits,
            kind,
            node_major,
            artifact,
            command,
            needs,
            ports,
        })
    }
}

/// What can run in the jail.
#[derive(Debug, Clone, Copy)]
enum RunnerKind {
    JsBundle,
    Native,
}

#[async_trait]
impl Prepared for Program {
    async fn call(&self, call: Call<'_>) -> Result<CallOutcome, CallFailure> {
        call::run(self, &call)
            .await
            .map_err(|stopped| stopped.into_failure())
    }
}
