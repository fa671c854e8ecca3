//! One server for each embedded database.
//!
//! What a server remembers of its database (keys, clients, how much a stranger asked for) is
//! right only if no other server writes to it. Commands may: they raise the counter that a
//! server watches. So a server holds a lock on a file beside the database. The system lets go
//! of it when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::failure::Failure;

/// Held as long as the server runs.
#[derive(Debug)]
pub struct SoleServer {
    /// Whoever drops it lets go.
    _lock: Option<File>,
}

/// Takes the lock of the embedded database; with PostgreSQL there may be any number of servers.
///
/// # Errors
///
/// A message that names the other server.
pub fn sole_server(config: &Config) -> Result<SoleServer, Failure> {
    let url = config.database_url();
    let Some(database) = url.sqlite_path() else {
        return Ok(SoleServer { _lock: None });
    };
    if config.database.url.is_none() {
        super::create_data_dir(&config.data_dir)?;
    }
    take(Path::new(database))
}

fn take(database: &Path) -> Result<SoleServer, Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = lock_file(database);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| {
            Failure::new(format!("{} cannot be opened: {error}", path.display()))
                .remedy("Let the user that runs this server write in that folder.")
        })?;
    match file.try_lock() {
        Ok(()) => {
            // Only for whoever meets the lock.
            let _ = file
                .set_len(0)
                .and_then(|()| write!(file, "{}", std::process::id()));
            Ok(SoleServer { _lock: Some(file) })
        }
        Err(TryLockError::WouldBlock) => {
            let mut id = String::new();
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut id));
            let process = id.trim().parse::<u32>();
            let process = process.map_or_else(|_| String::new(), |id| format!(" (process {id})"));
            Err(Failure::new(format!(
                "Another server{process} runs on {} already.",
                database.display()
            ))
            .remedy(
                "Stop it first, or name another folder (--data-dir for `genkan dev`, data_dir for `genkan serve`). \
                 Several servers on one database need PostgreSQL: database.url.",
            ))
        }
        // Some network file systems have no locks. Nobody is kept from starting by that.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(file = %path.display(), %error, "cannot tell whether another server runs on this database");
            Ok(SoleServer { _lock: None })
        }
    }
}

/// Beside the file itself, by whatever links it is reached.
fn lock_file(database: &Path) -> PathBuf {
    let file = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let mut name = file.into_os_string();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_server_is_told_of_the_first_until_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("genkan.db");
        std::fs::write(&database, "").unwrap();
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).unwrap();
        let first = take(&database).unwrap();
        for name in [&database, &link] {
            let refused = take(name).unwrap_err().to_string();
            assert!(
                refused.contains(&format!("process {}", std::process::id())),
                "{refused}"
            );
        }
        drop(first);
        take(&link).unwrap();
    }
}
