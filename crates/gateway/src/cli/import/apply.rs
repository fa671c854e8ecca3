//! Imports the lines of a file, some hundreds in a transaction.
//!
//! One read gets all that the lines of a transaction need. A line that is plainly new or plainly unchanged
//! is then only planned, and the planned ones are written together. Any other line is handled alone, in its
//! turn, with the functions that everybody else calls. So the result does not depend on the number of lines
//! in a transaction. A test ensures that (`oracle.rs`).

use genkan_db::{Db, Tx};
use genkan_store::domain::Claimant;
use genkan_store::{Error, OrganizationId, Stamp, conflict};
use serde::de::DeserializeOwned;

use super::progress::Progress;
use super::rejects::Rejects;
use super::rows::{Line, Rows};
use crate::cli::Failure;
use crate::failure::{fault_of, field_of};

/// The number of lines in a transaction. It is so large that neither the disk nor the network decides the
/// speed, and so small that a sign-in does not wait long.
pub(super) const CHUNK: usize = 500;

/// Whose word the lines are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author<'a> {
    /// The claimant of the domains.
    pub(super) claimant: Claimant,
    /// The file is from this organization, and can change only its people.
    pub(super) organization_id: Option<&'a OrganizationId>,
}

/// A parsed line: an organization or a user.
pub(super) trait Row: DeserializeOwned {
    /// The possible columns of a table, besides `metadata.ANYTHING`.
    const COLUMNS: &[&str];

    /// Adds or updates it.
    async fn put(&self, tx: &mut Tx<'_>, at: Stamp<'_>, author: Author<'_>) -> Result<Outcome, RowError>;
}

/// What is known about the lines of one transaction, and what they will write.
pub(super) trait Batch: Sized {
    type Row: Row;

    /// Reads what the lines need.
    async fn look_up(tx: &mut Tx<'_>, author: Author<'_>, rows: &[&Self::Row]) -> Result<Self, Error>;

    /// Plans a line, and returns what [`Row::put`] would do.
    ///
    /// `None`: this cannot be told here. Then nothing is planned.
    fn plan(&mut self, row: &Self::Row, at: Stamp<'_>, author: Author<'_>) -> Option<Outcome>;

    /// Writes what is planned.
    async fn write(&mut self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error>;

    /// Forgets a line that was put alone, because what is known about it is out of date.
    fn forget(&mut self, row: &Self::Row);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Updated,
    Unchanged,
}

impl Outcome {
    pub(super) fn and(self, changed: bool) -> Self {
        match self {
            Self::Unchanged if changed => Self::Updated,
            outcome => outcome,
        }
    }
}

/// Why a line was not imported.
#[derive(Debug)]
pub(super) enum RowError {
    /// The line must be changed. The sentence says how.
    Rejected(String),
    Store(Error),
}

impl From<Error> for RowError {
    fn from(error: Error) -> Self {
        let sentence = match error {
            Error::Conflict(conflict::ORGANIZATION_EXTERNAL_ID) => {
                "another organization has this external id"
            }
            Error::Conflict(conflict::ORGANIZATION_SLUG) => "another organization has this slug",
            Error::Conflict(conflict::ORGANIZATION_FULL) => "the organization may not have another member",
            Error::Conflict(conflict::DOMAIN) => "another organization has one of these domains",
            Error::Conflict(conflict::USER_EXTERNAL_ID) => "another user has this external id",
            Error::Invalid(mistake) => {
                return Self::Rejected(format!("{} {}", field_of(&mistake), fault_of(&mistake)));
            }
            error => return Self::Store(error),
        };
        Self::Rejected(sentence.to_owned())
    }
}

impl From<genkan_db::Error> for RowError {
    fn from(error: genkan_db::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The result of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Done(Outcome),
    /// It changed nothing.
    Rejected(String),
}

/// Why a transaction was rolled back.
#[derive(Debug)]
pub(super) enum Rollback {
    /// Everything was checked, and nothing must stay.
    DryRun(Vec<Verdict>),
    Store(Error),
}

impl From<genkan_db::Error> for Rollback {
    fn from(error: genkan_db::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Rollback {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// A line, with its row or the reason why it has none.
pub(super) type Read<R> = (Line, Result<R, String>);

pub(super) fn read<R: Row>(line: Line) -> Read<R> {
    let row = match &line.value {
        Ok(value) if holds_nul(value) => Err("it holds a NUL character".to_owned()),
        Ok(value) => R::deserialize(value).map_err(|error| error.to_string()),
        Err(mistake) => Err(mistake.clone()),
    };
    (line, row)
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    pub(super) rejected: u64,
}

pub(super) struct Import<'a> {
    pub(super) db: &'a Db,
    pub(super) at: Stamp<'a>,
    pub(super) author: Author<'a>,
    pub(super) dry_run: bool,
    pub(super) continue_on_error: bool,
    /// The number of lines in a transaction: [`CHUNK`] except in tests. A single line is not planned.
    pub(super) chunk: usize,
    pub(super) rejects: Option<Rejects>,
    pub(super) progress: Progress,
    pub(super) tally: Tally,
}

impl Import<'_> {
    /// Imports all lines. Those before a failure stay.
    pub(super) async fn run<B: Batch>(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        let mut chunk = Vec::with_capacity(self.chunk);
        loop {
            let line = rows
                .next()
                .map_err(|error| Failure::new(format!("The file cannot be read any further: {error}.")));
            let line = match line {
                Ok(Some(line)) => line,
                end => {
                    self.commit::<B>(&mut chunk).await?;
                    return end.map(|_| ());
                }
            };
            chunk.push(read(line));
            if chunk.len() == self.chunk {
                self.commit::<B>(&mut chunk).await?;
            }
        }
    }

    async fn commit<B: Batch>(&mut self, chunk: &mut Vec<Read<B::Row>>) -> Result<(), Failure> {
        let verdicts = match self.write::<B>(chunk).await {
            Ok(verdicts) | Err(Rollback::DryRun(verdicts)) => verdicts,
            Err(Rollback::Store(error)) => return Err(error.into()),
        };
        let last = chunk.last().map(|(line, _)| line.read);
        for ((line, _), verdict) in chunk.drain(..).zip(verdicts) {
            match verdict {
                Verdict::Done(Outcome::Created) => self.tally.created += 1,
                Verdict::Done(Outcome::Updated) => self.tally.updated += 1,
                Verdict::Done(Outcome::Unchanged) => self.tally.unchanged += 1,
                Verdict::Rejected(mistake) => self.reject(&line, &mistake)?,
            }
        }
        if let Some(read) = last {
            let imported = self.tally.created + self.tally.updated + self.tally.unchanged;
            self.progress.show(read, imported);
        }
        Ok(())
    }

    /// Imports the lines, up to the first one with a mistake, unless it must go on.
    pub(super) async fn write<B: Batch>(&self, lines: &[Read<B::Row>]) -> Result<Vec<Verdict>, Rollback> {
        let (at, author) = (self.at, self.author);
        self.db
            .tx(async |tx| -> Result<Vec<Verdict>, Rollback> {
                let mut batch = if self.chunk > 1 {
                    let rows: Vec<&B::Row> = lines.iter().filter_map(|(_, row)| row.as_ref().ok()).collect();
                    Some(B::look_up(tx, author, &rows).await?)
                } else {
                    None
                };
                let mut verdicts = Vec::with_capacity(lines.len());
                for (_, row) in lines {
                    let planned = match (row, &mut batch) {
                        (Ok(row), Some(batch)) => batch.plan(row, at, author),
                        _ => None,
                    };
                    let verdict = match (row, planned) {
                        (Err(mistake), _) => Verdict::Rejected(mistake.clone()),
                        (Ok(_), Some(outcome)) => Verdict::Done(outcome),
                        (Ok(row), None) => self.put_alone::<B>(tx, row, &mut batch).await?,
                    };
                    let is_last = matches!(verdict, Verdict::Rejected(_)) && !self.continue_on_error;
                    verdicts.push(verdict);
                    if is_last {
                        break;
                    }
                }
                if let Some(mut batch) = batch {
                    batch.write(tx, at).await?;
                }
                if self.dry_run {
                    Err(Rollback::DryRun(verdicts))
                } else {
                    Ok(verdicts)
                }
            })
            .await
    }

    /// Puts a line after the planned ones. If it has a mistake, it changes nothing.
    async fn put_alone<B: Batch>(
        &self,
        tx: &mut Tx<'_>,
        row: &B::Row,
        batch: &mut Option<B>,
    ) -> Result<Verdict, Error> {
        if let Some(batch) = batch {
            batch.write(tx, self.at).await?;
        }
        let part = tx.begin_part().await?;
        match row.put(tx, self.at, self.author).await {
            Ok(outcome) => {
                tx.keep_part().await?;
                if let Some(batch) = batch {
                    batch.forget(row);
                }
                Ok(Verdict::Done(outcome))
            }
            Err(RowError::Rejected(mistake)) => {
                tx.undo_part(part).await?;
                Ok(Verdict::Rejected(mistake))
            }
            Err(RowError::Store(error)) => Err(error),
        }
    }

    /// Reports a line with a mistake, and ends the import unless it must go on.
    fn reject(&mut self, line: &Line, mistake: &str) -> Result<(), Failure> {
        let message = format!("line {}: {mistake}", line.number);
        if !self.continue_on_error {
            return Err(Failure::new(format!("{message}.")).remedy(if self.dry_run {
                "Correct it, or add --continue-on-error."
            } else {
                "The lines before it are imported. Correct it and import the file again, or add --continue-on-error."
            }));
        }
        self.tally.rejected += 1;
        let is_kept = match &mut self.rejects {
            Some(rejects) => rejects.write(&line.text)?,
            None => true,
        };
        let elsewhere = if is_kept {
            ""
        } else {
            "; it is not copied to the rejects"
        };
        self.progress.say(&format!("{message}{elsewhere}"));
        Ok(())
    }
}

/// PostgreSQL cannot store a NUL, so such a line is refused.
fn holds_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
