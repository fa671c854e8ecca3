//! The connections that read.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::open;
use crate::Error;

/// Idle connections.
///
/// A read uses its connection for one poll, so there are never more connections than threads that poll.
/// Nobody waits for one, and no limit is needed.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Idle>,
}

struct Idle {
    connections: Vec<Connection>,
    closed: bool,
}

impl Readers {
    /// Opens the first connection, so that a wrong setting shows at once.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let connections = vec![open::reader(path)?];
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::new(Idle {
                connections,
                closed: false,
            }),
        })
    }

    /// Lends a connection to `f`.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Connection) -> T) -> Result<T, Error> {
        let connection = self.take()?;
        let mut loan = Loan {
            readers: self,
            connection: Some(connection),
        };
        Ok(f(loan
            .connection
            .as_mut()
            .expect("the loan gives it back only when dropped")))
    }

    pub(super) fn close(&self) {
        let mut idle = self.idle.lock();
        idle.closed = true;
        idle.connections.clear();
    }

    fn take(&self) -> Result<Connection, Error> {
        let mut idle = self.idle.lock();
        if idle.closed {
            return Err(Error::Closed);
        }
        match idle.connections.pop() {
            Some(connection) => Ok(connection),
            None => {
                drop(idle);
                open::reader(&self.path)
            }
        }
    }
}

/// Returns the connection, also after a panic.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock();
        // A connection that is still in a transaction would keep its old snapshot.
        if let Some(connection) = self.connection.take().filter(Connection::is_autocommit)
            && !idle.closed
        {
            idle.connections.push(connection);
        }
    }
}
