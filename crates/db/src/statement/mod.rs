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
}
