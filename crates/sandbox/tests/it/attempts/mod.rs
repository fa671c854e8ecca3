//! Attempts to escape, in one table for all engines.
//!
//! A bundle that tries something prints `refused` if it failed, or `ESCAPED` and the
//! result if it succeeded. Positive controls print `allowed`. The table says what each
//! engine must do. If an attempt cannot be written for an engine, because it offers no
//! sockets, the bundle is refused before it runs.

mod network;
mod resources;
mod system;

use std::sync::Arc;
use std::time::Duration;

use openneko_sandbox::egress::Reason;
use openneko_sandbox::{Backend, BackendKind, Limits, SandboxError};

use crate::engines;
use crate::world::World;

/// One attempt: a bundle, and its expected result in each engine.
pub(crate) struct Attempt {
    /// A sentence.
    pub(crate) name: &'static str,
    /// An ECMAScript module; `PORT` is the server's port, `FORBIDDEN` another.
    pub(crate) bundle: &'static str,
    pub(crate) wasm: Expected,
    pub(crate) jail: Expected,
}

/// The expected result of an attempt.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// The last line of standard output.
    Says(&'static str),
    /// The same, and a denial of this host for a reason is logged.
    Logs(&'static str, &'static str, Why),
    /// The engine does not take the bundle; its sentence contains this.
    Unsupported(&'static str),
    /// The call has no outcome.
    Stops(Stop),
    /// Either of them is right.
    Either(Stop, &'static str),
}

/// A reason, without the parts that differ from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Exactly(&'static Reason),
    NotPublic,
}

/// How a call is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Processor time or wall-clock time, whichever is over first.
    Time,
    Output,
    Crash,
    /// By any limit.
    Any,
}

impl Stop {
    fn is(self, error: &SandboxError) -> bool {
        match self {
            Self::Time => matches!(error, SandboxError::Timeout(_) | SandboxError::Cpu),
            Self::Output => matches!(error, SandboxError::OutputLimit),
            Self::Crash => matches!(error, SandboxError::Crashed(_)),
            Self::Any => !matches!(error, SandboxError::Refused(_) | SandboxError::Unavailable(_)),
        }
    }
}

/// Small enough that attempts meet them soon, large enough for both engines.
pub(crate) fn limits() -> Limits {
    Limits {
        cpu: Duration::from_secs(3),
        memory_bytes: 256 << 20,
        output_bytes: 256 << 10,
        received_bytes: 4 << 20,
        sent_bytes: 1 << 20,
        connections: 4,
    }
}

/// Runs every attempt of a table in an engine, made for its world, and reports
/// all that went wrong.
pub(crate) async fn run(engine: impl Fn(&World) -> Arc<dyn Backend>, table: &[Attempt]) {
    let mut failures = Vec::new();
    for attempt in table {
        let world = World::new().await;
        let backend = &*engine(&world);
        let expected = match backend.kind() {
            BackendKind::Wasm => &attempt.wasm,
            _ => &attempt.jail,
        };
        let verdict = judge(backend, &world, attempt, expected).await;
        let trespassed = (world.trespasses() > 0).then(|| "it reached the forbidden port".to_owned());
        failures.extend(
            verdict
                .err()
                .into_iter()
                .chain(trespassed)
                .map(|what| format!("{:?}: {}: {what}", backend.kind(), attempt.name)),
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn judge(
    backend: &dyn Backend,
    world: &World,
    attempt: &Attempt,
    expected: &Expected,
) -> Result<(), String> {
    let plugin = world.bundle("attempt", attempt.bundle, limits());
    // A neighbour's data, which `system` looks for.
    world.file("other-plugin/data.json", b"the-neighbours-secret");
    let supported = backend.supports(&plugin.artifact);
    if let Expected::Unsupported(part) = expected {
        return match supported {
            Err(sentence) if sentence.contains(part) => Ok(()),
            other => Err(format!(
                "expected to be unsupported because of {part}, got {other:?}"
            )),
        };
    }
    supported?;
    let result = engines::call(backend, &plugin, "attempt", "{}", Duration::from_secs(6)).await;
    let (says, logs) = match expected {
        Expected::Says(text) => (*text, None),
        Expected::Logs(text, host, why) => (*text, Some((*host, *why))),
        Expected::Either(stop, text) if result.is_ok() => {
            let _ = stop;
            (*text, None)
        }
        Expected::Stops(stop) | Expected::Either(stop, _) => {
            return match result {
                Err(failure) if stop.is(&failure.error) => Ok(()),
                other => Err(format!("expected to be stopped ({stop:?}), got {other:?}")),
            };
        }
        Expected::Unsupported(_) => unreachable!("handled above"),
    };
    let outcome =
        result.map_err(|failure| format!("expected {says:?}, got: {failure} {:?}", failure.denials))?;
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    if stdout.trim_end().lines().last() != Some(says) {
        return Err(format!(
            "expected {says:?}, it said {stdout:?} and {stderr:?}, denied: {:?}",
            outcome.denials
        ));
    }
    let is_logged = |host: &str, why: Why| {
        outcome.denials.iter().any(|denial| {
            denial.host == host
                && match why {
                    Why::Exactly(reason) => denial.reason == *reason,
                    Why::NotPublic => matches!(denial.reason, Reason::NotPublic(_)),
                }
        })
    };
    match logs {
        Some((host, why)) if !is_logged(host, why) => Err(format!(
            "{host} ({why:?}) is not in the log: {:?}",
            outcome.denials
        )),
        None if says == "allowed" && !outcome.denials.is_empty() => Err(format!(
            "a positive control was denied something: {:?}",
            outcome.denials
        )),
        _ => Ok(()),
    }
}

#[cfg(feature = "wasm")]
mod on_wasm {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_attempt_on_the_network_escapes() {
        run(|_| engines::wasm(), network::TABLE).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_attempt_on_the_system_escapes() {
        run(|_| engines::wasm(), system::TABLE).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_attempt_on_resources_escapes() {
        run(|_| engines::wasm(), resources::TABLE).await;
    }
}

#[cfg(all(feature = "jail", target_os = "linux"))]
mod on_jail {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_attempt_on_the_network_escapes() {
        run(|world| engines::jail(Some(world)), network::TABLE).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_attempt_on_the_system_escapes() {
        // An authority would be shown in the environment.
        run(|_| engines::jail(None), system::TABLE).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_attempt_on_resources_escapes() {
        run(|world| engines::jail(Some(world)), resources::TABLE).await;
    }
}
