//! Identities: users as one connection knows them.

mod arrival;
mod enter;
mod home;
pub mod relink;

use genkan_db::{Tx, p};
use serde_json::{Map, Value};

use crate::row::{Columns, json};
use crate::user::{self, User};
use crate::{ConnectionId, Error, Stamp, Timestamp, UserId};

pub use arrival::{Arrival, Outcome, Profile, Recognized, Roles, arrive, recognize, rehearse};
pub use enter::{Barrier, Entry, hold_to_policy, may_enter};

/// A user as one connection knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub connection_id: ConnectionId,
    pub subject: String,
    pub user_id: UserId,
    pub attributes: Map<String, Value>,
    pub created_at: Timestamp,
    pub last_login_at: Timestamp,
}

/// Finds the user of an identity.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_user(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    subject: &str,
) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            "SELECT user_id FROM identities WHERE connection_id = $1 AND subject = $2",
            p![connection_id, subject],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let user_id = Columns::of(&row).id()?;
    user::find(tx, &user_id).await
}

/// Whether nothing newer than `since` speaks of an arrival: its connection is as it
/// was, and its person has not come back with other claims.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn still_stands(tx: &mut Tx<'_>, arrival: &Arrival, since: Timestamp) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT c.updated_at, (SELECT last_login_at FROM identities i
                                    WHERE i.connection_id = c.id AND i.subject = $2)
               FROM connections c WHERE c.id = $1",
            p![&arrival.connection_id, &arrival.subject],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let mut columns = Columns::of(&row);
    let (changed_at, seen_at) = (columns.time()?, columns.optional_time()?);
    Ok(changed_at <= since && seen_at.is_none_or(|seen_at| seen_at <= since))
}

/// The identities of a user, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_user(tx: &mut Tx<'_>, user_id: &UserId) -> Result<Vec<Identity>, Error> {
    let rows = tx
        .all(
            "SELECT connection_id, subject, user_id, attributes, created_at, last_login_at FROM identities
              WHERE user_id = $1 ORDER BY created_at, connection_id, subject",
            p![user_id],
        )
        .await?;
    rows.iter().map(|row| read(&mut Columns::of(row))).collect()
}

/// An identity with what kind of connection it came by.
#[derive(Debug, Clone, PartialEq)]
pub struct Linked {
    pub identity: Identity,
    /// OIDC, SAML: as the connection's row says.
    pub connection_kind: String,
    pub connection_provider: String,
}

/// As [`list_for_user`], with what kind of connections they are.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_linked(tx: &mut Tx<'_>, user_id: &UserId) -> Result<Vec<Linked>, Error> {
    let rows = tx
        .all(
            "SELECT i.connection_id, i.subject, i.user_id, i.attributes, i.created_at, i.last_login_at, c.kind,
                    c.provider
               FROM identities i JOIN connections c ON c.id = i.connection_id
              WHERE i.user_id = $1 ORDER BY i.created_at, i.connection_id, i.subject",
            p![user_id],
        )
        .await?;
    let read = |row| {
        let mut columns = Columns::of(row);
        Ok(Linked {
            identity: read(&mut columns)?,
            connection_kind: columns.text()?,
            connection_provider: columns.text()?,
        })
    };
    rows.iter().map(read).collect()
}

fn read(columns: &mut Columns<'_>) -> Result<Identity, Error> {
    Ok(Identity {
        connection_id: columns.id()?,
        subject: columns.text()?,
        user_id: columns.id()?,
        attributes: columns.json("identities.attributes")?,
        created_at: columns.time()?,
        last_login_at: columns.time()?,
    })
}

async fn remember(tx: &mut Tx<'_>, at: Stamp<'_>, arrival: &Arrival, user_id: &UserId) -> Result<(), Error> {
    let attributes = json(&arrival.attributes);
    tx.exec(
        "INSERT INTO identities (connection_id, subject, user_id, attributes, created_at, last_login_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (connection_id, subject)
         DO UPDATE SET attributes = excluded.attributes, last_login_at = excluded.last_login_at",
        p![
            &arrival.connection_id,
            &arrival.subject,
            user_id,
            &attributes,
            at.now.as_micros()
        ],
    )
    .await?;
    Ok(())
}
