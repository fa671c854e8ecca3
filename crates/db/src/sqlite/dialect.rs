//! Translates a migration from the PostgreSQL dialect.
//!
//! Of what our migrations use, only the types differ. Tables become `STRICT`, because a plain SQLite table
//! accepts text in an integer column. `COLLATE "C"` is removed: SQLite always compares bytes.

use crate::{Error, Migration};

pub(super) fn translate(migration: &Migration) -> Result<String, Error> {
    if migration.is_only_for_postgres() {
        return Ok(String::new());
    }
    Translation::default()
        .run(migration.sql)
        .map_err(|reason| migration.failed(reason))
}

#[derive(Default)]
struct Translation {
    output: String,
    /// The number of open parentheses.
    depth: usize,
    statement: Statement,
    /// Whether the last word was `COLLATE`.
    is_at_collation: bool,
}

/// The part of a statement that is being read.
#[derive(Default, PartialEq, Eq)]
enum Statement {
    /// Between two statements.
    #[default]
    None,
    Create,
    CreateTable,
    /// It needs no translation until the semicolon.
    Other,
}

impl Translation {
    fn run(mut self, sql: &str) -> Result<String, String> {
        let mut rest = sql;
        while let Some(first) = rest.chars().next() {
            let length = token_length(rest, first)?;
            let (token, tail) = rest.split_at(length);
            rest = tail;
            if std::mem::take(&mut self.is_at_collation) {
                rest = tail.trim_start();
                if !rest.starts_with("\"C\"") {
                    return Err("each engine has its own collations: only \"C\" is the same".to_owned());
                }
                rest = &rest["\"C\"".len()..];
                continue;
            }
            match first {
                '(' => self.open(),
                ')' => self.close(),
                ';' => self.end()?,
                _ if first.is_ascii_alphabetic() || first == '_' => self.word(token)?,
                _ => self.output.push_str(token),
            }
        }
        self.end_statement()?;
        Ok(self.output)
    }

    fn open(&mut self) {
        self.depth += 1;
        self.output.push('(');
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.output.push(')');
        if self.depth == 0 && self.statement == Statement::CreateTable {
            self.output.push_str(" STRICT");
            self.statement = Statement::Other;
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.end_statement()?;
        self.output.push(';');
        Ok(())
    }

    fn end_statement(&mut self) -> Result<(), String> {
        if self.statement == Statement::CreateTable {
            return Err("CREATE TABLE without a list of columns has no types to check".to_owned());
        }
        self.statement = Statement::None;
        self.depth = 0;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        let upper = word.to_ascii_uppercase();
        self.statement = match (&self.statement, upper.as_str()) {
            (Statement::None, "CREATE") => Statement::Create,
            (Statement::Create, "TABLE") => Statement::CreateTable,
            (Statement::CreateTable, _) => Statement::CreateTable,
            _ => Statement::Other,
        };
        if upper == "COLLATE" {
            self.is_at_collation = true;
            self.output.truncate(self.output.trim_end().len());
            return Ok(());
        }
        self.output.push_str(match upper.as_str() {
            "BYTEA" => "BLOB",
            "BOOLEAN" | "BIGINT" => "INTEGER",
            // It is checked at COMMIT, where it would fail all transactions that share the commit.
            "DEFERRABLE" => return Err("a deferred constraint fails in the commit of others".to_owned()),
            _ => word,
        });
        Ok(())
    }
}

/// Length in bytes of the token at the start of `sql`, whose first character is `first`.
fn token_length(sql: &str, first: char) -> Result<usize, String> {
    // A doubled quote inside a quoted token is read as two tokens side by side. Their text is the same.
    let until = |end: &str, skip: usize| {
        sql[skip..]
            .find(end)
            .map(|at| skip + at + end.len())
            .ok_or_else(|| format!("{end} is missing"))
    };
    if first == '\'' {
        until("'", 1)
    } else if first == '"' {
        until("\"", 1)
    } else if sql.starts_with("--") {
        Ok(sql.find('\n').unwrap_or(sql.len()))
    } else if sql.starts_with("/*") {
        until("*/", 2)
    } else if first.is_ascii_alphanumeric() || first == '_' {
        Ok(sql
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(sql.len()))
    } else {
        Ok(first.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(sql: &'static str) -> Result<String, String> {
        translate(&Migration {
            version: 1,
            name: "test",
            sql,
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn types_are_translated_and_tables_are_strict() {
        assert_eq!(
            translated("CREATE TABLE t (a BIGINT, b bytea, c BOOLEAN, UNIQUE (a, b));\nCREATE INDEX i ON t (a);"),
            Ok("CREATE TABLE t (a INTEGER, b BLOB, c INTEGER, UNIQUE (a, b)) STRICT;\nCREATE INDEX i ON t (a);"
                .to_owned())
        );
    }

    #[test]
    fn the_last_statement_needs_no_semicolon() {
        assert_eq!(
            translated("CREATE TABLE t (a TEXT)"),
            Ok("CREATE TABLE t (a TEXT) STRICT".to_owned())
        );
    }

    #[test]
    fn strings_names_and_comments_stay() {
        let sql =
            "-- a BIGINT; (it's\n/* BYTEA ( */ INSERT INTO t VALUES ('it''s BOOLEAN; ('); SELECT \"BYTEA\"";
        assert_eq!(translated(sql), Ok(sql.to_owned()));
    }

    #[test]
    fn words_that_only_contain_a_type_stay() {
        let sql = "SELECT bigints, is_boolean, x2bigint FROM t";
        assert_eq!(translated(sql), Ok(sql.to_owned()));
    }

    #[test]
    fn a_table_without_columns_is_refused() {
        assert!(
            translated("CREATE TABLE t AS SELECT 1; SELECT (2)")
                .unwrap_err()
                .contains("list of columns")
        );
    }

    #[test]
    fn a_deferred_constraint_is_refused() {
        let sql = "CREATE TABLE t (a TEXT REFERENCES u DEFERRABLE INITIALLY DEFERRED)";
        assert!(translated(sql).unwrap_err().contains("deferred"));
    }

    #[test]
    fn the_collation_of_bytes_goes_and_another_is_refused() {
        let sql = "CREATE TABLE t (a TEXT COLLATE \"C\" NOT NULL, b TEXT COLLATE \"C\");";
        assert_eq!(
            translated(sql),
            Ok("CREATE TABLE t (a TEXT NOT NULL, b TEXT) STRICT;".to_owned())
        );
        let refusal = translated("CREATE TABLE t (a TEXT COLLATE \"de-x-icu\")").unwrap_err();
        assert!(refusal.contains("own collations"), "{refusal}");
    }

    #[test]
    fn what_is_only_for_postgres_is_nothing_here() {
        let sql = "-- only: postgresql\nALTER TABLE t ALTER COLUMN a TYPE TEXT COLLATE \"C\";";
        assert_eq!(translated(sql), Ok(String::new()));
    }

    #[test]
    fn what_is_only_for_sqlite_is_translated() {
        let sql = "-- only: sqlite\nDROP INDEX i;";
        assert_eq!(translated(sql), Ok(sql.to_owned()));
    }

    #[test]
    fn an_unfinished_string_is_refused() {
        assert!(translated("SELECT 'a").unwrap_err().contains("missing"));
    }
}
