//! Tests of connections: an administrator signs in to see what the provider sends.
//!
//! A test sends the connection's secret to its provider and shows the answer. So it begins with a link that
//! a person with the right to change the connection has made. The token in the link counts once, and for a
//! short time.

use std::time::Duration;

use genkan_db::{Tx, p};
use genkan_protocol::Trace;
use serde_json::{Map, Value};

use crate::row::{Columns, json, words};
use crate::{ConnectionId, ConnectionTestId, Error, SecretHash, Timestamp};

words! {
    /// The state of a test.
    pub enum Status {
        Pending = "PENDING",
        Success = "SUCCESS",
        Failure = "FAILURE",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionTest {
    pub id: ConnectionTestId,
    pub connection_id: ConnectionId,
    pub status: Status,
    /// The link may be opened until then. `None` after it was opened.
    pub link_expires_at: Option<Timestamp>,
    /// What the provider said about the person who tried.
    pub user_info: Option<Map<String, Value>>,
    pub failure: Option<TestFailure>,
    /// The checks, if every check passed. If one failed, they are in its details.
    pub trace: Option<Trace>,
    pub created_at: Timestamp,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq)]
pub struct TestFailure {
    /// A code such as `invalid_id_token`.
    pub error: String,
    pub description: String,
    pub details: Value,
}

/// How long the link of a test is valid.
pub const LINK_LIFETIME: Duration = Duration::from_mins(10);

/// Adds a test. The holder of the word may begin it until the returned time.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(
    tx: &mut Tx<'_>,
    id: &ConnectionTestId,
    connection_id: &ConnectionId,
    word: &SecretHash,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let expires_at = now + LINK_LIFETIME;
    tx.exec(
        "INSERT INTO connection_tests (id, connection_id, status, word_hash, word_expires_at, created_at)
         VALUES ($1, $2, 'PENDING', $3, $4, $5)",
        p![id, connection_id, word, expires_at.as_micros(), now.as_micros()],
    )
    .await?;
    Ok(expires_at)
}

/// Until when the word may begin a test of this connection. `None` if it may not.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_open(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    word: &SecretHash,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let row = tx
        .opt(
            "SELECT word_expires_at FROM connection_tests
              WHERE word_hash = $1 AND connection_id = $2 AND word_expires_at > $3",
            p![word, connection_id, now.as_micros()],
        )
        .await?;
    row.as_ref().map(|row| Columns::of(row).time()).transpose()
}

/// Uses up the word. If several present it, one of them begins the test.
///
/// # Errors
///
/// [`Error::Database`] if the database fails. The word is then unused.
pub async fn begin(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    word: &SecretHash,
    now: Timestamp,
) -> Result<Option<ConnectionTestId>, Error> {
    let row = tx
        .opt(
            "UPDATE connection_tests SET word_hash = NULL, word_expires_at = NULL
              WHERE word_hash = $1 AND connection_id = $2 AND word_expires_at > $3 RETURNING id",
            p![word, connection_id, now.as_micros()],
        )
        .await?;
    row.as_ref().map(|row| Columns::of(row).id()).transpose()
}

/// The test has received a person's attributes.
///
/// # Errors
///
/// [`Error::Stale`] if it already has a result or is gone.
pub async fn succeed(
    tx: &mut Tx<'_>,
    id: &ConnectionTestId,
    user_info: &Map<String, Value>,
    trace: &Trace,
) -> Result<(), Error> {
    let (user_info, trace) = (json(user_info), json(trace));
    let changed = tx
        .exec(
            "UPDATE connection_tests SET status = 'SUCCESS', user_info = $2, trace = $3
              WHERE id = $1 AND status = 'PENDING'",
            p![id, &user_info, &trace],
        )
        .await?;
    if changed == 0 { Err(Error::Stale) } else { Ok(()) }
}

/// The test failed.
///
/// # Errors
///
/// [`Error::Stale`] if it already has a result or is gone.
pub async fn fail(tx: &mut Tx<'_>, id: &ConnectionTestId, failure: &TestFailure) -> Result<(), Error> {
    let details = json(&failure.details);
    let changed = tx
        .exec(
            "UPDATE connection_tests SET status = 'FAILURE', error = $2, error_description = $3, error_details = $4
              WHERE id = $1 AND status = 'PENDING'",
            p![id, &failure.error, &failure.description, &details],
        )
        .await?;
    if changed == 0 { Err(Error::Stale) } else { Ok(()) }
}

/// Finds a test of a connection.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    id: &ConnectionTestId,
) -> Result<Option<ConnectionTest>, Error> {
    let row = tx
        .opt(
            "SELECT id, connection_id, status, user_info, error, error_description, error_details, created_at,
                trace, word_expires_at
               FROM connection_tests WHERE id = $1 AND connection_id = $2",
            p![id, connection_id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let mut test = ConnectionTest {
        id: columns.id()?,
        connection_id: columns.id()?,
        status: columns.parsed("connection_tests.status", str::parse)?,
        link_expires_at: None,
        user_info: columns.optional_json("connection_tests.user_info")?,
        failure: None,
        trace: None,
        created_at: Timestamp::from_micros(0),
    };
    let (error, description) = (columns.optional_text()?, columns.optional_text()?);
    let details = columns.optional_json("connection_tests.error_details")?;
    if let (Some(error), Some(description), Some(details)) = (error, description, details) {
        test.failure = Some(TestFailure {
            error,
            description,
            details,
        });
    }
    test.created_at = columns.time()?;
    test.trace = columns.optional_json("connection_tests.trace")?;
    test.link_expires_at = columns.optional_time()?;
    Ok(Some(test))
}
