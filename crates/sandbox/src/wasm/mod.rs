//! The WebAssembly engine: plugins that are components, and JavaScript bundles
//! on an engine that is itself a component.
//!
//! A plugin sees no file, no socket, and only its granted environment. Its only
//! egress is HTTP: [`http`] sends its requests, through the gate of the call. Every
//! call has an instance of its own.

mod cache;
mod http;
mod js;
mod linker;
mod run;
mod state;
mod ticker;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA512, digest};
use tokio::sync::OnceCell;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine};

pub use cache::AotCache;

use crate::egress::{Egress, SystemResolver, TrustRoots};
use crate::{
    Artifact, Backend, BackendKind, Call, CallFailure, CallOutcome, Limits, PluginSpec, Prepared, Probe,
    SandboxError,
};
use run::{Program, run};
use state::State;
use ticker::Ticker;

/// A component that answers `call` with its method; [`Wasm::probe`] runs it.
const PROBE: &[u8] = include_bytes!("probe.wasm");

/// The largest plugin: the reference plugins stay under 1 MB.
const LONGEST_ARTIFACT: u64 = 64 << 20;

/// The engine. Clones share its compiled code.
#[derive(Clone)]
pub struct Wasm(Arc<Inner>);

struct Inner {
    engine: Engine,
    plugins: Linker<State>,
    bundles: Linker<State>,
    cache: Option<AotCache>,
    /// The JavaScript engine, compiled at its first use.
    javascript: OnceCell<InstancePre<State>>,
    ticker: Arc<Ticker>,
}

impl Wasm {
    /// Starts the engine. Without a cache every process compiles everything again;
    /// the JavaScript engine takes ten seconds and more.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Unavailable`] if Wasmtime does not run here.
    pub fn new(cache: Option<AotCache>) -> Result<Self, SandboxError> {
        let engine = Engine::new(&config()).map_err(unavailable)?;
        let plugins = linker::for_plugins(&engine).map_err(unavailable)?;
        let bundles = linker::for_bundles(&engine).map_err(unavailable)?;
        let ticker = Arc::new(Ticker::start(&engine).map_err(unavailable)?);
        Ok(Self(Arc::new(Inner {
            engine,
            plugins,
            bundles,
            cache,
            javascript: OnceCell::new(),
            ticker,
        })))
    }

    /// Compiles the JavaScript engine, or loads it from the cache, ahead of its first use.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Unavailable`] if it cannot be compiled here.
    pub async fn warm_up_javascript(&self) -> Result<(), SandboxError> {
        self.javascript().await.map(|_| ())
    }

    async fn javascript(&self) -> Result<InstancePre<State>, SandboxError> {
        let load = || async {
            let this = self.clone();
            blocking(move || {
                let component = this.compile(&js::engine_sha512(), || Ok(js::engine_component()?));
                let component = component.map_err(unavailable)?;
                this.0.bundles.instantiate_pre(&component).map_err(unavailable)
            })
            .await
        };
        self.0.javascript.get_or_try_init(load).await.cloned()
    }

    /// Machine code for the component with a digest: from the cache, or else compiled
    /// from the bytes of `read` and cached.
    fn compile(
        &self,
        sha512: &[u8; 64],
        read: impl FnOnce() -> wasmtime::Result<Vec<u8>>,
    ) -> wasmtime::Result<Component> {
        let engine = &self.0.engine;
        let Some(cache) = &self.0.cache else {
            return Component::from_binary(engine, &read()?);
        };
        if let Some(component) = cache.load(engine, sha512) {
            return Ok(component);
        }
        let _lock = cache.lock(engine, sha512);
        // Another process may have compiled it meanwhile.
        if let Some(component) = cache.load(engine, sha512) {
            return Ok(component);
        }
        let component = Component::from_binary(engine, &read()?)?;
        cache.store(engine, sha512, &component);
        Ok(component)
    }

    fn program(&self, artifact: &Artifact, sha512: &[u8; 64]) -> Result<ProgramText, SandboxError> {
        match artifact {
            Artifact::Component(path) => {
                let binary = read_verified(path, sha512)?;
                let component = self.compile(sha512, || Ok(binary)).map_err(|error| {
                    SandboxError::Refused(format!("it is no WebAssembly component: {error:#}"))
                })?;
                linker::check_plugin(&self.0.engine, &component).map_err(SandboxError::Refused)?;
                let pre = self.0.plugins.instantiate_pre(&component);
                let pre = pre.map_err(|error| SandboxError::Refused(format!("{error:#}")))?;
                Ok(ProgramText::Component(pre))
            }
            Artifact::JsBundle(path) => {
                let bytes = read_verified(path, sha512)?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| SandboxError::Refused("the bundle is not UTF-8".to_owned()))?;
                let body = js::function_body(&text).map_err(SandboxError::Refused)?;
                Ok(ProgramText::Bundle(body))
            }
            Artifact::Native(_) => Err(SandboxError::Refused(NO_NATIVE.to_owned())),
        }
    }
}

const NO_NATIVE: &str = "it is a native program, which WebAssembly cannot run";

enum ProgramText {
    Component(InstancePre<State>),
    Bundle(String),
}

#[async_trait]
impl Backend for Wasm {
    fn kind(&self) -> BackendKind {
        BackendKind::Wasm
    }

    async fn probe(&self) -> Probe {
        match self.try_probe().await {
            Ok(()) => Probe::Works("a component was compiled and called".to_owned()),
            Err(error) => Probe::Fails {
                reason: error.to_string(),
                fix: "Wasmtime needs memory that may be made executable; allow that to this process, or use another engine"
                    .to_owned(),
            },
        }
    }

    fn supports(&self, artifact: &Artifact) -> Result<(), String> {
        match artifact {
            Artifact::Component(_) => Ok(()),
            Artifact::Native(_) => Err(NO_NATIVE.to_owned()),
            Artifact::JsBundle(path) => {
                let bytes = read_bounded(path).map_err(|error| error.to_string())?;
                let text = std::str::from_utf8(&bytes).map_err(|_| "the bundle is not UTF-8".to_owned())?;
                js::function_body(text).map(|_| ())
            }
        }
    }

    async fn prepare(&self, plugin: &PluginSpec) -> Result<Box<dyn Prepared>, SandboxError> {
        let (this, artifact, sha512) = (self.clone(), plugin.artifact.clone(), plugin.sha512);
        let program = match blocking(move || this.program(&artifact, &sha512)).await? {
            ProgramText::Component(pre) => Program::Component(pre),
            ProgramText::Bundle(source) => Program::Bundle {
                engine: self.javascript().await?,
                source: source.into(),
            },
        };
        Ok(Box::new(PreparedPlugin {
            program,
            egress: Arc::clone(&plugin.egress),
            limits: plugin.limits,
            ticker: Arc::clone(&self.0.ticker),
        }))
    }
}

impl Wasm {
    async fn try_probe(&self) -> Result<(), SandboxError> {
        let component = Component::from_binary(&self.0.engine, PROBE).map_err(unavailable)?;
        let pre = self.0.plugins.instantiate_pre(&component).map_err(unavailable)?;
        let plugin = PreparedPlugin {
            program: Program::Component(pre),
            egress: Arc::new(Egress::new(
                Vec::new(),
                TrustRoots::public(),
                Arc::new(SystemResolver),
            )),
            limits: Limits::default(),
            ticker: Arc::clone(&self.0.ticker),
        };
        let call = Call {
            method: "probe",
            params_json: "{}",
            params_by: crate::ParamsBy::Argument,
            env: &[],
            timeout: Duration::from_secs(5),
        };
        let outcome = plugin.call(call).await.map_err(|failure| failure.error)?;
        if outcome.stdout == b"probe" {
            return Ok(());
        }
        Err(SandboxError::Unavailable(
            "a component answered wrongly".to_owned(),
        ))
    }
}

struct PreparedPlugin {
    program: Program,
    egress: Arc<Egress>,
    limits: Limits,
    ticker: Arc<Ticker>,
}

#[async_trait]
impl Prepared for PreparedPlugin {
    async fn call(&self, call: Call<'_>) -> Result<CallOutcome, CallFailure> {
        let _ticking = self.ticker.tick();
        run(&self.program, &self.egress, &self.limits, call).await
    }
}

/// The configuration, on which the machine code depends: it is part of the key of the cache.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .wasm_memory64(false)
        .max_wasm_stack(1 << 20)
        .async_stack_size(2 << 20);
    config
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST_ARTIFACT + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_ARTIFACT {
        return Err(std::io::Error::other("the file is longer than 64 MiB"));
    }
    Ok(bytes)
}

/// Reads a file and compares its digest. Only the compared bytes are used afterwards.
fn read_verified(path: &Path, sha512: &[u8; 64]) -> Result<Vec<u8>, SandboxError> {
    let bytes = read_bounded(path)
        .map_err(|error| SandboxError::Refused(format!("{} cannot be read: {error}", path.display())))?;
    if digest(&SHA512, &bytes).as_ref() != sha512 {
        let name = path.display();
        return Err(SandboxError::Refused(format!(
            "{name} is not the file that was verified"
        )));
    }
    Ok(bytes)
}

fn unavailable(error: impl std::fmt::Display) -> SandboxError {
    SandboxError::Unavailable(format!("{error:#}"))
}

/// Runs work outside of the runtime: compiling takes a processor for seconds.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SandboxError> + Send + 'static,
) -> Result<T, SandboxError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(unavailable(error)))
}
