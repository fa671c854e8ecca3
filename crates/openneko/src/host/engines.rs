//! The engine of a plugin: of WASM, the jail and the microVM, the first that works here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openneko_sandbox::{Artifact, Backend, BackendKind, Probe};
use tokio::sync::OnceCell;

/// A probe that takes longer than this has failed: a machine that hangs must not hang the host.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);

/// The engines of this build, in the order in which they are preferred.
#[derive(Clone)]
pub struct Engines {
    list: Arc<[Engine]>,
    minimum: Option<BackendKind>,
}

struct Engine {
    backend: Arc<dyn Backend>,
    probe: OnceCell<Probe>,
}

/// No engine may or can run an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no sandbox engine can run this plugin here: {}", list(.0))]
pub struct NoEngine(pub Vec<(BackendKind, String)>);

fn list(reasons: &[(BackendKind, String)]) -> String {
    if reasons.is_empty() {
        return "this build has none".to_owned();
    }
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(kind, reason)| format!("{}: {reason}", name(*kind)))
        .collect();
    reasons.join("; ")
}

/// The word for an engine in texts, in settings and in `doctor`.
pub fn name(kind: BackendKind) -> &'static str {
    match kind {
        BackendKind::Jail => "jail",
        BackendKind::Wasm => "wasm",
        BackendKind::Microvm => "microvm",
    }
}

/// The engine that a setting names.
pub fn parse_kind(text: &str) -> Option<BackendKind> {
    [BackendKind::Jail, BackendKind::Wasm, BackendKind::Microvm]
        .into_iter()
        .find(|kind| name(*kind) == text)
}

impl Engines {
    /// `backends` in the order in which they are preferred; none weaker than `minimum` is used.
    pub fn new(backends: Vec<Arc<dyn Backend>>, minimum: Option<BackendKind>) -> Self {
        let list = backends.into_iter().map(|backend| Engine {
            backend,
            probe: OnceCell::new(),
        });
        Self {
            list: list.collect(),
            minimum,
        }
    }

    pub fn kinds(&self) -> impl Iterator<Item = BackendKind> {
        self.list.iter().map(|engine| engine.backend.kind())
    }

    /// The first engine that may, can and does run such an artifact.
    ///
    /// # Errors
    ///
    /// Why each engine was passed over, if none is left: there is no weaker way to run a plugin.
    pub async fn choose(&self, artifact: &Artifact) -> Result<EngineChoice, NoEngine> {
        let mut passed = Vec::new();
        for engine in self.list.iter() {
            match engine.fits(artifact, self.minimum).await {
                Ok(()) => {
                    let backend = Arc::clone(&engine.backend);
                    return Ok(EngineChoice { backend, passed });
                }
                Err(reason) => passed.push((engine.backend.kind(), reason)),
            }
        }
        Err(NoEngine(passed))
    }

    /// Whether each engine works here; each one runs a call to find out.
    pub async fn probes(&self) -> Vec<(BackendKind, Probe)> {
        let mut probes = Vec::new();
        for engine in self.list.iter() {
            probes.push((engine.backend.kind(), engine.probe().await.clone()));
        }
        probes
    }
}

/// An engine for one artifact.
pub struct EngineChoice {
    pub backend: Arc<dyn Backend>,
    /// The preferred engines that cannot run it, and why.
    pub passed: Vec<(BackendKind, String)>,
}

impl fmt::Debug for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineChoice")
            .field("backend", &self.backend.kind())
            .field("passed", &self.passed)
            .finish()
    }
}

impl Engine {
    async fn fits(&self, artifact: &Artifact, minimum: Option<BackendKind>) -> Result<(), String> {
        if let Some(minimum) = minimum.filter(|minimum| self.backend.kind() < *minimum) {
            return Err(format!("weaker than {}, the minimum that is set", name(minimum)));
        }
        self.backend.supports(artifact)?;
        match self.probe().await {
            Probe::Works(_) => Ok(()),
            Probe::Fails { reason, .. } => Err(reason.clone()),
        }
    }

    /// Probes once per process: the result does not change.
    async fn probe(&self) -> &Probe {
        let probe = async || {
            let probed = tokio::time::timeout(PROBE_TIMEOUT, self.backend.probe()).await;
            probed.unwrap_or_else(|_| Probe::Fails {
                reason: format!("its smoke call did not end within {} s", PROBE_TIMEOUT.as_secs()),
                fix: "look at the load of this machine and run `openneko doctor` again".to_owned(),
            })
        };
        self.probe.get_or_init(probe).await
    }
}
