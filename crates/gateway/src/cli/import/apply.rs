//! Brings the lines of a file into the database, some hundreds in a transaction.

use genkan_db::{Db, Tx};
use genkan_store::domain::Giver;
use genkan_store::{Error, OrganizationId, Stamp, conflict};
use serde::de::DeserializeOwned;

use super::progress::Progress;
use super::rows::{Line, Rejects, Rows};
use crate::cli::Failure;
use crate::failure::{fault_of, field_of};

/// How many lines go into one transaction: enough that the disk is not what
/// decides, few enough that a sign-in meanwhile does not wait.
const CHUNK: usize = 250;

/// Whose word the lines are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author<'a> {
    /// Who stands behind the domains.
    pub(super) giver: Giver,
    /// The file is of this organization, and speaks of its people alone.
    pub(super) organization_id: Option<&'a OrganizationId>,
}

/// A line that was read: an organization or a user.
pub(super) trait Row: DeserializeOwned {
    /// The columns that a table of them may have, beside `metadata.ANYTHING`.
    const COLUMNS: &[&str];

    /// Adds it, or brings what is there up to date.
    async fn put(&self, tx: &mut Tx<'_>, at: Stamp<'_>, author: Author<'_>) -> Result<Outcome, RowError>;
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
    /// The line must be changed; the sentence says how.
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

/// Why a transaction was given up.
enum Stopped {
    /// At this line of the chunk.
    At(usize, String),
    /// Everything was checked, and nothing is to be kept.
    DryRun(Vec<Outcome>),
    Store(Error),
}

impl From<genkan_db::Error> for Stopped {
    fn from(error: genkan_db::Error) -> Self {
        Self::Store(error.into())
    }
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
    pub(super) rejects: Option<Rejects>,
    pub(super) progress: Progress,
    pub(super) tally: Tally,
}

impl Import<'_> {
    /// Imports all lines; what came before a failure stays.
    pub(super) async fn run<R: Row>(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        let mut chunk: Vec<(Line, R)> = Vec::with_capacity(CHUNK);
        loop {
            let line = rows
                .next()
                .map_err(|error| Failure::new(format!("The file cannot be read any further: {error}.")));
            let line = match line {
                Ok(Some(line)) => line,
                end => {
                    self.commit(&mut chunk).await?;
                    return end.map(|_| ());
                }
            };
            let read = match &line.value {
                Ok(value) => R::deserialize(value).map_err(|error| error.to_string()),
                Err(mistake) => Err(mistake.clone()),
            };
            match read {
                Ok(row) => chunk.push((line, row)),
                Err(mistake) => {
                    // In order: what stands before the mistake is imported first.
                    self.commit(&mut chunk).await?;
                    self.reject(&line, &mistake)?;
                }
            }
            if chunk.len() == CHUNK {
                self.commit(&mut chunk).await?;
            }
        }
    }

    async fn commit<R: Row>(&mut self, chunk: &mut Vec<(Line, R)>) -> Result<(), Failure> {
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            match self.write(rest).await {
                Ok(outcomes) => {
                    self.count(&outcomes);
                    break;
                }
                Err(Stopped::At(index, mistake)) => {
                    // The lines before it are fine, as has just been seen; the
                    // line itself leaves nothing behind.
                    let (fine, bad) = rest.split_at(index);
                    match self.write(fine).await {
                        Ok(outcomes) => self.count(&outcomes),
                        Err(Stopped::Store(error)) => return Err(error.into()),
                        // The world changed meanwhile: look at them once more.
                        Err(Stopped::At(..) | Stopped::DryRun(_)) => continue,
                    }
                    self.reject(&bad[0].0, &mistake)?;
                    rest = &bad[1..];
                }
                Err(Stopped::Store(error)) => return Err(error.into()),
                Err(Stopped::DryRun(_)) => unreachable!("write turns it into Ok"),
            }
        }
        if let Some((line, _)) = chunk.last() {
            self.progress.show(
                line.read,
                self.tally.created + self.tally.updated + self.tally.unchanged,
            );
        }
        chunk.clear();
        Ok(())
    }

    /// All of the lines, or none.
    async fn write<R: Row>(&self, lines: &[(Line, R)]) -> Result<Vec<Outcome>, Stopped> {
        let (at, author, dry_run) = (self.at, self.author, self.dry_run);
        let written = self
            .db
            .tx(async |tx| -> Result<Vec<Outcome>, Stopped> {
                let mut outcomes = Vec::with_capacity(lines.len());
                for (index, (_, row)) in lines.iter().enumerate() {
                    match row.put(tx, at, author).await {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(RowError::Rejected(mistake)) => return Err(Stopped::At(index, mistake)),
                        Err(RowError::Store(error)) => return Err(Stopped::Store(error)),
                    }
                }
                if dry_run {
                    Err(Stopped::DryRun(outcomes))
                } else {
                    Ok(outcomes)
                }
            })
            .await;
        match written {
            Err(Stopped::DryRun(outcomes)) => Ok(outcomes),
            written => written,
        }
    }

    fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            match outcome {
                Outcome::Created => self.tally.created += 1,
                Outcome::Updated => self.tally.updated += 1,
                Outcome::Unchanged => self.tally.unchanged += 1,
            }
        }
    }

    /// Tells of a line with a mistake, and ends the import unless it is to go on.
    fn reject(&mut self, line: &Line, mistake: &str) -> Result<(), Failure> {
        let message = format!("line {}: {mistake}", line.number);
        if !self.continue_on_error {
            return Err(Failure::new(format!("{message}.")).remedy(
                "The lines before it are imported. Correct it and import the file again, or add --continue-on-error.",
            ));
        }
        self.progress.say(&message);
        self.tally.rejected += 1;
        if let Some(rejects) = &mut self.rejects {
            rejects.write(&line.text)?;
        }
        Ok(())
    }
}
