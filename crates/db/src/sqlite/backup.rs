//! A copy of the database while it is in use.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::open;
use crate::Error;
use crate::statement::sqlite::error;

/// Writes a consistent copy to `to`, which must not exist.
pub(super) fn backup(from: &Path, to: &Path) -> Result<(), Error> {
    let unusable = |reason: &dyn std::fmt::Display| {
        Error::Database(format!("the backup {} cannot be written: {reason}", to.display()))
    };
    let target = to.to_str().ok_or_else(|| unusable(&"its path is not UTF-8"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // The copy holds the same hashes and sealed keys as the original.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(to).map_err(|error| unusable(&error))?;
    // A connection of its own: a long read on it delays nobody.
    let written = open::copier(from).and_then(|connection| {
        connection.execute("VACUUM INTO ?1", [target]).map_err(error)?;
        File::open(to)
            .and_then(|file| file.sync_all())
            .map_err(|error| unusable(&error))?;
        open::sync_directory(to)
    });
    if written.is_err() {
        // An incomplete backup must not look like a backup.
        let _ = std::fs::remove_file(to);
    }
    written
}
