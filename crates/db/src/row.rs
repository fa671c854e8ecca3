//! One row of a result.

use rusqlite::types::Value as Cell;
use tokio_postgres::types::Type;

use crate::{Error, FromValue, Value};

/// One row of a result.
pub struct Row(Cells);

/// The engines' own rows. [`Row::get`] converts them.
enum Cells {
    Sqlite(Box<[Cell]>),
    Postgres(tokio_postgres::Row),
}

/// Shows only the number of columns, because values are secrets, hashes and people's data.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row of {} columns", self.len())
    }
}

impl Row {
    pub(crate) fn sqlite(cells: Box<[Cell]>) -> Self {
        Self(Cells::Sqlite(cells))
    }

    pub(crate) fn postgres(row: tokio_postgres::Row) -> Self {
        Self(Cells::Postgres(row))
    }

    fn len(&self) -> usize {
        match &self.0 {
            Cells::Sqlite(cells) => cells.len(),
            Cells::Postgres(row) => row.len(),
        }
    }

    /// Reads column `index`, counted from zero.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the column is absent or of another type.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Error> {
        if index >= self.len() {
            return Err(Error::Database(format!(
                "column {index} was read of a row with {} columns",
                self.len()
            )));
        }
        let value = match &self.0 {
            Cells::Sqlite(cells) => of_sqlite(&cells[index]),
            Cells::Postgres(row) => of_postgres(row, index),
        };
        let value = value
            .map_err(|kind| Error::Database(format!("column {index} holds {kind}, which no type reads")))?;
        T::from_value(value).ok_or_else(|| {
            Error::Database(format!(
                "column {index} holds {}, not {}",
                value.kind(),
                T::EXPECTED
            ))
        })
    }
}

/// Views a cell of SQLite. The error names a type that our schemas do not have.
fn of_sqlite(cell: &Cell) -> Result<Value<'_>, &'static str> {
    match cell {
        Cell::Null => Ok(Value::Null),
        Cell::Integer(value) => Ok(Value::Int(*value)),
        Cell::Text(value) => Ok(Value::Text(value)),
        Cell::Blob(value) => Ok(Value::Bytes(value)),
        Cell::Real(_) => Err("a floating-point number"),
    }
}

/// Views a cell of PostgreSQL. The error names a type that our schemas do not have.
fn of_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Value<'_>, &'static str> {
    let value = match *row.columns()[index].type_() {
        Type::BOOL => row
            .try_get::<_, Option<bool>>(index)
            .map(|value| value.map(Value::Bool)),
        Type::INT8 => row
            .try_get::<_, Option<i64>>(index)
            .map(|value| value.map(Value::Int)),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(index)
            .map(|value| value.map(Value::from)),
        Type::TEXT | Type::VARCHAR | Type::NAME => row
            .try_get::<_, Option<&str>>(index)
            .map(|value| value.map(Value::Text)),
        Type::BYTEA => row
            .try_get::<_, Option<&[u8]>>(index)
            .map(|value| value.map(Value::Bytes)),
        Type::NUMERIC => return Err("a NUMERIC (a sum of BIGINT is one: CAST it AS BIGINT)"),
        _ => return Err("a value of another type (CAST it)"),
    };
    value
        .map(|value| value.unwrap_or(Value::Null))
        .map_err(|_| "a value that cannot be decoded")
}
