//! Running a closure inside a transaction: one poll, and no more.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;

use crate::statement::Fate;
use crate::statement::sqlite::error;
use crate::tx::{FIRST_CHUNK, poll};
use crate::work::Work;
use crate::{Error, Tx};

thread_local! {
    /// Whether this thread is polling a transaction's closure.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The outcome of a closure, or its panic.
pub(super) type Outcome<T, E> = Result<Result<T, E>, Box<dyn Any + Send>>;

/// Refuses a transaction or read within a transaction.
///
/// A nested write would wait for itself; a nested read would not see what its
/// transaction wrote. The closure's own `Tx` does both.
pub(super) fn refuse_nesting() -> Result<(), Error> {
    if INSIDE.get() {
        Err(Error::ForeignAwait)
    } else {
        Ok(())
    }
}

/// Polls `f` once, without rolling back or committing anything.
pub(super) fn run<T, E: From<Error>>(
    connection: &mut Connection,
    chunk: i64,
    work: &Work,
    f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Outcome<T, E> {
    // Unwind-safe: the caller rolls back and raises the panic again.
    catch_unwind(AssertUnwindSafe(|| {
        let mut tx = Tx::sqlite(connection, chunk, work);
        let poll = {
            let _inside = Inside::enter();
            let future = pin!(f(&mut tx));
            poll(future, &mut Context::from_waker(Waker::noop()))
        };
        match poll {
            Poll::Pending => Err(Error::ForeignAwait.into()),
            Poll::Ready(Ok(_)) if tx.fate() != Fate::Open => Err(Error::Aborted.into()),
            Poll::Ready(result) => result,
        }
    }))
}

/// Polls `f` once on a snapshot of its own.
pub(super) fn read<T, E: From<Error>>(
    connection: &mut Connection,
    work: &Work,
    f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    execute(connection, "BEGIN").map_err(error)?;
    let outcome = run(connection, FIRST_CHUNK, work, f);
    // A read leaves nothing behind; ending it cannot fail in a way that matters
    // here, and a connection that stays in a transaction fails its next BEGIN.
    let _ = execute(connection, "ROLLBACK");
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a statement that has no parameters and no rows.
#[inline(never)]
pub(super) fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Marks the thread for as long as it lives, also through a panic.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(true);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}
