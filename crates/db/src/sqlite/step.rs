//! Runs a closure inside a transaction, with exactly one poll.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;

use crate::statement::sqlite::error;
use crate::statement::{Access, Fate};
use crate::tx::poll;
use crate::work::Work;
use crate::{Error, Tx};

thread_local! {
    /// Whether this thread is polling a transaction's closure.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The outcome of a closure, or its panic.
pub(super) type Outcome<T, E> = Result<Result<T, E>, Box<dyn Any + Send>>;

/// Refuses a transaction or a read inside a transaction.
///
/// A nested write would wait for itself. A nested read would not see what its transaction wrote. The
/// closure's own `Tx` can do both.
pub(super) fn refuse_nesting() -> Result<(), Error> {
    if INSIDE.get() {
        Err(Error::ForeignAwait)
    } else {
        Ok(())
    }
}

/// Polls `f` once, and says whether it called [`Tx::tell`]. It neither rolls back nor commits.
pub(super) fn run<T, E: From<Error>>(
    connection: &mut Connection,
    (access, is_told): (Access, &mut bool),
    work: &Work,
    f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Outcome<T, E> {
    // Unwind-safe, because the caller rolls back and resumes the panic.
    catch_unwind(AssertUnwindSafe(|| {
        let mut tx = Tx::sqlite(connection, access, work);
        let outcome = match poll_once(f(&mut tx)) {
            Poll::Pending => Err(Error::ForeignAwait.into()),
            Poll::Ready(Ok(_)) if tx.fate() != Fate::Open => Err(Error::Aborted.into()),
            Poll::Ready(Ok(value)) => match poll_once(tx.flush()) {
                Poll::Pending => Err(Error::ForeignAwait.into()),
                Poll::Ready(written) => written.map(|()| value).map_err(E::from),
            },
            Poll::Ready(Err(error)) => Err(error),
        };
        *is_told = tx.is_told();
        outcome
    }))
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let _inside = Inside::enter();
    poll(pin!(future), &mut Context::from_waker(Waker::noop()))
}

/// Polls `f` once on a snapshot of its own.
pub(super) fn read<T, E: From<Error>>(
    connection: &mut Connection,
    work: &Work,
    f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    execute(connection, "BEGIN").map_err(error)?;
    let outcome = run(connection, (Access::Read, &mut false), work, f);
    // A read changes nothing, so a failure to end it does no harm here. If the connection stays in a
    // transaction, its next BEGIN fails.
    let _ = execute(connection, "ROLLBACK");
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a statement without parameters and rows.
#[inline(never)]
pub(super) fn execute(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Marks the thread while it lives, also during a panic.
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
