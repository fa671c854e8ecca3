//! Mail to deliver, through the [`outbox`].
//!
//! A queued mail holds facts and not text. The text is written when it is delivered or shown. A mail may
//! hold a one-time code or a link, so it is sealed, and deleted after its delivery.

use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use serde::{Deserialize, Serialize};

use crate::event::{self, Entry};
use crate::outbox::{self, Backlog, Delivery, NewDelivery, RetryDecision, Schedule};
use crate::row::{json, words};
use crate::seal::{InstanceKey, OpenError, SealContext};
use crate::{Error, MailId, Stamp, Timestamp};

words! {
    /// What a mail is about, for the log and for events.
    pub enum Kind {
        SignIn = "sign_in",
        SignUp = "sign_up",
        Invitation = "invitation",
        Test = "test",
    }
}

/// The person waits for the code, so the first pauses are short.
pub const SCHEDULE: Schedule = Schedule::new(&[5, 15, 60, 5 * 60, 15 * 60, 60 * 60, 4 * 60 * 60]);

/// All mail goes to the one server in the configuration.
const RECEIVER: &str = "smtp";

/// The content of a mail.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// Proves to an application that somebody can read the mail of an address.
    SignInCode {
        application: String,
        /// They are about to create an account.
        is_sign_up: bool,
        /// The code, the link, or both.
        code: Option<String>,
        link: Option<String>,
        lifetime_secs: u64,
    },
    /// Asks a person to become a member of an organization.
    Invitation {
        organization: String,
        /// The inviter, if their address may be shown.
        inviter: Option<EmailAddress>,
        /// The secret of the link.
        token: String,
    },
    /// A test of the mail settings.
    Test,
}

impl Letter {
    const fn kind(&self) -> Kind {
        match self {
            Self::SignInCode {
                is_sign_up: false, ..
            } => Kind::SignIn,
            Self::SignInCode { is_sign_up: true, .. } => Kind::SignUp,
            Self::Invitation { .. } => Kind::Invitation,
            Self::Test => Kind::Test,
        }
    }
}

/// Shows nothing, because it may hold a code.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// A mail to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub to: EmailAddress,
    #[serde(flatten)]
    pub letter: Letter,
    /// The content is invalid from then on, and the mail is not sent any more.
    pub expires_at: Timestamp,
}

/// A mail that an earlier version queued, as text.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct RenderedMail {
    pub to: EmailAddress,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Shows nothing, because it may hold a code.
impl std::fmt::Debug for RenderedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RenderedMail(…)")
    }
}

/// The content of a queued mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Mail(Mail),
    RenderedMail(RenderedMail),
}

/// The part of a mail that the database stores unsealed.
#[derive(Serialize, Deserialize)]
struct Facts {
    kind: Kind,
}

/// A mail that waits for its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    pub id: MailId,
    pub kind: Kind,
    pub delivery: Delivery,
}

impl QueuedMail {
    /// The mail of a delivery of [`outbox::Kind::Mail`].
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if it is none.
    pub fn read(delivery: Delivery) -> Result<Self, Error> {
        Ok(Self {
            id: delivery.id()?,
            kind: delivery.facts::<Facts>()?.kind,
            delivery,
        })
    }

    /// Its content.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another key, or changed.
    pub fn open(&self, key: &InstanceKey) -> Result<Content, OpenError> {
        let sealed = self.delivery.sealed();
        // A value that was sealed for one place opens at no other, so the two cannot be confused.
        if let Ok(plaintext) = key.open(place(&self.id), sealed) {
            let mail = serde_json::from_slice(&plaintext).map_err(|_| OpenError)?;
            return Ok(Content::Mail(mail));
        }
        let before = SealContext {
            column: "mails.content_sealed",
            id: self.id.as_str(),
        };
        let plaintext = key.open(before, sealed)?;
        let written = serde_json::from_slice(&plaintext).map_err(|_| OpenError)?;
        Ok(Content::RenderedMail(written))
    }
}

fn place(id: &MailId) -> SealContext<'_> {
    SealContext {
        column: "deliveries.sealed",
        id: id.as_str(),
    }
}

/// Queues a mail. Wake the delivery after the commit.
///
/// The caller first checks whether this instance can send mail at all.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn enqueue(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    key: &InstanceKey,
    mail: &Mail,
) -> Result<MailId, Error> {
    let id: MailId = at.id();
    let sealed = key.seal(place(&id), json(mail).as_bytes());
    let new = NewDelivery {
        id: id.as_str(),
        kind: outbox::Kind::Mail,
        receiver: RECEIVER,
        expires_at: mail.expires_at,
        sealed: Some(&sealed),
    };
    let kind = mail.letter.kind();
    outbox::put(tx, at.now, &new, &Facts { kind }).await?;
    Ok(id)
}

/// Notes that a mail was not delivered. It is tried again later, or given up after the last attempt, or if
/// it would come too late.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn failed(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    mail: &QueuedMail,
    reason: &str,
) -> Result<RetryDecision, Error> {
    let next = outbox::failed(tx, at.now, &mail.delivery).await?;
    tell(tx, at, (mail, next), reason).await?;
    Ok(next)
}

/// Gives a mail up and records that as an event.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn give_up(tx: &mut Tx<'_>, at: Stamp<'_>, mail: &QueuedMail, reason: &str) -> Result<(), Error> {
    let next = outbox::give_up(tx, &mail.delivery).await?;
    tell(tx, at, (mail, next), reason).await
}

/// The event does not contain the address, because its owner may never have been a user here.
async fn tell(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    (mail, next): (&QueuedMail, RetryDecision),
    reason: &str,
) -> Result<(), Error> {
    if next != RetryDecision::GivenUp {
        return Ok(());
    }
    let entry = Entry::new(event::Kind::MailGivenUp)
        .with("mail_id", mail.id.as_str())
        .with("kind", mail.kind.as_str())
        .with("reason", reason);
    event::record(tx, at, entry).await
}

/// The newest queued mails: the inbox of a development instance.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn newest(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<QueuedMail>, Error> {
    let waiting = outbox::newest(tx, outbox::Kind::Mail, limit).await?;
    waiting.into_iter().map(QueuedMail::read).collect()
}

/// Finds a queued mail.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &MailId) -> Result<Option<QueuedMail>, Error> {
    let waiting = outbox::find(tx, outbox::Kind::Mail, id.as_str()).await?;
    waiting.map(QueuedMail::read).transpose()
}

/// The numbers of queued mails, for `genkan doctor`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn backlog(tx: &mut Tx<'_>) -> Result<Backlog, Error> {
    outbox::backlog(tx, outbox::Kind::Mail).await
}
