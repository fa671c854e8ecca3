//! The artifact of an installed package, found on the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use openneko_plugin::manifest::Entry;
use openneko_sandbox::Artifact;

use crate::manifest;
use crate::paths::Paths;

/// An artifact and its hash from the verification, which engines compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VerifiedArtifact {
    pub(super) artifact: Artifact,
    pub(super) sha512: [u8; 64],
}

/// The package of a manifest entry is missing, or differs from the installed one.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    #[error("the files of {0} are missing: run `openneko install {0}` again")]
    Missing(String),
    #[error(transparent)]
    Entry(#[from] manifest::Error),
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Finds the artifact of an entry of the manifest.
///
/// The runner may be a WebAssembly component, an executable of this machine or
/// an ECMAScript module; its first bytes tell which.
///
/// # Errors
///
/// If the package is missing.
pub(super) fn find(paths: &Paths, entry: &Entry) -> Result<VerifiedArtifact, NotFound> {
    let manifest::Runner { path, sha512 } = manifest::runner(paths, entry)?;
    let beginning = File::open(&path).and_then(|file| {
        let mut beginning = Vec::new();
        file.take(4).read_to_end(&mut beginning).map(|_| beginning)
    });
    let beginning = match beginning {
        Ok(beginning) => beginning,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(NotFound::Missing(entry.name.to_string()));
        }
        Err(source) => return Err(NotFound::Io { path, source }),
    };
    let artifact = match &*beginning {
        b"\0asm" => Artifact::Component(path),
        b"\x7fELF" => Artifact::Native(path),
        _ => Artifact::JsBundle(path),
    };
    Ok(VerifiedArtifact { artifact, sha512 })
}
