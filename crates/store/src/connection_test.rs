//! Tests of connections: an administrator signs in to see what arrives.

use genkan_db::{Tx, p};
use serde_json::{Map, Value};

use crate::row::{Columns, json, words};
use crate::{ConnectionId, ConnectionTestId, Error, Timestamp};

words! {
    /// How a test went.
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
    /// What the provider said about the person who tried.
    pub user_info: Option<Map<String, Value>>,
    pub failure: Option<Failure>,
    pub created_at: Timestamp,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// A code such as `invalid_id_token`.
    pub error: String,
    pub description: String,
    pub details: Value,
}

/// Starts a test.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(
    tx: &mut Tx<'_>,
    id: &ConnectionTestId,
    connection_id: &ConnectionId,
    now: Timestamp,
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO connection_tests (id, connection_id, status, created_at) VALUES ($1, $2, 'PENDING', $3)",
        p![id, connection_id, now.as_micros()],
    )
    .await?;
    Ok(())
}

/// The test brought a person's attributes.
///
/// # Errors
///
/// [`Error::Stale`] if it has a result already or is gone.
pub async fn succeed(
    tx: &mut Tx<'_>,
    id: &ConnectionTestId,
    user_info: &Map<String, Value>,
) -> Result<(), Error> {
    let user_info = json(user_info);
    let changed = tx
        .exec(
            "UPDATE connection_tests SET status = 'SUCCESS', user_info = $2 WHERE id = $1 AND status = 'PENDING'",
            p![id, &user_info],
        )
        .await?;
    if changed == 0 { Err(Error::Stale) } else { Ok(()) }
}

/// The test failed.
///
/// # Errors
///
/// [`Error::Stale`] if it has a result already or is gone.
pub async fn fail(tx: &mut Tx<'_>, id: &ConnectionTestId, failure: &Failure) -> Result<(), Error> {
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
            "SELECT id, connection_id, status, user_info, error, error_description, error_details, created_at
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
        user_info: columns.optional_json("connection_tests.user_info")?,
        failure: None,
        created_at: Timestamp::from_micros(0),
    };
    let (error, description) = (columns.optional_text()?, columns.optional_text()?);
    let details = columns.optional_json("connection_tests.error_details")?;
    if let (Some(error), Some(description), Some(details)) = (error, description, details) {
        test.failure = Some(Failure {
            error,
            description,
            details,
        });
    }
    test.created_at = columns.time()?;
    Ok(Some(test))
}
