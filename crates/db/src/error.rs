//! What can go wrong between a query and its answer.

/// A failure of the database, never a refusal of the domain.
///
/// No message contains a parameter, a row or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A unique key is taken; names the constraint where the engine does.
    #[error("unique constraint violated: {0}")]
    Conflict(String),
    /// A transaction awaited something that is not the database.
    ///
    /// Only SQLite can tell, see [`Db::tx`](crate::Db::tx).
    #[error("a transaction awaited something that is not the database")]
    ForeignAwait,
    /// An earlier statement of the transaction failed, so nothing of it can be
    /// committed; the earlier statement's error says why.
    #[error("an earlier statement of this transaction failed, nothing of it was committed")]
    Aborted,
    /// The database stayed in the way of others for too long. Nothing was
    /// committed, and the same call may succeed later.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The commit that this transaction shared with others failed. Nothing was committed.
    #[error("the commit failed: {0}")]
    CommitFailed(String),
    /// The database cannot be reached, or takes no writes for now. Nothing was
    /// committed, and the same call may succeed later.
    #[error("the database is not available, nothing was committed: {0}")]
    Unavailable(String),
    /// The connection broke during the commit, or the commit took too long: the
    /// transaction happened, or it did not, or it happens yet.
    #[error("nobody can say whether the transaction was committed: {0}")]
    UnknownOutcome(String),
    /// The database cannot be opened; says what to check.
    #[error("{0}")]
    Connect(String),
    /// The schema cannot be brought to this program's version; says why.
    #[error("{0}")]
    Migration(String),
    /// The database was closed by this process.
    #[error("the database is closed")]
    Closed,
    #[error("database failed: {0}")]
    Database(String),
}

/// What a caller may do after a failure that is nobody's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Nothing was committed, and the same call may succeed in a moment.
    Passing,
    /// Whether it was committed is not known: a look tells, a second call may do it twice.
    Unknown,
}

impl Error {
    /// Whether it is a failure that passes, and what became of the transaction.
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Busy(_) | Self::Unavailable(_) => Some(Outage::Passing),
            Self::UnknownOutcome(_) => Some(Outage::Unknown),
            _ => None,
        }
    }
}
