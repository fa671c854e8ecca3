//! The audit: every sign-in, failure, sign-out and change of a user.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use genkan_db::{Db, Error, Row, Tx, p};
use jiff::Timestamp;

use super::moment;
use crate::web::random;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SignIn,
    SignInFailed,
    SignOut,
    UserCreated,
    /// An existing row got its subject.
    UserLinked,
    /// The user's subject was forgotten: the next sign-in with their address links them.
    UserUnlinked,
    UserDisabled,
    UserEnabled,
    RoleChanged,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::SignIn,
        Self::SignInFailed,
        Self::SignOut,
        Self::UserCreated,
        Self::UserLinked,
        Self::UserUnlinked,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::RoleChanged,
    ];

    /// The word in the database and in `openneko log`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignInFailed => "sign_in_failed",
            Self::SignOut => "sign_out",
            Self::UserCreated => "user_created",
            Self::UserLinked => "user_linked",
            Self::UserUnlinked => "user_unlinked",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::RoleChanged => "role_changed",
        }
    }

    /// The words for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::SignIn => "Signed in",
            Self::SignInFailed => "Sign-in failed",
            Self::SignOut => "Signed out",
            Self::UserCreated => "User added",
            Self::UserLinked => "User linked",
            Self::UserUnlinked => "User unlinked",
            Self::UserDisabled => "User disabled",
            Self::UserEnabled => "User enabled",
            Self::RoleChanged => "Role changed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One event, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub kind: Kind,
    /// The code of a failure, as the sign-in page got it.
    pub code: Option<String>,
    /// The reference that the person saw and the log has.
    pub reference: String,
    pub user_id: Option<String>,
    pub email: Option<String>,
    /// Who changed a user: another user's id, or `cli`.
    pub actor: Option<String>,
    /// The sign-in plugin.
    pub provider: Option<String>,
    /// More for operators, such as the provider's message.
    pub detail: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

impl Event {
    /// An event at `at`; the caller fills in the rest.
    pub fn new(kind: Kind, at: Timestamp, reference: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            code: None,
            reference: reference.into(),
            user_id: None,
            email: None,
            actor: None,
            provider: None,
            detail: None,
            ip: None,
            user_agent: None,
        }
    }
}

/// Longest text of a column, in bytes: much of it comes from outside.
const MAX_TEXT: usize = 500;

/// Writes an event, in the transaction of the change that it reports.
///
/// # Errors
///
/// If the database fails.
pub async fn record(tx: &mut Tx<'_>, event: &Event) -> Result<(), Error> {
    // Sorts by time, and within one moment in the order of writing. The reference
    // that a person saw need not be unique.
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let written = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let id = format!(
        "{:016x}{written:08x}{}",
        event.at.as_microsecond(),
        random::token::<6>()
    );
    let email = event.email.as_deref().map(clip);
    let detail = event.detail.as_deref().map(clip);
    let user_agent = event.user_agent.as_deref().map(clip);
    tx.exec(
        "INSERT INTO audit_event
            (id, at, kind, code, reference, user_id, email, actor, provider, detail, ip, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        p![
            &id,
            event.at.as_microsecond(),
            event.kind.as_str(),
            event.code.as_deref(),
            &event.reference,
            event.user_id.as_deref(),
            email.as_deref(),
            event.actor.as_deref(),
            event.provider.as_deref(),
            detail.as_deref(),
            event.ip.as_deref(),
            user_agent.as_deref(),
        ],
    )
    .await?;
    Ok(())
}

/// The newest `count` events, newest first.
///
/// # Errors
///
/// If the database fails.
pub async fn recent(db: &Db, count: u32) -> Result<Vec<Event>, Error> {
    let rows = db
        .read(async |tx| {
            tx.all(
                "SELECT at, kind, code, reference, user_id, email, actor, provider, detail, ip, user_agent
                   FROM audit_event ORDER BY id DESC LIMIT $1",
                p![count],
            )
            .await
        })
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Event, Error> {
    let word: String = row.get(1)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    Ok(Event {
        at: moment(row, 0)?,
        kind: kind.ok_or_else(|| Error::Database("audit_event.kind holds an unknown word".to_owned()))?,
        code: row.get(2)?,
        reference: row.get(3)?,
        user_id: row.get(4)?,
        email: row.get(5)?,
        actor: row.get(6)?,
        provider: row.get(7)?,
        detail: row.get(8)?,
        ip: row.get(9)?,
        user_agent: row.get(10)?,
    })
}

/// The beginning of a text, on one line. With control characters a provider could
/// write into the terminal of the log's reader.
fn clip(text: &str) -> String {
    let mut clipped = String::new();
    for character in text.chars() {
        if clipped.len() + character.len_utf8() > MAX_TEXT {
            clipped.push('…');
            break;
        }
        clipped.push(if character.is_control() { ' ' } else { character });
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_short_and_on_one_line() {
        assert_eq!(clip("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(clip(&"é".repeat(400)).chars().count(), 251);
        assert_eq!(clip(""), "");
    }
}
