//! Answers of identity providers that another site posted as a form.
//!
//! `SameSite=Lax` keeps the browser's cookies from such a form, so it is not known yet which browser the
//! answer belongs to. The answer waits here, sealed, until the browser fetches it by a GET. That request
//! has the cookie. See `docs/decisions/connection-kinds.md`.
//!
//! An OpenID Provider's answer waits as it came. A SAML provider's was verified before, and its result
//! waits ([`Content`]).
//!
//! Source: OAuth 2.0 Form Post Response Mode 1.0 §2, RFC 6265bis §5.6.7.1.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_db::{Tx, p};
use zeroize::Zeroizing;

use crate::row::Columns;
use crate::seal::{OpenError, SealContext};
use crate::{ConnectionId, Error, InstanceKey, SecretHash, Timestamp, upstream_request};

/// The content of a parked answer. Neither can be opened as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The form as it arrived.
    Form,
    /// A verified SAML assertion.
    Assertion,
}

impl Content {
    /// The one that it is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Form => Self::Assertion,
            Self::Assertion => Self::Form,
        }
    }
}

/// How long a form waits. The browser fetches it at once, unless the network is slow.
pub const LIFETIME: Duration = Duration::from_mins(5);
/// How long an assertion waits. It signs in whoever fetches it in the right browser, so this is shorter.
pub const ASSERTION_LIFETIME: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedAnswer {
    /// The `state` in the answer.
    pub state: SecretHash,
    /// The connection at whose address it arrived.
    pub connection_id: ConnectionId,
    /// The browser fetches it with this handle.
    pub handle: SecretHash,
    /// See [`seal`].
    pub answer_sealed: Vec<u8>,
    pub expires_at: Timestamp,
}

fn id(handle: &SecretHash) -> String {
    URL_SAFE_NO_PAD.encode(handle.as_bytes())
}

const fn place(content: Content, id: &str) -> SealContext<'_> {
    let column = match content {
        Content::Form => "parked_answers.answer",
        Content::Assertion => "parked_answers.assertion",
    };
    SealContext { column, id }
}

/// Seals an answer for `handle`. It may hold the profile of a person.
pub fn seal(key: &InstanceKey, handle: &SecretHash, (content, answer): (Content, &[u8])) -> Vec<u8> {
    key.seal(place(content, &id(handle)), answer)
}

impl ParkedAnswer {
    /// The answer.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it was sealed under another instance key, or as other content.
    pub fn open(&self, key: &InstanceKey, content: Content) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        key.open(place(content, &id(&self.handle)), &self.answer_sealed)
    }
}

/// Parks an answer, if a request with its state waits at its connection. Says whether it did. It replaces
/// an earlier answer with the same state. It uses nothing up: the sign-in stays as it was.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn park(tx: &mut Tx<'_>, answer: &ParkedAnswer, now: Timestamp) -> Result<bool, Error> {
    if !upstream_request::is_waited_for(tx, &answer.state, &answer.connection_id, now).await? {
        return Ok(false);
    }
    tx.exec(
        "INSERT INTO parked_answers (state_hash, connection_id, handle_hash, answer_sealed, expires_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (state_hash) DO UPDATE SET connection_id = $2, handle_hash = $3, answer_sealed = $4,
            expires_at = $5",
        p![
            &answer.state,
            &answer.connection_id,
            &answer.handle,
            &answer.answer_sealed,
            answer.expires_at.as_micros(),
        ],
    )
    .await?;
    Ok(true)
}

macro_rules! columns {
    () => {
        "state_hash, connection_id, handle_hash, answer_sealed, expires_at"
    };
}

/// Finds an answer, and keeps it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    handle: &SecretHash,
    now: Timestamp,
) -> Result<Option<ParkedAnswer>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM parked_answers WHERE handle_hash = $1"
            ),
            p![handle],
        )
        .await?;
    let found = row.as_ref().map(read).transpose()?;
    Ok(found.filter(|answer| now < answer.expires_at))
}

/// Finds and deletes an answer, so its handle counts once.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn take(
    tx: &mut Tx<'_>,
    handle: &SecretHash,
    now: Timestamp,
) -> Result<Option<ParkedAnswer>, Error> {
    let row = tx
        .opt(
            concat!(
                "DELETE FROM parked_answers WHERE handle_hash = $1 RETURNING ",
                columns!()
            ),
            p![handle],
        )
        .await?;
    let taken = row.as_ref().map(read).transpose()?;
    Ok(taken.filter(|answer| now < answer.expires_at))
}

fn read(row: &genkan_db::Row) -> Result<ParkedAnswer, Error> {
    let mut columns = Columns::of(row);
    Ok(ParkedAnswer {
        state: columns.hash("parked_answers.state_hash")?,
        connection_id: columns.id()?,
        handle: columns.hash("parked_answers.handle_hash")?,
        answer_sealed: columns.bytes()?,
        expires_at: columns.time()?,
    })
}
