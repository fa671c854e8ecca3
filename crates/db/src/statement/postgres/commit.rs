//! The end of a transaction that writes: its last rows and the COMMIT go to the server in one round trip.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::{Either, select, try_join_all};
use tokio::time::timeout;
use tokio_postgres::Error as Failure;

use super::transaction::{COMMIT_LIMIT, Transaction};
use super::{ANSWER_LIMIT, Prepared, StatementResult, bounded, count_rows, exec, failed, prepare};
use crate::append::{self, AppendedRow};
use crate::statement::Fate;
use crate::work::Work;
use crate::{Error, Value};

/// The most statements that go with the COMMIT. Those before them are answered first.
const TOGETHER: usize = 8;

/// What came of a transaction.
pub(crate) enum Commit {
    Answered(Result<(), Failure>),
    /// A statement before the COMMIT failed. Nothing was committed.
    Refused(Fate, Error),
    /// It may still happen.
    Hangs,
}

/// Writes the `rows`, and commits.
pub(crate) async fn commit(mut transaction: Transaction, work: &Work, rows: &[AppendedRow]) -> Commit {
    let last = match write_all_but_the_last(&mut transaction, work, rows).await {
        Ok(last) => last,
        Err((fate, error)) => return refuse(transaction, fate, error).await,
    };
    if !transaction.is_begun() {
        return Commit::Answered(Ok(()));
    }
    // A caller that leaves from here on does not undo it.
    transaction.commits();
    match write_and_commit(&transaction, &last).await {
        Commit::Refused(fate, error) => refuse(transaction, fate, error).await,
        Commit::Hangs => Commit::Hangs,
        Commit::Answered(answer) => {
            transaction.ends();
            Commit::Answered(answer)
        }
    }
}

async fn refuse(mut transaction: Transaction, fate: Fate, error: Error) -> Commit {
    if fate == Fate::Elsewhere {
        transaction.close();
    } else {
        transaction.roll_back().await;
    }
    Commit::Refused(fate, error)
}

/// Runs the statements that are too many to go with the COMMIT. Returns the others.
async fn write_all_but_the_last<'r>(
    transaction: &mut Transaction,
    work: &Work,
    rows: &'r [AppendedRow],
) -> StatementResult<Vec<(Prepared, Vec<Value<'r>>)>> {
    let statements = append::statements(rows);
    let before = statements.len().saturating_sub(TOGETHER);
    let mut last = Vec::new();
    for (index, (sql, values)) in statements.into_iter().enumerate() {
        work.statement(sql);
        if index < before {
            exec(transaction, sql, &values).await?;
        } else {
            transaction.begin().await?;
            let prepared = bounded(prepare(transaction, sql, values.len())).await?;
            last.push((prepared, values));
        }
    }
    Ok(last)
}

async fn write_and_commit(transaction: &Transaction, last: &[(Prepared, Vec<Value<'_>>)]) -> Commit {
    let statements = last
        .iter()
        .map(|(prepared, values)| count_rows(transaction, prepared, values));
    let mut written = pin!(try_join_all(statements));
    let refused = |failure: &Failure| {
        let (fate, error) = failed(transaction, failure);
        Commit::Refused(fate, error)
    };
    // The first poll sends the statements. If a value has the wrong type, its statement is not sent, and
    // the COMMIT must not be either.
    let sent = poll_fn(|context| Poll::Ready(written.as_mut().poll(context))).await;
    let commit = || transaction.client().batch_execute("COMMIT");
    let committed = match sent {
        Poll::Ready(Err(failure)) => return refused(&failure),
        Poll::Ready(Ok(_)) => timeout(COMMIT_LIMIT, commit()).await,
        Poll::Pending => match timeout(ANSWER_LIMIT, select(written, pin!(commit()))).await {
            Ok(Either::Left((Ok(_), commit))) => timeout(COMMIT_LIMIT, commit).await,
            // The server answers the COMMIT with a rollback that looks like success.
            Ok(Either::Left((Err(failure), _))) if is_word_of_server(&failure) => return refused(&failure),
            // The connection broke. The server may have run both before that.
            Ok(Either::Left((Err(failure), _))) => Ok(Err(failure)),
            // It answers in the order of the statements, so the connection broke.
            Ok(Either::Right((committed, _))) => Ok(committed),
            Err(late) => Err(late),
        },
    };
    committed.map_or(Commit::Hangs, Commit::Answered)
}

/// Whether the server itself refused the statement, so that it did not commit after it.
fn is_word_of_server(failure: &Failure) -> bool {
    let refusal = failure.as_db_error();
    // Class 08: a pooler says this, which does not know what became of the statements.
    refusal.is_some_and(|refusal| !refusal.code().code().starts_with("08"))
}
