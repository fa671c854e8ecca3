//! The engines of this build.

use std::sync::Arc;

use openneko_sandbox::{Backend, BackendKind};

use super::engines::{self, Engines};
use crate::paths::Paths;
#[cfg(feature = "wasm")]
use crate::secrets::Store;

/// The weakest engine that an operator accepts.
const MINIMUM: &str = "OPENNEKO_SANDBOX_MINIMUM";

/// The engines to use, in order: `jail,wasm`.
const ENGINES: &str = "OPENNEKO_SANDBOX_ENGINES";

/// A setting names an engine that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{variable} names `{name}`, which is none of `jail`, `wasm` and `microvm`")]
pub struct UnknownEngine {
    variable: &'static str,
    name: String,
}

/// Every engine that was compiled in and is to be used, the preferred one first.
///
/// # Errors
///
/// If the environment asks for an engine that does not exist.
pub fn engines(paths: &Paths) -> Result<Engines, UnknownEngine> {
    let minimum = match kinds(paths, MINIMUM)?.as_deref() {
        None => None,
        Some([kind]) => Some(*kind),
        Some(_) => return Err(unknown(MINIMUM, "more than one engine")),
    };
    let mut backends = backends(paths);
    if let Some(wanted) = kinds(paths, ENGINES)? {
        let place = |backend: &Arc<dyn Backend>| wanted.iter().position(|kind| *kind == backend.kind());
        backends.retain(|backend| place(backend).is_some());
        backends.sort_by_key(place);
    }
    Ok(Engines::new(backends, minimum))
}

/// The engines that a variable names; `None` if it is not set.
fn kinds(paths: &Paths, variable: &'static str) -> Result<Option<Vec<BackendKind>>, UnknownEngine> {
    let Some(text) = paths.environment.get(variable) else {
        return Ok(None);
    };
    let kinds = text.split(',').map(str::trim);
    kinds
        .map(|name| engines::parse_kind(name).ok_or_else(|| unknown(variable, name)))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn unknown(variable: &'static str, name: &str) -> UnknownEngine {
    UnknownEngine {
        variable,
        name: name.chars().take(40).collect(),
    }
}

/// The engines of this build: WASM, the jail, the microVM.
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

/// The cache of compiled plugins. Everything works without it, but every process
/// compiles again.
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

    /// The image of the original.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn engines_of(variables: &[(&str, &str)]) -> Result<Vec<BackendKind>, String> {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().display().to_string();
        let environment = [("HOME", home.as_str())]
            .into_iter()
            .chain(variables.iter().copied());
        let paths = Paths::new(environment.collect(), directory.path());
        let engines = engines(&paths).map_err(|error| error.to_string())?;
        Ok(engines.kinds().collect())
    }

    #[cfg(all(feature = "wasm", feature = "jail"))]
    #[test]
    fn an_operator_chooses_engines_and_their_order() {
        use BackendKind::{Jail, Wasm};

        let of = |text| engines_of(&[(ENGINES, text)]).unwrap();
        assert_eq!(engines_of(&[]).unwrap()[..2], [Wasm, Jail]);
        assert_eq!(of("jail, wasm"), [Jail, Wasm]);
        assert_eq!(of("jail"), [Jail]);
    }

    #[test]
    fn an_engine_that_does_not_exist_is_an_error_and_not_a_weaker_one() {
        for (variable, text) in [
            (ENGINES, "wasm,docker"),
            (ENGINES, "wasm,"),
            (MINIMUM, "none"),
            (MINIMUM, "jail,wasm"),
        ] {
            let error = engines_of(&[(variable, text)]).unwrap_err();
            assert!(error.starts_with(variable), "{error}");
        }
    }
}
