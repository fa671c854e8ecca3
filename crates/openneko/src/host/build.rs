//! The engines of this build.

use std::sync::Arc;

use openneko_sandbox::Backend;

use super::engines::{self, Engines};
use crate::paths::Paths;
#[cfg(feature = "wasm")]
use crate::secrets::Store;

/// Which engine is the least that an operator accepts.
const MINIMUM: &str = "OPENNEKO_SANDBOX_MINIMUM";

/// The minimum that is set names no engine.
#[derive(Debug, thiserror::Error)]
#[error("{MINIMUM} is `{0}`; it must be `jail`, `wasm` or `microvm`")]
pub struct UnknownEngine(String);

/// Every engine that was compiled in, the preferred one first.
///
/// # Errors
///
/// If the environment asks for an engine that does not exist.
pub fn engines(paths: &Paths) -> Result<Engines, UnknownEngine> {
    let minimum = match paths.environment.get(MINIMUM) {
        None => None,
        Some(text) => {
            Some(engines::parse_kind(text).ok_or_else(|| UnknownEngine(text.chars().take(40).collect()))?)
        }
    };
    Ok(Engines::new(backends(paths), minimum))
}

/// WASM, the jail, the microVM: what this build has of them.
fn backends(paths: &Paths) -> Vec<Arc<dyn Backend>> {
    [wasm(paths), jail(paths), microvm(paths)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(not(feature = "wasm"))]
fn wasm(_: &Paths) -> Option<Arc<dyn Backend>> {
    None
}

#[cfg(feature = "wasm")]
fn wasm(paths: &Paths) -> Option<Arc<dyn Backend>> {
    match openneko_sandbox::wasm::Wasm::new(cache(paths)) {
        Ok(wasm) => Some(Arc::new(wasm)),
        Err(error) => {
            tracing::error!(%error, "the WebAssembly engine does not start");
            None
        }
    }
}

/// Where compiled plugins are kept. Without it everything works, and every
/// process compiles again.
#[cfg(feature = "wasm")]
fn cache(paths: &Paths) -> Option<openneko_sandbox::wasm::AotCache> {
    use openneko_sandbox::wasm::AotCache;

    let directory = paths.state_dir.join("compiled");
    let opened = Store::open(paths)
        .and_then(|store| store.derived_key("compiled-plugins:v1"))
        .map_err(|error| error.to_string())
        .and_then(|key| AotCache::open(&directory, &*key).map_err(|error| error.to_string()));
    opened
        .map_err(|error| tracing::warn!(directory = %directory.display(), error, "compiled plugins cannot be kept"))
        .ok()
}

#[cfg(not(feature = "jail"))]
fn jail(_: &Paths) -> Option<Arc<dyn Backend>> {
    None
}

#[cfg(feature = "jail")]
fn jail(paths: &Paths) -> Option<Arc<dyn Backend>> {
    use openneko_sandbox::jail::{Jail, JailInit, JailOptions, find_node};

    let extra = paths.extra_ca_certs();
    Some(Arc::new(Jail::new(JailOptions {
        init: JailInit::this_program(),
        node: find_node(paths.environment.get("PATH").unwrap_or_default().as_ref()),
        // A file that cannot be read is reported by the call itself.
        extra_authorities: extra.and_then(|path| std::fs::read_to_string(path).ok()),
    })))
}

#[cfg(not(feature = "microvm"))]
fn microvm(_: &Paths) -> Option<Arc<dyn Backend>> {
    None
}

#[cfg(feature = "microvm")]
fn microvm(paths: &Paths) -> Option<Arc<dyn Backend>> {
    use openneko_sandbox::microvm::{Microvm, MicrovmOptions};

    /// What the original runs its plugins on.
    const IMAGE: &str = "node:20-alpine";

    let environment = &paths.environment;
    let beside = || {
        let own = std::env::current_exe().unwrap_or_default();
        own.with_file_name("openneko-microvm")
    };
    let named = environment.get("OPENNEKO_MICROVM");
    let variables = ["HOME", "PATH", "XDG_RUNTIME_DIR", "MSB_HOME"].into_iter();
    Some(Arc::new(Microvm::new(MicrovmOptions {
        program: named.map_or_else(beside, Into::into),
        image: environment
            .get("OPENNEKO_MICROVM_IMAGE")
            .unwrap_or(IMAGE)
            .to_owned(),
        extra_authorities: paths
            .extra_ca_certs()
            .and_then(|path| std::fs::read_to_string(path).ok()),
        env: variables
            .filter_map(|name| Some((name.to_owned(), environment.get(name)?.to_owned())))
            .collect(),
    })))
}
