//! Opens the file, and says what is wrong with it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Error;

/// How long a connection waits for another process, such as a command beside a running server.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the checkpointer makes the writer wait for current readers.
const READERS_TIMEOUT: Duration = Duration::from_millis(50);

/// Prepared statements that each connection keeps. SQLite's default of 16 is fewer than one request needs.
const STATEMENTS: usize = 256;

/// Reads the path of a `sqlite:` URL. Nothing in it is percent-decoded.
pub(super) fn path(path: &str) -> Result<PathBuf, Error> {
    if path.is_empty() || path == ":memory:" || path.contains('\0') {
        return Err(Error::Connect(
            "sqlite: needs the path of a file, such as sqlite:genkan.db".to_owned(),
        ));
    }
    if path.starts_with("//") && !path.starts_with("///") {
        return Err(Error::Connect(
            "sqlite: takes a path as it stands: write sqlite:genkan.db, or sqlite:/var/lib/genkan.db"
                .to_owned(),
        ));
    }
    // Absolute, because SQLite would read `file:…` as a URI with options.
    std::path::absolute(path).map_err(|error| cannot("open", Path::new(path), &error))
}

/// Opens the connection that writes, and creates the file if it is missing.
pub(super) fn writer(path: &Path) -> Result<Connection, Error> {
    create(path)?;
    let connection = connection(path)?;
    if connection
        .is_readonly("main")
        .map_err(|error| explain(path, &error))?
    {
        return Err(Error::Connect(format!(
            "{} is not writable by this user: check its owner and mode",
            path.display()
        )));
    }
    use_write_ahead_log(&connection, path)?;
    configure(
        &connection,
        path,
        // FULL: an acknowledged commit survives a power cut, not only a crash. Checkpoints are left to the
        // checkpointer: within COMMIT they would make one caller wait for the work of a thousand. The
        // writer waits for other processes by itself, without blocking its thread.
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA busy_timeout = 0;",
    )?;
    // A commit after which a page of an index was split looks at every page that
    // is kept: with 16 MiB that was a fifteenth of a login.
    configure(&connection, path, "PRAGMA cache_size = -4096;")?;
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, Error> {
    let connection = connection(path)?;
    // With the 2 MiB of pages that SQLite keeps by itself, half of a search in a
    // million rows is copying pages from the system's cache.
    configure(
        &connection,
        path,
        "PRAGMA query_only = ON; PRAGMA cache_size = -16384;",
    )?;
    Ok(connection)
}

/// Opens a connection for a backup. A read-only connection cannot write to the copy either.
pub(super) fn copier(path: &Path) -> Result<Connection, Error> {
    connection(path)
}

/// Opens the connection that copies the log into the file.
pub(super) fn checkpointer(path: &Path) -> Result<Connection, Error> {
    let connection = connection(path)?;
    configure(
        &connection,
        path,
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;",
    )?;
    connection
        .busy_timeout(READERS_TIMEOUT)
        .map_err(|error| explain(path, &error))?;
    Ok(connection)
}

/// Opens a connection for schema changes, which may rebuild tables that others refer to.
pub(super) fn migrator(path: &Path, timeout: Duration) -> Result<Connection, Error> {
    let connection = connection(path)?;
    configure(
        &connection,
        path,
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF;",
    )?;
    connection
        .busy_timeout(timeout)
        .map_err(|error| explain(path, &error))?;
    Ok(connection)
}

/// Creates an empty file that only its owner can read, because it will hold hashes and sealed keys.
///
/// SQLite gives its `-wal` and `-shm` files the mode of this one.
fn create(path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => sync_directory(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot("create", path, &error)),
    }
}

/// Makes the name of a new file durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| cannot("create", path, &error))
}

fn connection(path: &Path) -> Result<Connection, Error> {
    // No mutex is needed: the types ensure that one thread at a time uses a connection.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(|error| explain(path, &error))?;
    for (option, on) in [
        // In a manipulated file, no view or trigger can call functions with side effects, and no statement
        // can damage the file on purpose. https://sqlite.org/security.html
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        // As in PostgreSQL, "text" is a name and never a string.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        // The plan depends on the statement, not on its parameters. By default SQLite compares parameters
        // with its statistics. For that it prepares some statements anew at every execution.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ] {
        connection
            .set_db_config(option, on)
            .map_err(|error| explain(path, &error))?;
    }
    configure(
        &connection,
        path,
        // As in PostgreSQL, LIKE is case-sensitive.
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA case_sensitive_like = ON;",
    )?;
    Ok(connection)
}

fn configure(connection: &Connection, path: &Path, pragmas: &str) -> Result<(), Error> {
    connection
        .execute_batch(pragmas)
        .map_err(|error| explain(path, &error))
}

/// Switches a new file to write-ahead logging.
///
/// The switch needs exclusive access to the file, and SQLite does not always wait for that.
fn use_write_ahead_log(connection: &Connection, path: &Path) -> Result<(), Error> {
    let started = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(Error::Connect(format!(
                    "{} stays in journal mode {mode}: its file system does not support write-ahead logging",
                    path.display()
                )));
            }
            Err(error) if is_busy(&error) && started.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(explain(path, &error)),
        }
    }
}

/// Whether another connection holds the lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Says what is wrong with the file.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> Error {
    let path = path.display();
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "it is not a SQLite database: check the path",
        Some(ErrorCode::CannotOpen) => "check the path, its owner and mode",
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "it or its directory is not writable by this user: check their owner and mode"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds its lock: see who has it open with `fuser -v`"
        }
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged: restore a backup",
        _ => return Error::Connect(format!("{path} cannot be opened: {error}")),
    };
    Error::Connect(format!("{path} cannot be opened: {remedy} ({error})"))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Error {
    let directory = path.parent().filter(|directory| !directory.is_dir());
    if let Some(directory) = directory {
        return Error::Connect(format!(
            "{} cannot be opened: the directory {} does not exist, create it first",
            path.display(),
            directory.display()
        ));
    }
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => ": check the owner and mode of its directory",
        io::ErrorKind::ReadOnlyFilesystem => ": its file system is mounted read-only",
        _ => "",
    };
    Error::Connect(format!("cannot {verb} {}{remedy} ({error})", path.display()))
}
