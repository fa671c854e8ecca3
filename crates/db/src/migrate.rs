//! Finds the migrations that are still to be applied.

use aws_lc_rs::digest::{SHA256, digest};

use crate::Error;

/// One step of a schema, in the PostgreSQL dialect.
///
/// On SQLite the types are translated and tables become `STRICT`. An applied step never changes again: its
/// text is checked at every start.
///
/// A text column says `TEXT COLLATE "C"`. Then PostgreSQL compares bytes, as SQLite does. The order of a
/// language would change with the system's libraries, and every index on the column would be wrong from
/// then on.
///
/// Three comments have a meaning. A text that begins with `-- only: postgresql` does nothing on SQLite, and one
/// that begins with `-- only: sqlite` does nothing on PostgreSQL. On PostgreSQL each part after a line
/// `-- step` is a transaction of its own, so a long change does not hold the locks of all tables at once.
/// If the process ends between two parts, all parts run again. So each part must allow a second run.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Versions count up from 1.
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

impl Migration {
    /// Differs if the text was edited. Line ends do not matter.
    pub(crate) fn checksum(&self) -> String {
        fingerprint(&self.sql.replace("\r\n", "\n"))
    }

    pub(crate) fn is_only_for_postgres(&self) -> bool {
        self.sql.starts_with("-- only: postgresql")
    }

    fn is_only_for_sqlite(&self) -> bool {
        self.sql.starts_with("-- only: sqlite")
    }

    /// The parts that are a transaction each on PostgreSQL. There is at least one.
    pub(crate) fn steps(&self) -> Vec<String> {
        let mut steps = vec![String::new()];
        if self.is_only_for_sqlite() {
            return steps;
        }
        for line in self.sql.lines() {
            if line.trim_end() == "-- step" {
                steps.push(String::new());
            }
            let step = steps.last_mut().expect("there is one from the beginning");
            step.push_str(line);
            step.push('\n');
        }
        steps
    }

    pub(crate) fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::Migration(format!(
            "migration {} ({}) failed: {error}",
            self.version, self.name
        ))
    }
}

/// SHA-256, in hexadecimal digits.
pub(crate) fn fingerprint(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How much of a schema a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// No step was ever applied.
    Absent,
    /// Some steps are missing.
    Older,
    Current,
}

/// A migration that the database has.
#[derive(Debug)]
pub(crate) struct AppliedMigration {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) checksum: String,
}

/// The migrations that a database with `applied` lacks, in order of version.
///
/// # Errors
///
/// [`Error::Migration`] if the database is newer than the program, was built
/// from other texts, or if `migrations` themselves are out of order.
pub(crate) fn pending<'m>(
    migrations: &'m [Migration],
    applied: &[AppliedMigration],
) -> Result<&'m [Migration], Error> {
    if let Some(pair) = migrations
        .windows(2)
        .find(|pair| pair[0].version >= pair[1].version)
    {
        return Err(Error::Migration(format!(
            "migration {} is listed before {}",
            pair[0].version, pair[1].version
        )));
    }
    if migrations.first().is_some_and(|first| first.version < 1) {
        return Err(Error::Migration("migrations count up from 1".to_owned()));
    }
    let newest = migrations.last().map_or(0, |migration| migration.version);
    if let Some(newer) = applied.last().filter(|applied| applied.version > newest) {
        return Err(Error::Migration(format!(
            "the database is newer than this program: it has migration {} ({}), the program knows up to \
             {newest}. Start a newer version of the program",
            newer.version, newer.name
        )));
    }
    for (index, applied) in applied.iter().enumerate() {
        let Some(known) = migrations
            .get(index)
            .filter(|known| known.version == applied.version)
        else {
            return Err(Error::Migration(format!(
                "the database has migration {} ({}) where this program has another: it belongs to another \
                 program, or to an unreleased version",
                applied.version, applied.name
            )));
        };
        if known.checksum() != applied.checksum {
            return Err(Error::Migration(format!(
                "migration {} ({}) was changed after it was applied: restore its text and write the change \
                 as a new migration",
                known.version, known.name
            )));
        }
    }
    Ok(&migrations[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration {
        version: 1,
        name: "one",
        sql: "CREATE TABLE one (id BIGINT)",
    };
    const TWO: Migration = Migration {
        version: 2,
        name: "two",
        sql: "CREATE TABLE two (id BIGINT)",
    };

    fn applied(migrations: &[Migration]) -> Vec<AppliedMigration> {
        migrations
            .iter()
            .map(|migration| AppliedMigration {
                version: migration.version,
                name: migration.name.to_owned(),
                checksum: migration.checksum(),
            })
            .collect()
    }

    fn versions(migrations: &[Migration], have: &[AppliedMigration]) -> Result<Vec<i64>, Error> {
        pending(migrations, have).map(|pending| pending.iter().map(|migration| migration.version).collect())
    }

    fn refusal(migrations: &[Migration], have: &[AppliedMigration]) -> String {
        pending(migrations, have).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_is_pending() {
        assert_eq!(versions(&[ONE, TWO], &[]), Ok(vec![1, 2]));
        assert_eq!(versions(&[ONE, TWO], &applied(&[ONE])), Ok(vec![2]));
        assert_eq!(versions(&[ONE, TWO], &applied(&[ONE, TWO])), Ok(vec![]));
    }

    #[test]
    fn a_newer_database_is_refused() {
        assert!(refusal(&[ONE], &applied(&[ONE, TWO])).contains("newer than this program"));
    }

    #[test]
    fn a_changed_text_is_refused_but_not_its_line_ends() {
        let edited = Migration {
            sql: "CREATE TABLE one (id TEXT)",
            ..ONE
        };
        assert!(refusal(&[edited], &applied(&[ONE])).contains("was changed after it was applied"));
        let unix = Migration {
            sql: "SELECT 1;\nSELECT 2;\n",
            ..ONE
        };
        let windows = Migration {
            sql: "SELECT 1;\r\nSELECT 2;\r\n",
            ..ONE
        };
        assert_eq!(versions(&[windows], &applied(&[unix])), Ok(vec![]));
    }

    #[test]
    fn a_step_that_comes_late_is_refused() {
        assert!(refusal(&[ONE, TWO], &applied(&[TWO])).contains("belongs to another program"));
    }

    #[test]
    fn a_text_without_steps_is_one() {
        assert_eq!(ONE.steps(), ["CREATE TABLE one (id BIGINT)\n"]);
        let stepped = Migration {
            sql: "-- step\nSELECT 1;\n-- step\nSELECT 2;",
            ..ONE
        };
        assert_eq!(
            stepped.steps(),
            ["", "-- step\nSELECT 1;\n", "-- step\nSELECT 2;\n"]
        );
    }

    #[test]
    fn what_is_only_for_sqlite_is_nothing_on_postgres() {
        let only = Migration {
            sql: "-- only: sqlite\nDROP INDEX one;\n-- step\nDROP INDEX two;",
            ..ONE
        };
        assert_eq!(only.steps(), [""]);
    }

    #[test]
    fn versions_count_up_from_one() {
        assert!(refusal(&[TWO, ONE], &[]).contains("listed before"));
        assert!(refusal(&[ONE, ONE], &[]).contains("listed before"));
        assert!(refusal(&[Migration { version: 0, ..ONE }], &[]).contains("count up from 1"));
    }
}
