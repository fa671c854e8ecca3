//! Files that several processes read and write: locked, replaced in one step, never half-written.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a writer waits for another one. A write takes milliseconds. If a process holds
/// the lock longer, it is stuck, and an error is better than to wait with it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The right to write a file. Ends when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The file to write: the target, if `path` is a symbolic link.
    path: PathBuf,
}

impl Lock {
    /// Waits until nobody else writes `path`, then cleans up after writers that were killed.
    ///
    /// # Errors
    ///
    /// If the lock cannot be had within ten seconds, or the directory cannot be written.
    pub fn acquire(path: &Path) -> io::Result<Self> {
        // The link stays: people keep configuration elsewhere and link to it.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(lock_file(&path)?)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_TIMEOUT => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another process has been writing {} for too long", path.display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let lock = Self { _file: file, path };
        lock.remove_leftovers();
        Ok(lock)
    }

    /// Replaces the file by `content`. After a crash at any moment the file has the
    /// old content or the new one.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the old content then stays.
    pub fn write(&self, content: &[u8], mode: u32) -> io::Result<()> {
        let directory = parent(&self.path)?;
        let mut file = tempfile::Builder::new()
            .prefix(&self.leftover_prefix())
            .permissions(fs::Permissions::from_mode(mode))
            .tempfile_in(directory)?;
        file.write_all(content)?;
        // The process may have a narrower or wider mask than the mode asks for.
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        sync_dir(directory)
    }

    fn leftover_prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{name}.new-")
    }

    /// A killed writer leaves its unfinished file. We hold the lock, so nobody is
    /// still writing one.
    fn remove_leftovers(&self) {
        let prefix = self.leftover_prefix();
        let Some(entries) = parent(&self.path).ok().and_then(|path| fs::read_dir(path).ok()) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // A leftover is harmless: the next writer tries again.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Reads a whole file of at most `limit` bytes; `None` if there is none.
///
/// # Errors
///
/// If it cannot be read or is larger.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("is larger than {limit} bytes"),
        ));
    }
    Ok(Some(content))
}

/// Makes a directory that only its owner may enter, unless it exists.
///
/// # Errors
///
/// If it cannot be made, or others may write into one below `/tmp`.
pub fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // Without HOME the directory has a known name in a place where anybody may make it first.
    let is_shared = path.starts_with("/tmp/.config") || path.starts_with("/tmp/.local");
    if is_shared {
        for directory in path
            .ancestors()
            .take_while(|directory| *directory != Path::new("/tmp"))
        {
            let metadata = fs::symlink_metadata(directory)?;
            let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
            if !metadata.is_dir() || !is_ours || metadata.mode() & 0o022 != 0 {
                let message = format!("{} belongs to somebody else: set HOME", directory.display());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
            }
        }
    }
    Ok(())
}

/// Makes new, renamed and removed entries of a directory survive a power cut.
///
/// # Errors
///
/// If the directory cannot be opened or written back.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn lock_file(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"))?;
    Ok(parent(path)?.join(format!(".{}.lock", name.to_string_lossy())))
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not the path of a file",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_written_through_and_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        Lock::acquire(&link).unwrap().write(b"new", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_killed_writers_leftover_is_removed_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.json");
        fs::write(directory.path().join(".secrets.json.new-Ab12"), "half").unwrap();
        fs::write(directory.path().join("other"), "").unwrap();
        Lock::acquire(&path).unwrap().write(b"{}", 0o600).unwrap();
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, [".secrets.json.lock", "other", "secrets.json"]);
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(read(&path, 4).unwrap(), None);
        fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap().unwrap(), b"1234");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 4).unwrap_err().to_string(), "is larger than 4 bytes");
    }
}
