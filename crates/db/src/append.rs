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

/// The statements that write the rows. The tables come in the order in which they were first named, and the
/// rows of a table in theirs.
pub(crate) fn statements(rows: &[AppendedRow]) -> Vec<(&'static str, Vec<Value<'_>>)> {
    let mut tables: Vec<(&'static AppendTable, Vec<&AppendedRow>)> = Vec::new();
    for row in rows {
        let table = tables
            .iter_mut()
            .find(|(table, _)| std::ptr::eq(*table, row.table));
        match table {
            Some((_, rows)) => rows.push(row),
            None => tables.push((row.table, vec![row])),
        }
    }
    let mut statements = Vec::new();
    for (table, rows) in &tables {
        for rows in rows.chunks(AT_ONCE) {
            let values = rows.iter().flat_map(|row| row.values.iter());
            statements.push((table.text(rows.len()), values.map(OwnedValue::value).collect()));
        }
    }
    statements
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

    #[test]
    fn the_rows_of_a_table_share_statements_and_the_first_table_is_first() {
        static PARENTS: AppendTable = AppendTable::new("INSERT INTO parents (id) VALUES", 1);
        static CHILDREN: AppendTable = AppendTable::new("INSERT INTO children (id) VALUES", 1);
        let row = |table, id: i64| AppendedRow::new(table, &[Value::Int(id)]).unwrap();
        let mut rows = vec![row(&PARENTS, 1), row(&CHILDREN, 2), row(&PARENTS, 3)];
        rows.extend((0..16).map(|id| row(&CHILDREN, id)));
        let written: Vec<(&str, usize)> = statements(&rows)
            .into_iter()
            .map(|(text, values)| (text.split(" VALUES").next().unwrap(), values.len()))
            .collect();
        assert_eq!(
            written,
            [
                ("INSERT INTO parents (id)", 2),
                ("INSERT INTO children (id)", 16),
                ("INSERT INTO children (id)", 1)
            ]
        );
        let last = &statements(&rows)[1].1;
        assert!(matches!(last[0], Value::Int(2)), "the rows keep their order");
    }
}
