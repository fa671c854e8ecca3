//! One row of an answer.

use crate::{Error, FromValue};

/// One row of an answer.
pub struct Row(Cells);

/// The engines' own rows, kept as they came: converting is left to [`Row::get`].
enum Cells {
    Sqlite(Box<[rusqlite::types::Value]>),
    Postgres(tokio_postgres::Row),
}

/// Shows the number of columns alone: values are secrets, hashes and people's data.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row of {} columns", self.len())
    }
}

impl Row {
    pub(crate) fn sqlite(cells: Box<[rusqlite::types::Value]>) -> Self {
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
            Cells::Sqlite(cells) => crate::sqlite::column(&cells[index]),
            Cells::Postgres(row) => crate::postgres::column(row, index),
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
