//! Machine code from earlier runs.
//!
//! To load machine code is to run it, so a file counts only if this machine wrote
//! it. A MAC under a key of the machine covers its source, its settings and its
//! bytes. Packages never bring such files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::{hmac, rand};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A MAC has this many bytes and comes first in a file.
const MAC_LENGTH: usize = 32;

/// The JavaScript engine takes some 40 MB.
const LONGEST_FILE: u64 = 512 << 20;

/// Beyond this number, the least recently used files are removed.
const MOST_FILES: usize = 32;

const USED_NOW: Timestamps = {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    Timestamps {
        last_access: now,
        last_modification: now,
    }
};

/// A directory of machine code that only this user can change.
#[derive(Debug)]
pub struct AotCache {
    directory: PathBuf,
    key: hmac::Key,
}

impl AotCache {
    /// Opens or makes the directory. `machine_key` is any secret of this
    /// machine; the key of the cache is derived from it.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, or others may write to it.
    pub fn open(directory: &Path, machine_key: &[u8]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let found = fs::symlink_metadata(directory)?;
        let is_own = found.uid() == rustix::process::geteuid().as_raw();
        if !found.is_dir() || !is_own || found.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!(
                "{} must be a directory of this user that nobody else can open (mode 0700)",
                directory.display()
            )));
        }
        let master = hmac::Key::new(hmac::HMAC_SHA256, machine_key);
        let derived = hmac::sign(&master, b"openneko machine code cache v1");
        Ok(Self {
            directory: directory.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        })
    }

    /// Loads the machine code of the component with this digest, if there is a file that this
    /// machine wrote for this very component, engine and configuration.
    pub(super) fn load(&self, engine: &Engine, sha512: &[u8; 64]) -> Option<Component> {
        let name = Name::of(engine, sha512);
        let file = self.read(&name).ok()?;
        let (mac, code) = file.split_at_checked(MAC_LENGTH)?;
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&name.0);
        context.update(code);
        // Compared in constant time: the length is fixed and the tag is secret.
        let expected = context.sign();
        if aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), mac).is_err() {
            tracing::warn!(file = %name.file(), "machine code that this machine did not write was ignored");
            return None;
        }
        #[expect(
            unsafe_code,
            reason = "machine code; its MAC says that `store` wrote these very bytes"
        )]
        // SAFETY: the bytes come from `Component::serialize` of the same engine
        // and configuration, which `name` names and the MAC confirms.
        let component = unsafe { Component::deserialize(engine, code) };
        component.ok()
    }

    /// Keeps the machine code of a component. A failure costs time only.
    pub(super) fn store(&self, engine: &Engine, sha512: &[u8; 64], component: &Component) {
        let name = Name::of(engine, sha512);
        let stored = component
            .serialize()
            .map_err(|error| error.to_string())
            .and_then(|code| self.write(&name, &code).map_err(|error| error.to_string()));
        if let Err(error) = stored {
            tracing::warn!(error, "machine code was not kept");
        }
        self.prune();
    }

    /// Keeps other processes from compiling the same component at the same time, which
    /// would slow each of them. Everything also works without the lock.
    pub(super) fn lock(&self, engine: &Engine, sha512: &[u8; 64]) -> Option<File> {
        let name = Name::of(engine, sha512).file();
        // A few files for all names, so that none has to be removed.
        let path = self.directory.join(format!("{}.lock", &name[..1]));
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .ok()?;
        file.lock().ok()?;
        Some(file)
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.directory.join(name.file()))?;
        // The time of the last use decides which file goes first; a failure here is harmless.
        let _ = rustix::fs::futimens(&file, &USED_NOW);
        file.take(LONGEST_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, name: &Name, code: &[u8]) -> io::Result<()> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&name.0);
        context.update(code);
        let mut random = [0; 8];
        rand::fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
        let scratch = self.directory.join(format!("{}.tmp", hex(&random)));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&scratch)
            .and_then(|mut file| {
                file.write_all(context.sign().as_ref())?;
                file.write_all(code)
            })
            .and_then(|()| fs::rename(&scratch, self.directory.join(name.file())));
        if written.is_err() {
            let _ = fs::remove_file(&scratch);
        }
        written
    }

    /// If there are too many files, removes the least recently used ones.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let is_code = entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension != "lock");
                if !is_code {
                    return None;
                }
                Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
            })
            .collect();
        files.sort();
        let excess = files.len().saturating_sub(MOST_FILES);
        for (_, path) in files.into_iter().take(excess) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The name of machine code: it covers the component, and everything of the engine
/// and the machine on which the code depends.
struct Name([u8; 32]);

impl Name {
    fn of(engine: &Engine, sha512: &[u8; 64]) -> Self {
        let mut hasher = Collect(digest::Context::new(&SHA256));
        hasher.write(sha512);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let digest = hasher.0.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    fn file(&self) -> String {
        format!("{}.cwasm", hex(&self.0))
    }
}

/// A `Hasher` that feeds its whole input to a digest.
struct Collect(digest::Context);

impl Hasher for Collect {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is read in place of it")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
