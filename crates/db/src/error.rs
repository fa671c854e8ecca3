//! Errors of the engine.

/// A failure of the database, never a refusal of the domain.
///
/// No message contains a parameter, a row or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value of a unique key exists already. Names the constraint if the engine does.
    #[error("unique constraint violated: {0}")]
    Conflict(String),
    /// A transaction awaited something that is not the database.
    ///
    /// Only SQLite can tell, see [`Db::tx`](crate::Db::tx).
    #[error("a transaction awaited something that is not the database")]
    ForeignAwait,
    /// An earlier statement of the transaction failed, so nothing of it can be committed. The error of that
    /// statement says why.
    #[error("an earlier statement of this transaction failed, nothing of it was committed")]
    Aborted,
    /// Other transactions were in the way for too long. Nothing was committed, and the same call may
    /// succeed later.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The commit that this transaction shared with others failed. Nothing was committed.
    #[error("the commit failed: {0}")]
    CommitFailed(String),
    /// The database cannot be reached, or takes no writes for now. Nothing was
    /// committed, and the same call may succeed later.
    #[error("the database is not available, nothing was committed: {0}")]
    Unavailable(String),
    /// The connection broke during the commit, or the commit took too long. The transaction may have been
    /// committed, or may be yet.
    #[error("nobody can say whether the transaction was committed: {0}")]
    UnknownOutcome(String),
    /// The database cannot be opened. The text says what to check.
    #[error("{0}")]
    Connect(String),
    /// The schema cannot be brought to this program's version. The text says why.
    #[error("{0}")]
    Migration(String),
    /// The database was closed by this process.
    #[error("the database is closed")]
    Closed,
    #[error("database failed: {0}")]
    Database(String),
}

/// What a caller may do if the database is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Nothing was committed, and the same call may succeed in a moment.
    Passing,
    /// Nobody knows whether it was committed. The caller must look: a second call may do the same thing
    /// twice.
    Unknown,
}

impl Error {
    /// Whether the database is unavailable only for now, and what became of the transaction.
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Busy(_) | Self::Unavailable(_) => Some(Outage::Passing),
            Self::UnknownOutcome(_) => Some(Outage::Unknown),
            _ => None,
        }
    }
}
