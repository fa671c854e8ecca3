//! The end of a transaction that writes: its last rows and the COMMIT go to the server in one round trip.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::maybe_done;
use tokio::time::timeout;
use tokio_postgres::Error as Failure;
use tokio_postgres::error::Severity;

use super::transaction::{COMMIT_LIMIT, Transaction};
use super::{ANSWER_LIMIT, Prepared, StatementResult, bounded, count_rows, exec, failed, prepare};
use crate::append::{self, AppendedRow};
use crate::statement::Fate;
use crate::work::Work;
use crate::{Error, Value};

/// The most statements that go with the COMMIT. Those before them are answered first.
const TOGETHER: usize = 8;

/// The outcome of a transaction.
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
    let mut statements: Vec<_> = last
        .iter()
        .map(|(prepared, values)| Box::pin(maybe_done(count_rows(transaction, prepared, values))))
        .collect();
    let refused = |failure: &Failure| {
        let (fate, error) = failed(transaction, failure);
        Commit::Refused(fate, error)
    };
    // The first poll sends a statement. If a value has the wrong type, its statement is not sent, and the
    // COMMIT must not be either.
    for statement in &mut statements {
        let _ = poll_fn(|context| Poll::Ready(statement.as_mut().poll(context))).await;
        if let Some(Err(failure)) = statement.as_mut().output_mut() {
            return refused(failure);
        }
    }
    let mut commit = pin!(transaction.client().batch_execute("COMMIT"));
    let answered = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
    // The answers of the statements decide first: if one was refused, the server answers the COMMIT with a
    // rollback that looks like success. They decide in their order: what comes after a refused one is refused
    // only for that reason.
    let written = async {
        for statement in &mut statements {
            statement.as_mut().await;
            if let Some(Err(failure)) = statement.as_mut().take_output() {
                return Err(failure);
            }
        }
        Ok(())
    };
    match timeout(ANSWER_LIMIT, written).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) if is_word_of_server(&failure) => return refused(&failure),
        // The connection broke. The server may have run both before that.
        Ok(Err(failure)) => return Commit::Answered(Err(failure)),
        Err(_) => return Commit::Hangs,
    }
    match answered {
        Poll::Ready(answer) => Commit::Answered(answer),
        Poll::Pending => timeout(COMMIT_LIMIT, commit)
            .await
            .map_or(Commit::Hangs, Commit::Answered),
    }
}

/// Whether the server itself refused the statement, so that it did not commit after it.
fn is_word_of_server(failure: &Failure) -> bool {
    failure.as_db_error().is_some_and(|refusal| {
        // A pooler ends a connection, too, and does not know what became of the statements. Only the server
        // names the routine that refused. Class 08 is a pooler's word in any case.
        let is_end = matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        !refusal.code().code().starts_with("08") && (!is_end || refusal.routine().is_some())
    })
}
