//! JavaScript bundles: one module in one file, as `node run.js` runs it.
//!
//! The engine is a component. `scripts/jsengine` builds it from
//! `crates/sandbox/jsengine`; the repository keeps it compressed, so nobody needs
//! npm. It runs a bundle as the body of an async function, which [`function_body`]
//! makes of a module.

mod module;
mod modules;
mod scan;

use std::io::Read;

use aws_lc_rs::digest::{SHA512, digest};
use flate2::read::GzDecoder;

use crate::SandboxError;

pub(super) use module::function_body;

const ENGINE: &[u8] = include_bytes!("../../../jsengine/engine.wasm.gz");

/// `<SHA-512 in hex>  engine.wasm`, as `sha512sum` writes it.
const ENGINE_SHA512: &str = include_str!("../../../jsengine/engine.sha512");

/// The digest of the engine's component.
pub(super) fn engine_sha512() -> [u8; 64] {
    let hex = ENGINE_SHA512.as_bytes();
    std::array::from_fn(|i| {
        let digit = |at: usize| {
            char::from(hex[at])
                .to_digit(16)
                .expect("sha512sum writes hexadecimal digits")
        };
        u8::try_from(digit(2 * i) * 16 + digit(2 * i + 1)).expect("two digits are a byte")
    })
}

/// The engine's component, unpacked.
pub(super) fn engine_component() -> Result<Vec<u8>, SandboxError> {
    const LONGEST: u64 = 64 << 20;
    let mut binary = Vec::new();
    let unpacked = GzDecoder::new(ENGINE).take(LONGEST).read_to_end(&mut binary);
    if unpacked.is_err() || digest(&SHA512, &binary).as_ref() != engine_sha512() {
        return Err(SandboxError::Unavailable(
            "the JavaScript engine of this build is damaged".to_owned(),
        ));
    }
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_engine_is_whole() {
        assert!(engine_component().unwrap().starts_with(b"\0asm"));
    }

    #[test]
    fn the_engine_is_not_older_than_its_sources() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("jsengine");
        let built_from = std::fs::read_to_string(sources.join("sources.sha512")).unwrap();
        let mut count = 0;
        for line in built_from.lines() {
            let (expected, name) = line.split_once("  ").unwrap();
            let bytes = std::fs::read(sources.join(name)).unwrap();
            let found: String = digest(&SHA512, &bytes)
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(found, expected, "{name} has changed: run scripts/jsengine");
            count += 1;
        }
        let scripts = std::fs::read_dir(sources.join("src")).unwrap().count();
        assert_eq!(count, scripts + 2, "a source is new: run scripts/jsengine");
    }

    #[test]
    fn the_engine_offers_the_modules_of_the_list() {
        let source = include_str!("../../../jsengine/src/modules.js");
        for (module, names) in modules::offered() {
            assert!(source.contains(&format!("\n  {module}: () => ({{")), "{module}");
            for name in *names {
                assert!(source.contains(name), "{name} of {module}");
            }
        }
    }
}
