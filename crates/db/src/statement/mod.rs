//! One statement, by the engine that runs it.

pub(crate) mod postgres;
pub(crate) mod sqlite;

/// What must become of the transaction, whatever its closure returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The closure decides.
    Open,
    /// A statement failed: roll back.
    Doomed,
    /// Another transaction was in the way: roll back and run the closure again.
    Rerun,
    /// The connection is good for nothing: close it and run the closure again on another.
    Elsewhere,
}

/// What a transaction that writes may see of others.
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
