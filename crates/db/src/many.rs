//! A statement for many rows at once.
//!
//! PostgreSQL takes one array for each column, so any number of rows is one statement and one round trip.
//! SQLite has no round trips. There a statement for one row is prepared once, and runs for each row.

use std::fmt::Write as _;

/// The type of a column whose values come as an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    BigInt,
    Boolean,
    Bytea,
}

impl ColumnType {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::BigInt => "BIGINT",
            Self::Boolean => "BOOLEAN",
            Self::Bytea => "BYTEA",
        }
    }
}

/// A column by its name.
pub type Column = (&'static str, ColumnType);

/// A statement for many rows, in the text of each engine. It is made once, from static parts.
#[derive(Debug)]
pub struct Many {
    /// For one row: `$1`, `$2` and so on are the values.
    one: String,
    /// For all rows: `$1`, `$2` and so on are arrays.
    all: String,
    columns: usize,
}

impl Many {
    /// `INSERT INTO table (columns) VALUES …`, with `tail` after it: nothing, or `ON CONFLICT DO NOTHING`.
    ///
    /// The values of a row are in the order of the columns.
    pub fn insert(table: &'static str, columns: &[Column], tail: &'static str) -> Self {
        let names = list(columns.iter().map(|(name, _)| (*name).to_owned()));
        let places = list((1..=columns.len()).map(|number| format!("${number}")));
        Self {
            one: format!("INSERT INTO {table} ({names}) VALUES ({places}) {tail}"),
            all: format!(
                "INSERT INTO {table} ({names}) SELECT * FROM {} AS many {tail}",
                unnest(columns)
            ),
            columns: columns.len(),
        }
    }

    /// The rows whose columns hold one of the keys. `select` ends in `WHERE` or `AND`.
    ///
    /// On SQLite a row comes as often as its key is given.
    pub fn find(select: &'static str, keys: &[Column]) -> Self {
        let mut one = select.to_owned();
        for (index, (name, _)) in keys.iter().enumerate() {
            let and = if index == 0 { "" } else { " AND" };
            // Writing to a String does not fail.
            let _ = write!(one, "{and} {name} = ${}", index + 1);
        }
        let all = match keys {
            [(name, kind)] => format!("{select} {name} = ANY(CAST($1 AS {}[]))", kind.name()),
            keys => {
                let names = list(keys.iter().map(|(name, _)| (*name).to_owned()));
                format!("{select} ({names}) IN (SELECT * FROM {} AS many)", unnest(keys))
            }
        };
        Self {
            one,
            all,
            columns: keys.len(),
        }
    }

    /// Sets one column of the rows with these keys. The values are the new value and the key, for each row.
    pub fn update(table: &'static str, column: Column, key: Column) -> Self {
        let (key_name, column_name) = (key.0, column.0);
        Self {
            one: format!("UPDATE {table} SET {column_name} = $1 WHERE {key_name} = $2"),
            all: format!(
                "UPDATE {table} SET {column_name} = many.changed FROM {} AS many (changed, key)
                  WHERE {table}.{key_name} = many.key",
                unnest(&[column, key])
            ),
            columns: 2,
        }
    }

    pub(crate) fn one(&'static self) -> &'static str {
        &self.one
    }

    pub(crate) fn all(&'static self) -> &'static str {
        &self.all
    }

    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn unnest(columns: &[Column]) -> String {
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(index, (_, kind))| format!("CAST(${} AS {}[])", index + 1, kind.name()));
    format!("UNNEST({})", list(arrays))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_has_its_text() {
        let insert = Many::insert(
            "t",
            &[("a", ColumnType::Text), ("b", ColumnType::BigInt)],
            "ON CONFLICT DO NOTHING",
        );
        assert_eq!(
            insert.one,
            "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        );
        assert_eq!(
            insert.all,
            "INSERT INTO t (a, b) SELECT * FROM UNNEST(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])) AS many \
             ON CONFLICT DO NOTHING"
        );
        let find = Many::find("SELECT b FROM t WHERE", &[("a", ColumnType::Text)]);
        assert_eq!(find.one, "SELECT b FROM t WHERE a = $1");
        assert_eq!(find.all, "SELECT b FROM t WHERE a = ANY(CAST($1 AS TEXT[]))");
    }
}
