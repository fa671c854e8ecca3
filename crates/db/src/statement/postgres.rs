//! One statement on one connection to PostgreSQL.

mod commit;
mod pooler;
mod session;
mod transaction;

use std::error::Error as StdError;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::join;
use tokio::time::timeout;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{RowStream, Statement};

use super::Fate;
use crate::{Error, Many, Row, Value};

pub(crate) use commit::{Commit, commit};
pub(crate) use session::{Pooler, Server, Session};
pub(crate) use transaction::{COMMIT_LIMIT, Transaction, Turn};

/// A result, or what the failure means for the transaction.
type StatementResult<T> = Result<T, (Fate, Error)>;

/// The reason in the error if a server does not answer.
pub(crate) const SILENT: &str = "it did not answer in time";

/// The reason in the error if a server takes no writes.
pub(crate) const STANDBY: &str = "it is a standby, or set to take no writes";

/// How long to wait for an answer. A working server ends a statement after ten seconds by itself.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

pub(crate) async fn opt(
    transaction: &mut Transaction,
    sql: &'static str,
    params: &[Value<'_>],
) -> StatementResult<Option<Row>> {
    within(transaction, sql, async |transaction| {
        let mut rows = pin!(run(transaction, sql, params).await?);
        let mut first = None;
        // Read to the end, because an error may follow the first row. But never read beyond it: the driver
        // reports a second end as a closed connection.
        while let Some(row) = next(transaction, &mut rows).await? {
            first.get_or_insert(row);
        }
        Ok(first)
    })
    .await
}

pub(crate) async fn all<P: ToSql + Sync>(
    transaction: &mut Transaction,
    sql: &'static str,
    params: &[P],
) -> StatementResult<Vec<Row>> {
    within(transaction, sql, async |transaction| {
        let mut rows = pin!(run(transaction, sql, params).await?);
        let mut all = Vec::new();
        while let Some(row) = next(transaction, &mut rows).await? {
            all.push(row);
        }
        Ok(all)
    })
    .await
}

/// Runs a statement, and right after it one that returns a row, in one round trip.
pub(crate) async fn all_and_opt(
    transaction: &mut Transaction,
    (sql, params): (&'static str, &[Value<'_>]),
    (next_sql, next_params): (&'static str, &[Value<'_>]),
) -> StatementResult<(Vec<Row>, Option<Row>)> {
    transaction.begin().await?;
    let transaction = &*transaction;
    bounded(async {
        let first = prepare(transaction, sql, params.len()).await?;
        let second = prepare(transaction, next_sql, next_params.len()).await?;
        // Each sends at its first poll, and they are polled in this order.
        let (rows, row) = join(
            collect(transaction, &first, params),
            collect(transaction, &second, next_params),
        )
        .await;
        // If the first one was refused, the second one was refused only for that reason.
        Ok::<_, (Fate, Error)>((rows?, row?.into_iter().next()))
    })
    .await
}

/// Runs a statement that is ready, and reads its rows to the end.
async fn collect(
    transaction: &Transaction,
    prepared: &Prepared,
    params: &[Value<'_>],
) -> StatementResult<Vec<Row>> {
    let rows = start(transaction, prepared, params).await;
    let mut rows = pin!(rows.map_err(|error| failed(transaction, &error))?);
    let mut all = Vec::new();
    while let Some(row) = next(transaction, &mut rows).await? {
        all.push(row);
    }
    Ok(all)
}

pub(crate) async fn exec<P: ToSql + Sync>(
    transaction: &mut Transaction,
    sql: &'static str,
    params: &[P],
) -> StatementResult<u64> {
    within(transaction, sql, async |transaction| {
        let prepared = prepare(transaction, sql, params.len()).await?;
        let counted = count_rows(transaction, &prepared, params).await;
        counted.map_err(|error| failed(transaction, &error))
    })
    .await
}

/// Runs a statement within its transaction, which may have to begin first.
async fn within<T>(
    transaction: &mut Transaction,
    sql: &'static str,
    statement: impl AsyncFnOnce(&Transaction) -> StatementResult<T>,
) -> StatementResult<T> {
    if transaction.is_begun() {
        return bounded(statement(transaction)).await;
    }
    if changes_nothing(sql) {
        return transaction
            .begin_with(async |transaction| bounded(statement(transaction)).await)
            .await;
    }
    transaction.begin().await?;
    bounded(statement(transaction)).await
}

/// Whether a statement can do no harm outside of its transaction.
fn changes_nothing(sql: &str) -> bool {
    sql.trim_start().starts_with("SELECT ")
}

/// A frozen server answers nothing, but keeps its connections.
async fn bounded<T>(answer: impl Future<Output = StatementResult<T>>) -> StatementResult<T> {
    timeout(ANSWER_LIMIT, answer)
        .await
        .unwrap_or_else(|_| Err((Fate::Elsewhere, Error::Database(SILENT.to_owned()))))
}

async fn next(transaction: &Transaction, rows: &mut Pin<&mut RowStream>) -> StatementResult<Option<Row>> {
    match rows.try_next().await {
        Ok(row) => Ok(row.map(Row::postgres)),
        Err(error) => Err(failed(transaction, &error)),
    }
}

/// The values of many rows: one array for each column.
pub(crate) fn arrays<'v>(many: &Many, values: &[Value<'v>]) -> Vec<Vec<Value<'v>>> {
    let column = |first| {
        values
            .iter()
            .skip(first)
            .step_by(many.columns())
            .copied()
            .collect()
    };
    (0..many.columns()).map(column).collect()
}

/// A statement that the server knows, or whose types it has told.
enum Prepared {
    Named(Statement),
    /// Behind a pooler.
    Unnamed(&'static str, Arc<[Type]>),
}

async fn run<P: ToSql + Sync>(
    transaction: &Transaction,
    sql: &'static str,
    params: &[P],
) -> StatementResult<RowStream> {
    let prepared = prepare(transaction, sql, params.len()).await?;
    let rows = start(transaction, &prepared, params).await;
    rows.map_err(|error| failed(transaction, &error))
}

/// Gets a statement ready for this many parameters. The server is asked only if it has not been before.
async fn prepare(transaction: &Transaction, sql: &'static str, given: usize) -> StatementResult<Prepared> {
    let prepared = if transaction.session.is_pooled() {
        Prepared::Unnamed(sql, types(transaction, sql).await?)
    } else {
        let prepared = transaction.client().prepare_cached(sql).await;
        Prepared::Named(prepared.map_err(|error| failed(transaction, &error))?)
    };
    let used = match &prepared {
        Prepared::Named(statement) => statement.params().len(),
        Prepared::Unnamed(_, types) => types.len(),
    };
    count(sql, used, given)?;
    Ok(prepared)
}

/// Sends a statement at the first poll, and waits until the server runs it.
async fn start<P: ToSql + Sync>(
    transaction: &Transaction,
    prepared: &Prepared,
    params: &[P],
) -> Result<RowStream, tokio_postgres::Error> {
    let client = transaction.client();
    match prepared {
        Prepared::Named(statement) => client.query_raw(statement, params.iter()).await,
        Prepared::Unnamed(sql, types) => {
            let typed = params.iter().zip(types.iter().cloned());
            client.query_typed_raw(sql, typed).await
        }
    }
}

/// Runs a statement and counts the rows that it changed.
async fn count_rows<P: ToSql + Sync>(
    transaction: &Transaction,
    prepared: &Prepared,
    params: &[P],
) -> Result<u64, tokio_postgres::Error> {
    let mut rows = pin!(start(transaction, prepared, params).await?);
    while rows.try_next().await?.is_some() {}
    Ok(rows.rows_affected().unwrap_or_default())
}

/// The types of the parameters. The server is asked once.
///
/// For the question, its statement has a name. The name is used within this transaction, so in one server
/// process, and is dropped at once.
async fn types(transaction: &Transaction, sql: &'static str) -> StatementResult<Arc<[Type]>> {
    let types = transaction.session.types();
    if let Some(known) = types.get(sql) {
        return Ok(known);
    }
    let prepared = transaction.client().prepare(sql).await;
    let statement = prepared.map_err(|error| failed(transaction, &error))?;
    Ok(types.keep(sql, statement.params()))
}

/// Otherwise the driver would panic.
fn count(sql: &str, used: usize, given: usize) -> StatementResult<()> {
    if used == given {
        return Ok(());
    }
    let error = format!("`{sql}` uses ${used} at most, given were {given}");
    Err((Fate::Doomed, Error::Database(error)))
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
fn failed(transaction: &Transaction, failure: &tokio_postgres::Error) -> (Fate, Error) {
    let fate = match failure.as_db_error() {
        // Before the commit, nothing has happened.
        _ if is_lost(failure) => Fate::Elsewhere,
        Some(refusal) => match *refusal.code() {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Fate::Rerun,
            SqlState::READ_ONLY_SQL_TRANSACTION if !transaction.is_read() => Fate::Elsewhere,
            // A migration changed a table under a prepared statement.
            SqlState::FEATURE_NOT_SUPPORTED if refusal.routine() == Some("RevalidateCachedQuery") => {
                transaction.client().statement_cache.clear();
                Fate::Rerun
            }
            // There is a pooler that was not detected, or a caller was cancelled while a statement had a
            // name. Another transaction has the name now.
            SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => {
                transaction.client().statement_cache.clear();
                Fate::Elsewhere
            }
            ref code => {
                // A migration changed the type of a parameter of a statement without a name.
                if code.code().starts_with("42") || *code == SqlState::INVALID_BINARY_REPRESENTATION {
                    transaction.session.types().clear();
                }
                Fate::Doomed
            }
        },
        None => Fate::Doomed,
    };
    (fate, error(failure))
}

/// The fate of a transaction that did not begin. Nothing was done yet, so after a lost connection it can run
/// again.
fn not_begun(failure: &tokio_postgres::Error) -> (Fate, Error) {
    match failure.as_db_error() {
        _ if is_lost(failure) => (Fate::Elsewhere, error(failure)),
        Some(refusal) if is_of_standby(refusal) => (Fate::Elsewhere, Error::Database(STANDBY.to_owned())),
        _ => (Fate::Doomed, error(failure)),
    }
}

/// Whether the server is a standby: it refuses to begin a serializable transaction.
fn is_of_standby(refusal: &DbError) -> bool {
    matches!(
        *refusal.code(),
        SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::FEATURE_NOT_SUPPORTED
    )
}

/// Converts PostgreSQL's errors.
///
/// It keeps the server's message, but not its detail, which holds the row.
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

/// Whether the connection is lost.
pub(crate) fn is_lost(failure: &tokio_postgres::Error) -> bool {
    match failure.as_db_error() {
        // Class 08: a pooler answers so if it cannot reach its server, and then closes the connection.
        Some(refusal) if refusal.code().code().starts_with("08") => true,
        // The server ended the connection: it stops, fails over, or an administrator ended it. It does not
        // count if the closure left the transaction idle for too long, because it would do so again.
        Some(refusal) => {
            matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
                && *refusal.code() != SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        }
        None => failure.is_closed() || failure.source().is_some_and(|cause| cause.is::<std::io::Error>()),
    }
}

/// The message with its causes. The driver's own message leaves these out.
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
