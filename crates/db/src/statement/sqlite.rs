//! One statement on one connection to SQLite.

use rusqlite::types::{Null, Value as Cell, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ffi};

use super::Fate;
use crate::{Error, Many, Row, Value};

pub(crate) fn opt(connection: &Connection, sql: &str, params: &[Value<'_>]) -> Result<Option<Row>, Error> {
    let mut statement = prepare(connection, sql, params)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    match rows.next().map_err(error)? {
        Some(row) => read(row, columns).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn all(connection: &Connection, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>, Error> {
    let mut statement = prepare(connection, sql, params)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(error)? {
        answer.push(read(row, columns)?);
    }
    Ok(answer)
}

pub(crate) fn exec(connection: &Connection, sql: &str, params: &[Value<'_>]) -> Result<u64, Error> {
    let before = connection.total_changes();
    let mut statement = prepare(connection, sql, params)?;
    let mut rows = statement.raw_query();
    while rows.next().map_err(error)?.is_some() {}
    // `changes` keeps the count of an earlier statement if this one is no INSERT, UPDATE or DELETE.
    // `total_changes` includes cascades.
    Ok(if connection.total_changes() == before {
        0
    } else {
        connection.changes()
    })
}

/// Finds the rows of each key in turn, with one statement.
pub(crate) fn all_many(
    connection: &Connection,
    many: &'static Many,
    values: &[Value<'_>],
) -> Result<Vec<Row>, Error> {
    let mut statement = connection.prepare_cached(many.one()).map_err(error)?;
    let columns = statement.column_count();
    let mut answer = Vec::new();
    for key in rows_of(many, values, &statement)? {
        bind_all(&mut statement, key, many.one())?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(error)? {
            answer.push(read(row, columns)?);
        }
    }
    Ok(answer)
}

/// Runs for each row in turn, with one statement.
pub(crate) fn exec_many(
    connection: &Connection,
    many: &'static Many,
    values: &[Value<'_>],
) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached(many.one()).map_err(error)?;
    let mut changed = 0;
    for row in rows_of(many, values, &statement)? {
        bind_all(&mut statement, row, many.one())?;
        changed += statement.raw_execute().map_err(error)? as u64;
    }
    Ok(changed)
}

/// Binds one row after the other. The text of [`Many`] names its parameters in order, so the place of a
/// parameter is its number.
fn rows_of<'r, 'v>(
    many: &Many,
    values: &'r [Value<'v>],
    statement: &CachedStatement<'_>,
) -> Result<std::slice::ChunksExact<'r, Value<'v>>, Error> {
    let columns = many.columns();
    if statement.parameter_count() != columns || !values.len().is_multiple_of(columns) {
        return Err(Error::Database(format!(
            "rows have {columns} values, given were {} for a statement of {}",
            values.len(),
            statement.parameter_count()
        )));
    }
    Ok(values.chunks_exact(columns))
}

fn bind_all(statement: &mut CachedStatement<'_>, params: &[Value<'_>], sql: &str) -> Result<(), Error> {
    for (index, param) in params.iter().enumerate() {
        refuse_nul(param, index + 1, sql)?;
        bind(statement, index + 1, *param).map_err(error)?;
    }
    Ok(())
}

/// PostgreSQL cannot store a NUL, and SQLite's own functions stop at it.
fn refuse_nul(param: &Value<'_>, number: usize, sql: &str) -> Result<(), Error> {
    match param {
        Value::Text(text) if text.contains('\0') => Err(Error::Database(format!(
            "${number} of `{sql}` holds a NUL character"
        ))),
        _ => Ok(()),
    }
}

fn prepare<'c>(
    connection: &'c Connection,
    sql: &str,
    params: &[Value<'_>],
) -> Result<CachedStatement<'c>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(error)?;
    let mut used = 0;
    for index in 1..=statement.parameter_count() {
        // To SQLite `$2` is a name, and names are numbered in the order of the text. If parameters were
        // bound by position, `SELECT $2, $1` would be swapped.
        let number = statement
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$'))
            .and_then(|digits| digits.parse::<usize>().ok());
        let param = number.and_then(|number| params.get(number.wrapping_sub(1)));
        let (Some(number), Some(param)) = (number, param) else {
            return Err(Error::Database(format!(
                "parameter {} of `{sql}` is not one of $1 to ${}",
                statement.parameter_name(index).unwrap_or("?"),
                params.len()
            )));
        };
        refuse_nul(param, number, sql)?;
        used = used.max(number);
        bind(&mut statement, index, *param).map_err(error)?;
    }
    if used != params.len() {
        return Err(Error::Database(format!(
            "`{sql}` uses ${used} at most, given were {}",
            params.len()
        )));
    }
    Ok(statement)
}

fn bind(statement: &mut CachedStatement<'_>, index: usize, param: Value<'_>) -> rusqlite::Result<()> {
    match param {
        Value::Null => statement.raw_bind_parameter(index, Null),
        Value::Bool(value) => statement.raw_bind_parameter(index, value),
        Value::Int(value) => statement.raw_bind_parameter(index, value),
        Value::Text(value) => statement.raw_bind_parameter(index, value),
        Value::Bytes(value) => statement.raw_bind_parameter(index, value),
    }
}

fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, Error> {
    let cells: Result<Box<[Cell]>, Error> = (0..columns)
        .map(|index| {
            Ok(match row.get_ref(index).map_err(error)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Integer(value),
                ValueRef::Real(value) => Cell::Real(value),
                ValueRef::Text(text) => {
                    let text = std::str::from_utf8(text).map_err(|_| {
                        Error::Database(format!("column {index} holds text that is not UTF-8"))
                    })?;
                    Cell::Text(text.to_owned())
                }
                ValueRef::Blob(bytes) => Cell::Blob(bytes.to_owned()),
            })
        })
        .collect();
    cells.map(Row::sqlite)
}

/// What a failed statement means for its transaction.
pub(crate) fn failed(error: Error) -> (Fate, Error) {
    (Fate::Doomed, error)
}

/// Converts SQLite's errors.
#[expect(clippy::needless_pass_by_value, reason = "so that map_err takes it as it is")]
pub(crate) fn error(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return Error::Database(error.to_string());
    };
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            let message = message.as_deref().unwrap_or_default();
            let columns = message
                .strip_prefix("UNIQUE constraint failed: ")
                .unwrap_or(message);
            return Error::Conflict(columns.to_owned());
        }
        _ => {}
    }
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Error::Busy("another process holds the lock".to_owned())
        }
        _ => Error::Database(error.to_string()),
    }
}
