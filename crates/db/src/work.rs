//! Counts what a database has done.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one open database.
#[derive(Debug, Default)]
pub(crate) struct Work {
    reads: AtomicU64,
    writes: AtomicU64,
    reruns: AtomicU64,
    statements: AtomicU64,
}

/// What a [`Db`](crate::Db) and its clones have done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkDone {
    /// Snapshots that were read.
    pub reads: u64,
    /// Transactions that could write. Each counts once, even if it ran several times.
    pub writes: u64,
    /// How often a closure ran again, because another transaction was in its way or its connection was
    /// lost.
    pub reruns: u64,
    /// Statements of closures, also of those that ran again. BEGIN and COMMIT do not count.
    pub statements: u64,
}

impl Work {
    pub(crate) fn read(&self) {
        tracing::trace!(target: "genkan_db::work", "read");
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn write(&self) {
        tracing::trace!(target: "genkan_db::work", "write");
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rerun(&self) {
        tracing::trace!(target: "genkan_db::work", "rerun");
        self.reruns.fetch_add(1, Ordering::Relaxed);
    }

    /// Logs only the text, because parameters may be secrets.
    pub(crate) fn statement(&self, sql: &'static str) {
        tracing::trace!(target: "genkan_db::work", sql);
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> WorkDone {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkDone {
            reads: of(&self.reads),
            writes: of(&self.writes),
            reruns: of(&self.reruns),
            statements: of(&self.statements),
        }
    }
}

impl std::ops::Sub for WorkDone {
    type Output = Self;

    /// The difference to `before`, of the same database.
    fn sub(self, before: Self) -> Self {
        Self {
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            reruns: self.reruns - before.reruns,
            statements: self.statements - before.statements,
        }
    }
}
