//! Identities: users as one connection knows them.

pub mod relink;

use genkan_db::{Tx, p};
use serde_json::{Map, Value};

use crate::row::{Columns, json};
use crate::user::{self, User};
use crate::{ConnectionId, Error, Stamp, Timestamp, UserId};

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
            concat!(
                "SELECT ",
                user::columns!(),
                " FROM identities i JOIN users u ON u.id = i.user_id WHERE i.connection_id = $1 AND i.subject = $2"
            ),
            p![connection_id, subject],
        )
        .await?;
    row.map(|row| user::read_columns(&mut Columns::of(&row)))
        .transpose()
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

/// An identity with the kind of its connection.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkedIdentity {
    pub identity: Identity,
    /// OIDC or SAML, as in the connection's row.
    pub connection_kind: String,
    pub connection_provider: String,
}

/// As [`list_for_user`], with the kinds of the connections.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_linked(tx: &mut Tx<'_>, user_id: &UserId) -> Result<Vec<LinkedIdentity>, Error> {
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
        Ok(LinkedIdentity {
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

/// A person as a connection has just described them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdentityClaim<'a> {
    pub(crate) connection_id: &'a ConnectionId,
    pub(crate) subject: &'a str,
    pub(crate) attributes: &'a Map<String, Value>,
}

/// Links a user to an identity, or updates the identity.
pub(crate) async fn remember(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    seen: IdentityClaim<'_>,
    user_id: &UserId,
) -> Result<(), Error> {
    let attributes = json(seen.attributes);
    let remembered = tx
        .exec(
            "INSERT INTO identities (connection_id, subject, user_id, attributes, created_at, last_login_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (connection_id, subject)
         DO UPDATE SET attributes = excluded.attributes, last_login_at = excluded.last_login_at
          WHERE identities.user_id = excluded.user_id",
            p![
                seen.connection_id,
                seen.subject,
                user_id,
                &attributes,
                at.now.as_micros()
            ],
        )
        .await?;
    if remembered == 0 {
        // Another person got this subject meanwhile.
        return Err(tx.begin_anew().into());
    }
    Ok(())
}
