//! Answers that libFuzzer makes, guided by what they reach in the verifier.
//!
//! An input is one octet, which chooses the settings of a connection among those of the vectors, and a
//! document. Nothing may panic. An accepted answer must have the meaning of one that the vectors' provider
//! signed. `tests/saml/fuzz/run` builds and starts it.

#![no_main]

// The judge of the vectors, so that both judge alike. Its tests are not built here.
#[expect(
    dead_code,
    unused_imports,
    reason = "a part of it compares outcomes with the manifest"
)]
#[path = "../../../../crates/protocol/tests/it/saml_corpus.rs"]
mod saml_corpus;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::Trace;
use genkan_protocol::saml::Assertion;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use saml_corpus::{Judge, Vector, vectors};

/// The person whom the forged answers of the vectors name. The provider never signed that for us.
const FORGED: &str = "admin@acme.example";

struct Known {
    /// Each distinct connection of the vectors.
    judges: Vec<Judge>,
    /// The meanings that the provider signed, and those found beyond them in this run.
    meanings: Mutex<Vec<Assertion>>,
}

/// The settings of the vectors, in the order in which they come first, and which of them each vector has.
fn settings() -> (Vec<Value>, Vec<usize>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../crates/protocol/tests/saml_corpus");
    let manifest: Vec<BTreeMap<String, Value>> =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let (mut distinct, mut of) = (Vec::new(), Vec::new());
    for vector in manifest {
        let settings = vector["settings"].clone();
        let at = distinct.iter().position(|known| *known == settings);
        of.push(at.unwrap_or(distinct.len()));
        if at.is_none() {
            distinct.push(settings);
        }
    }
    (distinct, of)
}

fn prepare() -> Known {
    let (distinct, of) = settings();
    let judges: Vec<Judge> = distinct
        .into_iter()
        .map(|settings| Judge::new(serde_json::from_value(settings).unwrap()))
        .collect();
    let vectors: Vec<Vector> = vectors();
    // Each vector becomes a seed; the documents alone, since a form's value is base64 of one.
    if let Some(seeds) = std::env::var_os("GENKAN_FUZZ_SEEDS") {
        for (number, (vector, settings)) in vectors.iter().zip(&of).enumerate() {
            let mut seed = vec![u8::try_from(*settings).unwrap()];
            seed.extend(vector.octets());
            std::fs::write(Path::new(&seeds).join(format!("{number:04}")), seed).unwrap();
        }
    }
    let mut meanings = Vec::new();
    // An answer that one connection refuses may be good at another one, so each answer is put to each.
    for vector in &vectors {
        for judge in &judges {
            if let Ok(meaning) = judge.judge(&STANDARD.encode(vector.octets()), &mut Trace::default())
                && !meanings.contains(&meaning)
            {
                assert_ne!(meaning.name_id.value, FORGED, "{}", vector.file);
                meanings.push(meaning);
            }
        }
    }
    assert!(meanings.len() > 20, "{}", meanings.len());
    eprintln!(
        "{} connections, {} meanings that were signed",
        judges.len(),
        meanings.len()
    );
    Known {
        judges,
        meanings: Mutex::new(meanings),
    }
}

static KNOWN: OnceLock<Known> = OnceLock::new();

fuzz_target!(init: { KNOWN.get_or_init(prepare); }, |data: &[u8]| {
    let known = KNOWN.get_or_init(prepare);
    let Some((choice, document)) = data.split_first() else {
        return;
    };
    let judge = &known.judges[usize::from(*choice) % known.judges.len()];
    let Ok(meaning) = judge.judge(&STANDARD.encode(document), &mut Trace::default()) else {
        return;
    };
    assert_ne!(meaning.name_id.value, FORGED, "forged");
    let mut meanings = known.meanings.lock().unwrap();
    if !meanings.contains(&meaning) {
        // Kept, and the run goes on: it may be what a vector's provider signed and another part of the
        // vector hides. A person decides.
        let folder = std::env::var_os("GENKAN_FUZZ_FINDINGS").expect("GENKAN_FUZZ_FINDINGS names a folder");
        let file = Path::new(&folder).join(format!("meaning-{:04}", meanings.len()));
        std::fs::write(file, data).unwrap();
        eprintln!("FOUND another meaning: {meaning:?}");
        meanings.push(meaning);
    }
});
