//! The engines that can run here, and one call in one of them.

use std::sync::Arc;
#[cfg(feature = "wasm")]
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(feature = "wasm")]
use openneko_sandbox::SandboxError;
use openneko_sandbox::{Backend, Call, CallFailure, CallOutcome, PluginSpec, Secret};

/// What a plugin of the tests finds in its environment.
pub(crate) fn environment() -> Vec<(String, Secret)> {
    vec![("GRANTED".to_owned(), Secret::new("granted-value".to_owned()))]
}

/// The WebAssembly engine of this process, with machine code from earlier runs.
#[cfg(feature = "wasm")]
pub(crate) fn wasm() -> Arc<dyn Backend> {
    use openneko_sandbox::wasm::{AotCache, Wasm};

    static ENGINE: OnceLock<Wasm> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine-code");
        let cache = AotCache::open(&directory, b"the tests' own key").unwrap();
        Wasm::new(Some(cache)).unwrap()
    });
    Arc::new(engine.clone())
}

/// The jail, whose plugins trust the authority of their world, if there is one.
#[cfg(all(feature = "jail", target_os = "linux"))]
pub(crate) fn jail(world: Option<&crate::world::World>) -> Arc<dyn Backend> {
    let mut options = crate::jail::support::options();
    options.extra_authorities = world.map(|world| world.authority_pem.clone());
    Arc::new(openneko_sandbox::jail::Jail::new(options))
}

/// Calls a plugin once.
pub(crate) async fn call(
    backend: &dyn Backend,
    plugin: &PluginSpec,
    method: &str,
    params: &str,
    timeout: Duration,
) -> Result<CallOutcome, CallFailure> {
    let prepared = backend.prepare(plugin).await?;
    let env = environment();
    let call = Call {
        method,
        params_json: params,
        params_by: openneko_sandbox::ParamsBy::Argument,
        env: &env,
        timeout,
    };
    prepared.call(call).await
}

/// The error of a call that must not have an outcome.
#[cfg(feature = "wasm")]
pub(crate) fn error(result: Result<CallOutcome, CallFailure>) -> SandboxError {
    match result {
        Err(failure) => failure.error,
        Ok(outcome) => panic!(
            "it ended with {} and said {:?}, {:?}",
            outcome.exit,
            String::from_utf8_lossy(&outcome.stdout),
            String::from_utf8_lossy(&outcome.stderr)
        ),
    }
}
