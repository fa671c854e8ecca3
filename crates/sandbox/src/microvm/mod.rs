//! The microVM: a fresh virtual machine per call, through `openneko-microvm`.
//!
//! That is a program of its own (`engines/microvm`), because microsandbox is large
//! and brings its own SQLite. It only runs the machine. Egress is decided here, by
//! the same code as for every engine: the machine's network stack asks this process
//! for names and connections.

mod run;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;

use crate::egress::{Egress, SystemResolver, TrustRoots};
use crate::{
    Artifact, Backend, BackendKind, Call, CallFailure, CallOutcome, Limits, PluginSpec, Prepared, Probe,
    SandboxError,
};

/// A plugin that answers from a machine that is not this one.
const SMOKE: &str = "process.stdout.write(JSON.stringify({ ok: true, node: process.version }))";

/// How long a first boot may take: the image may have to be fetched.
const PROBE_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest artifact.
const MOST_BYTES: u64 = 256 << 20;

/// The options of the engine.
#[derive(Debug, Clone)]
pub struct MicrovmOptions {
    /// `openneko-microvm`.
    pub program: PathBuf,
    /// An OCI image with Node.js, best named with its digest, or a directory.
    pub image: String,
    /// Certificate authorities (PEM) beside the public ones, shown to the plugin.
    pub extra_authorities: Option<String>,
    /// The program's environment: `HOME`, where microsandbox keeps its files.
    pub env: Vec<(String, String)>,
}

/// The engine.
#[derive(Debug, Clone)]
pub struct Microvm(Arc<MicrovmOptions>);

impl Microvm {
    pub fn new(options: MicrovmOptions) -> Self {
        Self(Arc::new(options))
    }
}

/// A plugin whose bytes were checked.
struct Program {
    options: Arc<MicrovmOptions>,
    egress: Arc<Egress>,
    limits: Limits,
    native: bool,
    artifact: Vec<u8>,
}

#[async_trait]
impl Backend for Microvm {
    fn kind(&self) -> BackendKind {
        BackendKind::Microvm
    }

    async fn probe(&self) -> Probe {
        match run::diagnose(&self.0).await {
            Ok(()) => {}
            Err(failed) => return failed.into(),
        }
        let program = Program {
            options: Arc::clone(&self.0),
            egress: Arc::new(Egress::new(
                Vec::new(),
                TrustRoots::public(),
                Arc::new(SystemResolver),
            )),
            limits: Limits::default(),
            native: false,
            artifact: SMOKE.as_bytes().to_vec(),
        };
        let call = Call {
            method: "smoke",
            params_json: "{}",
            params_by: crate::ParamsBy::Argument,
            env: &[],
            timeout: PROBE_TIMEOUT,
        };
        match run::run(&program, &call).await {
            Ok(outcome) if outcome.stdout.starts_with(b"{\"ok\":true") => {
                Probe::Works("booted a virtual machine and ran Node.js in it".to_owned())
            }
            Ok(outcome) => Probe::Fails {
                reason: format!("A test plugin gave no good answer (exit code {}).", outcome.exit),
                fix: format!("Check that the image {} has Node.js 20 or later.", self.0.image),
            },
            Err(stopped) => stopped.into(),
        }
    }

    fn supports(&self, artifact: &Artifact) -> Result<(), String> {
        match artifact {
            Artifact::Component(_) => {
                Err("the microVM runs JavaScript and native programs, not components".to_owned())
            }
            Artifact::JsBundle(_) | Artifact::Native(_) => Ok(()),
        }
    }

    async fn prepare(&self, plugin: &PluginSpec) -> Result<Box<dyn Prepared>, SandboxError> {
        let (path, native) = match &plugin.artifact {
            Artifact::JsBundle(path) => (path.clone(), false),
            Artifact::Native(path) => (path.clone(), true),
            Artifact::Component(_) => return Err(SandboxError::Refused("it is a component".to_owned())),
        };
        let read = tokio::task::spawn_blocking(move || read(&path));
        let artifact = read
            .await
            .map_err(|error| SandboxError::Unavailable(error.to_string()))?
            .map_err(|error| SandboxError::Refused(format!("its file cannot be read: {error}")))?;
        if digest::digest(&digest::SHA512, &artifact).as_ref() != plugin.sha512 {
            return Err(SandboxError::Refused(
                "its file is not the one that was verified".to_owned(),
            ));
        }
        Ok(Box::new(Program {
            options: Arc::clone(&self.0),
            egress: Arc::clone(&plugin.egress),
            limits: plugin.limits,
            native,
            artifact,
        }))
    }
}

fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other("larger than 256 MiB"));
    }
    Ok(bytes)
}

#[async_trait]
impl Prepared for Program {
    async fn call(&self, call: Call<'_>) -> Result<CallOutcome, CallFailure> {
        run::run(self, &call)
            .await
            .map_err(run::InterruptedCall::into_failure)
    }
}
