//! Runs one statement on the engine of its transaction.

pub(crate) mod postgres;
pub(crate) mod sqlite;

/// What must happen to the transaction, whatever its closure returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The closure decides.
    Open,
    /// A statement failed: roll back.
    Doomed,
    /// Another transaction was in the way: roll back, and run the closure again.
    Rerun,
    /// The connection is unusable: close it, and run the closure again on another one.
    Elsewhere,
}

/// Which changes of other transactions a writing transaction may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    Serializable,
    ReadCommitted,
}

/// What a closure may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// On a snapshot.
    Read,
    Write {
        isolation: Isolation,
        chunk: i64,
    },
}
