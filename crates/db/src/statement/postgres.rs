//! One statement on one connection to PostgreSQL.

use std::error::Error as StdError;
use std::pin::pin;

use deadpool_postgres::Transaction;
use futures_util::TryStreamExt;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::Fate;
use crate::{Error, Row, Value};

/// An answer, or what its absence means for the transaction.
type Answer<T> = Result<T, (Fate, Error)>;

pub(crate) async fn opt(
    transaction: &Transaction<'_>,
    sql: &str,
    params: &[Value<'_>],
) -> Answer<Option<Row>> {
    let statement = prepare(transaction, sql, params).await?;
    let rows = transaction.query_raw(&statement, params.iter().copied()).await;
    let mut rows = pin!(rows.map_err(|error| failed(transaction, &error))?);
    let mut first = None;
    // Read to the end: an error may follow the first row. But never beyond it:
    // the driver calls a second end a closed connection.
    while let Some(row) = rows
        .try_next()
        .await
        .map_err(|error| failed(transaction, &error))?
    {
        first.get_or_insert(row);
    }
    Ok(first.map(Row::postgres))
}

pub(crate) async fn all(transaction: &Transaction<'_>, sql: &str, params: &[Value<'_>]) -> Answer<Vec<Row>> {
    let statement = prepare(transaction, sql, params).await?;
    let rows = transaction.query_raw(&statement, params.iter().copied()).await;
    let rows = rows.map_err(|error| failed(transaction, &error))?;
    rows.map_ok(Row::postgres)
        .try_collect()
        .await
        .map_err(|error| failed(transaction, &error))
}

pub(crate) async fn exec(transaction: &Transaction<'_>, sql: &str, params: &[Value<'_>]) -> Answer<u64> {
    let statement = prepare(transaction, sql, params).await?;
    let count = transaction.execute_raw(&statement, params.iter().copied()).await;
    count.map_err(|error| failed(transaction, &error))
}

async fn prepare(
    transaction: &Transaction<'_>,
    sql: &str,
    params: &[Value<'_>],
) -> Answer<tokio_postgres::Statement> {
    let prepared = transaction.prepare_cached(sql).await;
    let statement = prepared.map_err(|error| failed(transaction, &error))?;
    let used = statement.params().len();
    if used != params.len() {
        // The driver would panic.
        let error = format!("`{sql}` uses ${used} at most, given were {}", params.len());
        return Err((Fate::Doomed, Error::Database(error)));
    }
    Ok(statement)
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Bool(value), &Type::BOOL) => value.to_sql(ty, out),
            (Value::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Value::Int(value), &Type::INT4) => i32::try_from(*value)?.to_sql(ty, out),
            (Value::Text(value), ty) if <&str as ToSql>::accepts(ty) => value.to_sql(ty, out),
            (Value::Bytes(value), &Type::BYTEA) => value.to_sql(ty, out),
            _ => Err(format!("it has type {ty}, given was {}", self.kind()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// What a failed statement means for its transaction.
fn failed(transaction: &Transaction<'_>, failure: &tokio_postgres::Error) -> (Fate, Error) {
    let fate = match failure.as_db_error() {
        // Before the commit it means that nothing happened.
        _ if is_lost(failure) => Fate::Rerun,
        Some(refusal) => match *refusal.code() {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Fate::Rerun,
            // A migration changed a table under a prepared statement.
            SqlState::FEATURE_NOT_SUPPORTED if refusal.routine() == Some("RevalidateCachedQuery") => {
                transaction.statement_cache.clear();
                Fate::Rerun
            }
            _ => Fate::Doomed,
        },
        None => Fate::Doomed,
    };
    (fate, error(failure))
}

/// Sorts PostgreSQL's errors.
///
/// The server's message is kept, but not its detail, which holds the row.
pub(crate) fn error(failure: &tokio_postgres::Error) -> Error {
    let Some(refusal) = failure.as_db_error() else {
        return Error::Database(chain(failure));
    };
    match *refusal.code() {
        SqlState::UNIQUE_VIOLATION => {
            Error::Conflict(refusal.constraint().unwrap_or(refusal.message()).to_owned())
        }
        SqlState::LOCK_NOT_AVAILABLE => Error::Busy("another transaction holds a lock".to_owned()),
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
            Error::Busy("another transaction was in the way".to_owned())
        }
        SqlState::QUERY_CANCELED => Error::Busy(refusal.message().to_owned()),
        ref code => Error::Database(format!("{} ({})", refusal.message(), code.code())),
    }
}

/// Whether the connection is gone.
pub(crate) fn is_lost(failure: &tokio_postgres::Error) -> bool {
    match failure.as_db_error() {
        // The server ended it: it stops, fails over, or was told to. Not when
        // the closure left it idle for too long, which it would do again.
        Some(refusal) => {
            matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
                && *refusal.code() != SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        }
        None => failure.is_closed() || failure.source().is_some_and(|cause| cause.is::<std::io::Error>()),
    }
}

/// The message with its causes, which the driver leaves out.
pub(crate) fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}
