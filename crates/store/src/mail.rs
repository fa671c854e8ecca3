//! Mail to deliver: queued in the transaction of what it reports, so that it is
//! sent if and only if that happened.
//!
//! What a mail says may hold a one-time code or a link, so it is sealed, and
//! gone when it is delivered.

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use genkan_protocol::EmailAddress;
use serde::{Deserialize, Serialize};

use crate::event::{self, Entry};
use crate::row::{Columns, json, words};
use crate::seal::{InstanceKey, OpenError, Place};
use crate::{Error, MailId, Stamp, Timestamp};

words! {
    /// What a mail is about.
    pub enum Kind {
        SignIn = "sign_in",
        SignUp = "sign_up",
        Invitation = "invitation",
        Test = "test",
    }
}

/// How long a mail rests after each failed attempt. A code is wanted now, so the
/// first ones are short.
const BACKOFF_SECS: [u64; 7] = [5, 15, 60, 5 * 60, 15 * 60, 60 * 60, 4 * 60 * 60];

/// After this many attempts a mail is given up.
pub const MAX_ATTEMPTS: u32 = 8;

/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 150;

/// A mail to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail<'a> {
    pub kind: Kind,
    pub to: &'a EmailAddress,
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
    /// When what it says does not hold any more; afterwards it is not sent.
    pub expires_at: Timestamp,
}

/// What a queued mail says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub to: EmailAddress,
    /// One line, whatever was written.
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Shows nothing: it may hold a code.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(…)")
    }
}

/// A mail that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub id: MailId,
    pub kind: Kind,
    content_sealed: Vec<u8>,
    /// With the one that this claim is for.
    pub attempts: u32,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

impl Queued {
    /// What it says.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another key, or changed.
    pub fn open(&self, key: &InstanceKey) -> Result<Content, OpenError> {
        let plaintext = key.open(place(&self.id), &self.content_sealed)?;
        serde_json::from_slice(&plaintext).map_err(|_| OpenError)
    }
}

/// What follows a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    RetryAt(Timestamp),
    GivenUp,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub waiting: i64,
    /// How many of them were tried in vain.
    pub failing: i64,
}

macro_rules! columns {
    () => {
        "id, kind, content_sealed, attempts, expires_at, created_at"
    };
}

fn read(row: &Row) -> Result<Queued, Error> {
    let mut columns = Columns::of(row);
    Ok(Queued {
        id: columns.id()?,
        kind: columns.parsed("mails.kind", str::parse)?,
        content_sealed: columns.bytes()?,
        attempts: u32::try_from(columns.int()?).unwrap_or(u32::MAX),
        expires_at: columns.time()?,
        created_at: columns.time()?,
    })
}

fn place(id: &MailId) -> Place<'_> {
    Place {
        column: "mails.content_sealed",
        id: id.as_str(),
    }
}

/// Queues a mail. Wake the delivery after the commit.
///
/// Whether this instance can send mail at all is for the caller to ask first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn enqueue(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    mail: &Mail<'_>,
) -> Result<MailId, Error> {
    let id: MailId = at.id();
    let content = json(&Content {
        to: mail.to.clone(),
        subject: one_line(mail.subject),
        text: mail.text.to_owned(),
        html: mail.html.to_owned(),
    });
    let sealed = key.seal(place(&id), content.as_bytes());
    tx.exec(
        "INSERT INTO mails (id, kind, content_sealed, attempts, next_attempt_at, expires_at, created_at)
         VALUES ($1, $2, $3, 0, $4, $5, $4)",
        p![
            &id,
            mail.kind.as_str(),
            &sealed,
            at.now.as_micros(),
            mail.expires_at.as_micros(),
        ],
    )
    .await?;
    Ok(id)
}

/// A header ends at a line break: what comes after it would be a header of
/// the writer's choice (CWE-93).
fn one_line(subject: &str) -> String {
    let words = subject.split(|c: char| c.is_control() || c.is_whitespace());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    line.chars().take(MAX_SUBJECT_CHARS).collect()
}

/// Takes up to `limit` mails that are due. No other node gets them before
/// `lease` is over, so a mail whose node died is tried again.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn claim_due(
    tx: &mut Tx<'_>,
    limit: u32,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Queued>, Error> {
    let rows = tx
        .all(
            concat!(
                "UPDATE mails SET attempts = attempts + 1, next_attempt_at = $2
                  WHERE id IN (SELECT id FROM mails WHERE next_attempt_at <= $1
                                ORDER BY next_attempt_at, id LIMIT $3)
                  RETURNING ",
                columns!()
            ),
            p![now.as_micros(), (now + lease).as_micros(), i64::from(limit)],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Whether a mail is due: cheaper than a claim, and no write.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn is_due(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT id FROM mails WHERE next_attempt_at <= $1 LIMIT 1",
            p![now.as_micros()],
        )
        .await?;
    Ok(row.is_some())
}

/// The mail has gone out: nothing of it stays here.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delivered(tx: &mut Tx<'_>, id: &MailId) -> Result<(), Error> {
    tx.exec("DELETE FROM mails WHERE id = $1", p![id]).await?;
    Ok(())
}

/// The mail did not go out: it is tried again later, or given up after
/// [`MAX_ATTEMPTS`] or when it would come too late.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn failed(tx: &mut Tx<'_>, at: Stamp<'_>, mail: &Queued, reason: &str) -> Result<Next, Error> {
    let rest = BACKOFF_SECS[(mail.attempts.max(1) as usize - 1).min(BACKOFF_SECS.len() - 1)];
    let retry_at = at.now + Duration::from_secs(rest);
    if mail.attempts >= MAX_ATTEMPTS || retry_at >= mail.expires_at {
        give_up(tx, at, mail, reason).await?;
        return Ok(Next::GivenUp);
    }
    tx.exec(
        "UPDATE mails SET next_attempt_at = $2 WHERE id = $1",
        p![&mail.id, retry_at.as_micros()],
    )
    .await?;
    Ok(Next::RetryAt(retry_at))
}

/// Gives a mail up and says so in an event. The address is not part of it: it
/// may be of somebody who never was a user here.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn give_up(tx: &mut Tx<'_>, at: Stamp<'_>, mail: &Queued, reason: &str) -> Result<(), Error> {
    delivered(tx, &mail.id).await?;
    let entry = Entry::new(event::Kind::MailGivenUp)
        .with("mail_id", mail.id.as_str())
        .with("kind", mail.kind.as_str())
        .with("reason", reason);
    event::record(tx, at, entry).await
}

/// The newest mails that wait: the inbox of a development instance.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn newest(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<Queued>, Error> {
    let rows = tx
        .all(
            concat!("SELECT ", columns!(), " FROM mails ORDER BY id DESC LIMIT $1"),
            p![i64::from(limit)],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Finds a mail that waits.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &MailId) -> Result<Option<Queued>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM mails WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// How much waits, for `genkan doctor`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn backlog(tx: &mut Tx<'_>) -> Result<Backlog, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*), COUNT(CASE WHEN attempts > 0 THEN 1 END) FROM mails",
            p![],
        )
        .await?;
    row.map_or(Ok(Backlog::default()), |row| {
        let mut columns = Columns::of(&row);
        Ok(Backlog {
            waiting: columns.int()?,
            failing: columns.int()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_line_whatever_was_written() {
        for (written, sent) in [
            ("Your code", "Your code"),
            ("Acme\r\nBcc: eve@evil.example", "Acme Bcc: eve@evil.example"),
            ("Acme\nBcc:\tx\u{85}y\u{2028}z", "Acme Bcc: x y z"),
            ("  \0a\u{1b}[2Jb ", "a [2Jb"),
        ] {
            assert_eq!(one_line(written), sent);
        }
        assert_eq!(one_line(&"é".repeat(500)).chars().count(), MAX_SUBJECT_CHARS);
    }
}
