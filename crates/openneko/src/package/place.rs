//! The folders of packages: `plugins/<name>/<version>-<hash>`, each put there in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use openneko_plugin::{PackageName, Version};
use tempfile::TempDir;

use super::{Description, Error, Limits, archive};
use crate::file::{self, Lock};

const UNFINISHED: &str = ".unfinished-";

/// The folder of one version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFolder {
    /// `plugins`
    all: PathBuf,
    /// `plugins/<name>`
    of_plugin: PathBuf,
    folder: PathBuf,
}

impl PackageFolder {
    /// The folder of the package whose tarball has this SHA-512.
    pub fn new(plugins: &Path, name: &PackageName, version: &Version, digest: &[u8; 64]) -> Self {
        let short: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let of_plugin = plugins.join(name.storage_id());
        Self {
            all: plugins.to_owned(),
            folder: of_plugin.join(format!("{version}-{short}")),
            of_plugin,
        }
    }

    /// The folder of the package, once it is installed.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Unpacks a verified tarball beside its place and checks its description.
    ///
    /// # Errors
    ///
    /// [`Error`] if anything is wrong with it; nothing of it remains then.
    pub fn stage(
        self,
        tarball: &[u8],
        name: &PackageName,
        version: &Version,
    ) -> Result<StagedPackage, Error> {
        let io = |source| self.failed(source);
        fs::create_dir_all(&self.all).map_err(io)?;
        let lock = Lock::acquire(&self.all.join("install")).map_err(io)?;
        remove_unfinished(&self.all);
        let folder = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.all)
            .map_err(io)?;
        let files = archive::unpack(tarball, folder.path(), Limits::default())?;
        let description = Description::read(folder.path(), &files, name, version)?;
        Ok(StagedPackage {
            place: self,
            folder,
            description,
            _lock: lock,
        })
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Io {
            path: self.all.clone(),
            source,
        }
    }

    /// Removes every other version of the plugin; files that cannot be removed stay.
    pub fn remove_others(&self) {
        for entry in fs::read_dir(&self.of_plugin).into_iter().flatten().flatten() {
            if entry.path() != self.folder {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Removes this version; files that cannot be removed stay.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.folder);
        // Fails if another version is there.
        let _ = fs::remove_dir(&self.of_plugin);
    }

    /// Removes every version of a plugin.
    ///
    /// # Errors
    ///
    /// If there are some and they cannot be removed.
    pub fn remove_all(plugins: &Path, name: &PackageName) -> io::Result<()> {
        match fs::remove_dir_all(plugins.join(name.storage_id())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// An unpacked package that is not yet in its place. Dropping it deletes it.
#[derive(Debug)]
pub struct StagedPackage {
    place: PackageFolder,
    folder: TempDir,
    description: Description,
    /// Held so that no other process takes the folder for a leftover.
    _lock: Lock,
}

impl StagedPackage {
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// SHA-512 of the file that is run, to notice if it is changed later.
    ///
    /// # Errors
    ///
    /// If it cannot be read back.
    pub fn runner_sha512(&self) -> Result<[u8; 64], Error> {
        let content = fs::read(self.folder.path().join(&self.description.runner));
        let content = content.map_err(|source| self.place.failed(source))?;
        let mut sha512 = [0; 64];
        sha512.copy_from_slice(digest::digest(&digest::SHA512, &content).as_ref());
        Ok(sha512)
    }

    /// Gives the folder its name, in one step.
    ///
    /// # Errors
    ///
    /// If the file system refuses; nothing of the package remains then.
    pub fn install(self) -> Result<PackageFolder, Error> {
        let io = |source| self.place.failed(source);
        sync_tree(self.folder.path()).map_err(io)?;
        fs::create_dir_all(&self.place.of_plugin).map_err(io)?;
        // `tempdir` gives it to us alone; the host may run as another user.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.folder.path(), readable).map_err(io)?;
        if self.place.folder.exists() {
            // The same package, perhaps changed since: it moves away and is deleted with `old`.
            let old = tempfile::Builder::new()
                .prefix(UNFINISHED)
                .tempdir_in(&self.place.all)
                .map_err(io)?;
            fs::rename(&self.place.folder, old.path().join("old")).map_err(io)?;
        }
        fs::rename(self.folder.path(), &self.place.folder).map_err(io)?;
        file::sync_dir(&self.place.of_plugin)
            .and_then(|()| file::sync_dir(&self.place.all))
            .map_err(io)?;
        Ok(self.place)
    }
}

/// Removes folders of killed installations.
fn remove_unfinished(plugins: &Path) {
    for entry in fs::read_dir(plugins).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    file::sync_dir(folder)
}
