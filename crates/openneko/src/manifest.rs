//! The manifest file: read, and changed under a lock in one step.

use std::io;
use std::path::{Path, PathBuf};

use openneko_plugin::json::{Json, Object};
use openneko_plugin::manifest::{BadEntry, Entry, Malformed, Manifest};
use openneko_plugin::permission::Integrity;

use crate::file::{self, Lock};
use crate::package::PackageFolder;
use crate::paths::Paths;

/// A field beside the entry's known ones: the file to run, and its SHA-512.
const RUNNER: &str = "runner";

/// Why the manifest cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no {} — run `openneko init` to create one", .0.display())]
    Missing(PathBuf),
    #[error("{}: {error}", path.display())]
    Malformed { path: PathBuf, error: Malformed },
    #[error("{}: manifest is malformed: it is not text", .0.display())]
    NotText(PathBuf),
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// An entry of another host, or edited by hand.
    #[error("{0} was not installed by this openneko: run `openneko install {0}` again")]
    NotInstalled(String),
}

/// The file to run for an entry, and the SHA-512 that it had when it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    pub path: PathBuf,
    pub sha512: [u8; 64],
}

/// Reads the manifest; `None` if there is none. Also returns the unusable entries, which
/// do not affect the others.
///
/// # Errors
///
/// If the file is not a manifest.
pub fn read(paths: &Paths) -> Result<Option<(Manifest, Vec<BadEntry>)>, Error> {
    let path = &paths.manifest;
    let content = file::read(path, openneko_plugin::manifest::MAX_SIZE as u64);
    let Some(content) = content.map_err(|source| failed("read", path, source))? else {
        return Ok(None);
    };
    let text = String::from_utf8(content).map_err(|_| Error::NotText(path.clone()))?;
    Manifest::parse(&text)
        .map(Some)
        .map_err(|error| Error::Malformed {
            path: path.clone(),
            error,
        })
}

/// Creates an empty manifest; `false` if there is a file already.
///
/// # Errors
///
/// If it cannot be written.
pub fn init(paths: &Paths) -> Result<bool, Error> {
    let lock = lock(paths)?;
    if paths.manifest.exists() {
        return Ok(false);
    }
    write(paths, &lock, &Manifest::new())?;
    Ok(true)
}

/// Changes the manifest, or a new one if there is none. `change` also returns whether
/// there is something to write.
///
/// # Errors
///
/// If the file is not a manifest or cannot be written; it is then unchanged.
pub fn edit<T>(paths: &Paths, change: impl FnOnce(&mut Manifest) -> (T, bool)) -> Result<T, Error> {
    let lock = lock(paths)?;
    let (mut manifest, _) = read(paths)?.unwrap_or_default();
    let (result, is_changed) = change(&mut manifest);
    if is_changed {
        write(paths, &lock, &manifest)?;
    }
    Ok(result)
}

/// Writes the file to run into an entry.
pub fn set_runner(entry: &mut Entry, path: &str, sha512: &[u8; 64]) {
    let integrity = Integrity::of_digest(sha512);
    let members = [("path", path), ("integrity", integrity.as_str())];
    let runner: Object = members
        .into_iter()
        .map(|(key, value)| (key.to_owned(), Json::String(value.to_owned())))
        .collect();
    entry.extra.insert(RUNNER, Json::Object(runner));
}

/// The file to run for `entry`. The engine compares the hash.
///
/// # Errors
///
/// [`Error::NotInstalled`] for an entry that another host wrote.
pub fn runner(paths: &Paths, entry: &Entry) -> Result<Runner, Error> {
    let find = || {
        let runner = entry.extra.get(RUNNER)?.as_object()?;
        let sha512 = Integrity::parse(runner.get("integrity")?.as_str()?)
            .ok()?
            .digest()?;
        let path = Path::new(runner.get("path")?.as_str()?);
        // The manifest may have been edited: the runner must be in the plugin's folder.
        let is_inside = path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        let digest = entry.integrity.digest()?;
        let place = PackageFolder::new(&paths.plugins(), &entry.name, &entry.version, &digest);
        is_inside.then(|| Runner {
            path: place.folder().join(path),
            sha512,
        })
    };
    find().ok_or_else(|| Error::NotInstalled(entry.name.to_string()))
}

fn lock(paths: &Paths) -> Result<Lock, Error> {
    let folder = paths.manifest.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| Lock::acquire(&paths.manifest))
        .map_err(|source| failed("write", &paths.manifest, source))
}

fn write(paths: &Paths, lock: &Lock, manifest: &Manifest) -> Result<(), Error> {
    lock.write(manifest.to_file().as_bytes(), 0o644)
        .map_err(|source| failed("write", &paths.manifest, source))
}

fn failed(verb: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        verb,
        path: path.to_owned(),
        source,
    }
}
