//! Unpacks an npm tarball into an empty folder, or refuses it.
//!
//! It is stricter than npm: plain files and folders only, names that mean the same
//! on every file system, and no data behind the end that another reader might find.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType};

/// The limits of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub entries: usize,
    /// Unpacked, with the headers.
    pub bytes: u64,
    /// Unpacked bytes for each packed one, beyond `free_bytes`: code shrinks to a
    /// third or a tenth, a bomb to a thousandth.
    pub ratio: u64,
    pub free_bytes: u64,
    /// Of a path, without the folder that everything is in.
    pub path_bytes: usize,
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000,
            bytes: 256 << 20,
            ratio: 100,
            free_bytes: 8 << 20,
            path_bytes: 512,
            depth: 32,
        }
    }
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is no gzipped tar archive ({0})")]
    NotAnArchive(io::Error),
    #[error("the entry {0:?} leaves the package")]
    Leaves(String),
    #[error("the entry {path:?} is {kind}, and only files and folders are taken")]
    Kind { path: String, kind: &'static str },
    #[error("the entry {0:?} has a name that is not plain ASCII")]
    Name(String),
    #[error("the entry {0:?} has a name that is too long or too deep")]
    LongName(String),
    #[error("the entries {0:?} and {1:?} would be one file on some file systems")]
    Collision(String, String),
    #[error("the entry {0:?} is outside of the folder that the others are in")]
    SecondRoot(String),
    #[error("it has more than {0} entries")]
    TooManyEntries(usize),
    #[error("it unpacks to more than {} MiB", .0 >> 20)]
    TooLarge(u64),
    #[error("it unpacks to more than {0} times its size, as a bomb does")]
    Bomb(u64),
    #[error("there is something behind its end")]
    Trailing,
    #[error("cannot write a file of it: {0}")]
    Write(io::Error),
}

/// Unpacks `tarball` into `target`, an empty folder of our own, without the folder
/// `package/` that npm puts around everything.
///
/// The archive is read to its end once before anything is written, so that a
/// bomb or a bad last entry costs no disk.
///
/// Returns the paths of the files.
///
/// # Errors
///
/// [`Error`] at the first entry that is refused.
pub(super) fn unpack(tarball: &[u8], target: &Path, limits: Limits) -> Result<Vec<String>, Error> {
    walk(tarball, limits, |_, entry| {
        io::copy(entry, &mut io::sink())
            .map_err(CopyError::Read)
            .map(drop)
    })?;
    walk(tarball, limits, |path, entry| write(entry, &target.join(path)))
}

/// An entry that may be read.
type ArchiveEntry<'a, 'b> = Entry<'a, BoundedReader<GzDecoder<&'b [u8]>>>;

fn walk(
    tarball: &[u8],
    limits: Limits,
    mut take: impl FnMut(&str, &mut ArchiveEntry<'_, '_>) -> Result<(), CopyError>,
) -> Result<Vec<String>, Error> {
    let budget = (tarball.len() as u64 * limits.ratio).saturating_add(limits.free_bytes);
    let mut archive = Archive::new(BoundedReader {
        inner: GzDecoder::new(tarball),
        left: limits.bytes.min(budget),
    });
    let refused = |error| refused(error, limits, budget);
    let mut names = Names::new(limits);
    for (count, entry) in archive.entries().map_err(refused)?.enumerate() {
        if count == limits.entries {
            return Err(Error::TooManyEntries(limits.entries));
        }
        let mut entry = entry.map_err(refused)?;
        let Some(path) = names.admit(&entry)? else {
            continue;
        };
        take(&path, &mut entry).map_err(|error| match error {
            CopyError::Read(error) => refused(error),
            CopyError::Write(error) => Error::Write(error),
        })?;
    }
    check_end(archive.into_inner(), refused)?;
    Ok(names.files())
}

/// Checks that another reader would find no more entries.
fn check_end(
    mut rest: BoundedReader<GzDecoder<&[u8]>>,
    refused: impl Fn(io::Error) -> Error,
) -> Result<(), Error> {
    // A tar archive ends at an empty block. This reader stops there; others may continue.
    let mut block = [0; 8192];
    loop {
        match rest.read(&mut block).map_err(&refused)? {
            0 => break,
            count if block[..count].iter().all(|byte| *byte == 0) => {}
            _ => return Err(Error::Trailing),
        }
    }
    // A gzip file may hold several members, and this reader takes the first.
    if rest.inner.into_inner().is_empty() {
        Ok(())
    } else {
        Err(Error::Trailing)
    }
}

fn refused(error: io::Error, limits: Limits, budget: u64) -> Error {
    if error.kind() != io::ErrorKind::FileTooLarge {
        return Error::NotAnArchive(error);
    }
    if budget < limits.bytes {
        Error::Bomb(limits.ratio)
    } else {
        Error::TooLarge(limits.bytes)
    }
}

/// Like `Take`, but ends with an error and not as if the file ended.
struct BoundedReader<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for BoundedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Folder,
}

/// The names so far, to find two that are equal on a file system which ignores case.
struct Names {
    limits: Limits,
    root: Option<String>,
    seen: BTreeMap<String, (String, EntryKind)>,
}

impl Names {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            root: None,
            seen: BTreeMap::new(),
        }
    }

    /// The path of a file to write; `None` for a folder, which is made when a file needs it.
    fn admit(&mut self, entry: &Entry<'_, impl Read>) -> Result<Option<String>, Error> {
        let raw = entry.path_bytes();
        let path = String::from_utf8_lossy(&raw).into_owned();
        let kind = kind_of(entry.header().entry_type(), &path)?;
        // Unicode has several ways to write one name, and file systems differ in which they keep.
        if path.is_empty()
            || !path
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\')
        {
            return Err(Error::Name(path));
        }
        let mut components: Vec<&str> = path.split('/').collect();
        if kind == EntryKind::Folder && components.last() == Some(&"") {
            components.pop();
        }
        if components.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(Error::Leaves(path));
        }
        let (root, components) = components.split_first().expect("a split has one part at least");
        if self.root.get_or_insert_with(|| (*root).to_owned()) != root {
            return Err(Error::SecondRoot(path.clone()));
        }
        if components.is_empty() {
            return match kind {
                EntryKind::Folder => Ok(None),
                EntryKind::File => Err(Error::SecondRoot(path)),
            };
        }
        let inner = components.join("/");
        if inner.len() > self.limits.path_bytes
            || components.len() > self.limits.depth
            || components.iter().any(|part| part.len() > 255)
        {
            return Err(Error::LongName(path));
        }
        for length in 1..components.len() {
            self.insert(&components[..length].join("/"), EntryKind::Folder)?;
        }
        self.insert(&inner, kind)?;
        Ok((kind == EntryKind::File).then_some(inner))
    }

    fn insert(&mut self, path: &str, kind: EntryKind) -> Result<(), Error> {
        let new = (path.to_owned(), kind);
        let old = self
            .seen
            .entry(path.to_ascii_lowercase())
            .or_insert_with(|| (String::new(), kind));
        if old.0.is_empty() {
            *old = new;
            return Ok(());
        }
        // A folder may be named several times; a file once.
        if *old != new || kind == EntryKind::File {
            return Err(Error::Collision(old.0.clone(), path.to_owned()));
        }
        Ok(())
    }

    fn files(self) -> Vec<String> {
        let files = self
            .seen
            .into_values()
            .filter(|(_, kind)| *kind == EntryKind::File);
        files.map(|(path, _)| path).collect()
    }
}

fn kind_of(entry: EntryType, path: &str) -> Result<EntryKind, Error> {
    let kind = match entry {
        EntryType::Regular => return Ok(EntryKind::File),
        EntryType::Directory => return Ok(EntryKind::Folder),
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::XGlobalHeader => "a header for all entries",
        _ => "of an unknown kind",
    };
    Err(Error::Kind {
        path: path.to_owned(),
        kind,
    })
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

fn write(entry: &mut Entry<'_, impl Read>, target: &Path) -> Result<(), CopyError> {
    let is_executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
    let mode = if is_executable { 0o755 } else { 0o644 };
    let mut file = create(target, mode).map_err(CopyError::Write)?;
    let mut block = vec![0; 64 << 10];
    loop {
        match entry.read(&mut block).map_err(CopyError::Read)? {
            0 => break,
            count => file.write_all(&block[..count]).map_err(CopyError::Write)?,
        }
    }
    // Exactly these bits, with any mask of the process, and no other bits of the archive.
    file.set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| file.sync_all())
        .map_err(CopyError::Write)
}

fn create(target: &Path, mode: u32) -> io::Result<File> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    // New files only: nothing is written through an existing file or link.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(target)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use tar::{Builder, Header};

    use super::*;

    fn tar() -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        let long = format!("package/{}run.js", "directory/".repeat(12));
        for (path, content) in [
            ("package/package.json", "{}"),
            ("package/a", "a"),
            (long.as_str(), "long"),
        ] {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// Everything below `folder`, without following links.
    fn names(folder: &Path) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                found.extend(names(&entry.path()));
            } else {
                found.push(entry.path());
            }
        }
        found
    }

    #[test]
    fn a_package_is_unpacked_without_its_root() {
        let folder = tempfile::tempdir().unwrap();
        let files = unpack(&gzip(&tar()), folder.path(), Limits::default()).unwrap();
        let long = format!("{}run.js", "directory/".repeat(12));
        assert_eq!(files, ["a", long.as_str(), "package.json"]);
        assert_eq!(fs::read(folder.path().join(long)).unwrap(), b"long");
    }

    #[test]
    fn an_archive_over_the_limit_is_told_from_a_bomb() {
        let folder = tempfile::tempdir().unwrap();
        let limits = |bytes, free_bytes| Limits {
            bytes,
            ratio: 1,
            free_bytes,
            ..Limits::default()
        };
        let packed = gzip(&tar());
        let large = unpack(&packed, folder.path(), limits(1_000, 10_000)).unwrap_err();
        assert!(matches!(large, Error::TooLarge(1_000)), "{large}");
        let bomb = unpack(&packed, folder.path(), limits(10_000, 0)).unwrap_err();
        assert!(matches!(bomb, Error::Bomb(1)), "{bomb}");
        assert_eq!(names(folder.path()), Vec::<std::path::PathBuf>::new());
    }

    proptest! {
        /// Any archive: no panic, and all or nothing.
        #[test]
        fn a_damaged_archive_is_unpacked_whole_or_not_at_all(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut content = tar();
            for (place, byte) in changes {
                *place.get_mut(&mut content) = byte;
            }
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("target");
            fs::create_dir(&folder).unwrap();
            let unpacked = unpack(&gzip(&content), &folder, Limits::default());
            let mut found = names(parent.path());
            found.sort();
            let mut expected: Vec<_> = unpacked.unwrap_or_default().iter().map(|file| folder.join(file)).collect();
            expected.sort();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let folder = tempfile::tempdir().unwrap();
            prop_assert!(unpack(&bytes, folder.path(), Limits::default()).is_err());
        }
    }
}
