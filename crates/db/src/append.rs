//! Rows that a transaction inserts and does not read: they are written together, before the commit.

use std::sync::OnceLock;

use crate::{Error, Value};

/// The most rows of one statement.
const AT_ONCE: usize = 16;

/// A table for such rows, see [`Tx::append`].
#[derive(Debug)]
pub struct AppendTable {
    /// `INSERT INTO table (columns) VALUES`.
    head: &'static str,
    columns: usize,
    /// The statement for one row, for two rows, and so on. Each text is made once.
    texts: [OnceLock<String>; AT_ONCE],
}

/// A parameter of a row that is not written yet.
pub(crate) enum OwnedValue {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row that is not written yet.
pub(crate) struct AppendedRow {
    table: &'static AppendTable,
    values: Vec<OwnedValue>,
}

impl AppendTable {
    /// `head` is `INSERT INTO table (columns) VALUES`, and `columns` the number of its columns.
    pub const fn new(head: &'static str, columns: usize) -> Self {
        Self {
            head,
            columns,
            texts: [const { OnceLock::new() }; AT_ONCE],
        }
    }

    fn text(&'static self, rows: usize) -> &'static str {
        self.texts[rows - 1].get_or_init(|| {
            let row = |row: usize| {
                let parameters: Vec<String> = (1..=self.columns)
                    .map(|column| format!("${}", row * self.columns + column))
                    .collect();
                format!("({})", parameters.join(", "))
            };
            let rows: Vec<String> = (0..rows).map(row).collect();
            format!("{} {}", self.head, rows.join(", "))
        })
    }
}

impl OwnedValue {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Text(value) => Self::Text(value.to_owned()),
            Value::Bytes(value) => Self::Bytes(value.to_owned()),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Text(value) => Value::Text(value),
            Self::Bytes(value) => Value::Bytes(value),
        }
    }
}

impl AppendedRow {
    pub(crate) fn new(table: &'static AppendTable, row: &[Value<'_>]) -> Result<Self, Error> {
        if row.len() != table.columns {
            return Err(Error::Database(format!(
                "`{}` has {} columns, given were {}",
                table.head,
                table.columns,
                row.len()
            )));
        }
        Ok(Self {
            table,
            values: row.iter().copied().map(OwnedValue::of).collect(),
        })
    }
}

/// The statements that write the rows. Within a table the rows keep their order.
pub(crate) fn statements(rows: &[AppendedRow]) -> impl Iterator<Item = (&'static str, Vec<Value<'_>>)> {
    let tables = rows.chunk_by(|one, other| std::ptr::eq(one.table, other.table));
    tables.flat_map(|rows| rows.chunks(AT_ONCE)).map(|rows| {
        let values = rows
            .iter()
            .flat_map(|row| row.values.iter().map(OwnedValue::value));
        (rows[0].table.text(rows.len()), values.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_own_parameters() {
        static TABLE: AppendTable = AppendTable::new("INSERT INTO t (a, b) VALUES", 2);
        assert_eq!(TABLE.text(1), "INSERT INTO t (a, b) VALUES ($1, $2)");
        assert_eq!(
            TABLE.text(3),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6)"
        );
    }
}
