//! Files of a development instance, written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// The rights to read a file, if its folder gives access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    Owner,
    Everybody,
}

/// Replaces the file at `path` by `content`, unless it already has this content.
pub(super) fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if fs::read(path).is_ok_and(|known| known == content) {
        return Ok(());
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let _ = fs::remove_file(&temporary);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(if readers == Readers::Owner { 0o600 } else { 0o644 })
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}
