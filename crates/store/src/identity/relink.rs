//! Permissions to link another subject to a user whom the connection knows already.
//!
//! If an address lapsed or was given to another person, it comes with another subject, and the new owner
//! must not inherit the account. If a provider has renumbered its people, an operator allows the new
//! subjects, once for each person.

use std::time::Duration;

use genkan_db::{Tx, p};

use crate::event::{self, Entry, Kind};
use crate::row::Columns;
use crate::{ConnectionId, Error, OrganizationId, RelinkPermissionId, Stamp, Timestamp, UserId};

/// How long a permission is valid.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Allows one user of a connection, or all users whom it knows, to come with another subject within
/// [`LIFETIME`], each once.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such connection or user.
pub async fn allow(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection_id: &ConnectionId,
    user_id: Option<&UserId>,
) -> Result<RelinkPermissionId, Error> {
    let connection = tx
        .opt(
            "SELECT organization_id FROM connections WHERE id = $1",
            p![connection_id],
        )
        .await?
        .ok_or(Error::Stale)?;
    let organization_id: Option<OrganizationId> = Columns::of(&connection).optional_id()?;
    if let Some(user_id) = user_id {
        let known = tx.opt("SELECT id FROM users WHERE id = $1", p![user_id]).await?;
        known.ok_or(Error::Stale)?;
    }
    let id: RelinkPermissionId = at.id();
    tx.exec(
        "INSERT INTO relink_permissions (id, connection_id, user_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        p![
            &id,
            connection_id,
            user_id,
            at.now.as_micros(),
            (at.now + LIFETIME).as_micros()
        ],
    )
    .await?;
    let entry = Entry::new(Kind::ConnectionRelinkAllowed)
        .organization(organization_id.as_ref())
        .user(user_id)
        .connection(connection_id)
        .with("permission_id", id.as_str());
    event::record(tx, at, entry).await?;
    Ok(id)
}

/// The subjects of a user at a connection, the oldest first.
pub(crate) async fn subjects(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    user_id: &UserId,
) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT subject FROM identities WHERE connection_id = $1 AND user_id = $2 ORDER BY created_at, subject",
            p![connection_id, user_id],
        )
        .await?;
    rows.iter().map(|row| Columns::of(row).text()).collect()
}

/// Whether [`use_permission`] would find one.
pub(crate) async fn is_permitted(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    user_id: &UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let found = tx
        .opt(
            "SELECT p.id FROM relink_permissions p
              WHERE p.connection_id = $1 AND (p.user_id IS NULL OR p.user_id = $2) AND p.expires_at > $3
                AND NOT EXISTS (SELECT 1 FROM relink_uses u WHERE u.permission_id = p.id AND u.user_id = $2)
              LIMIT 1",
            p![connection_id, user_id, now.as_micros()],
        )
        .await?;
    Ok(found.is_some())
}

/// Uses a permission, if there is one that this person has not used. Finding and using it are one
/// statement, so if several come at once, one succeeds. The former subjects are forgotten.
pub(crate) async fn use_permission(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection_id: &ConnectionId,
    user_id: &UserId,
) -> Result<Option<RelinkPermissionId>, Error> {
    let used = tx
        .opt(
            "INSERT INTO relink_uses (permission_id, user_id, used_at)
             SELECT p.id, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM relink_permissions p
              WHERE p.connection_id = $1 AND (p.user_id IS NULL OR p.user_id = $2) AND p.expires_at > $3
                AND NOT EXISTS (SELECT 1 FROM relink_uses u WHERE u.permission_id = p.id AND u.user_id = $2)
              ORDER BY p.expires_at, p.id LIMIT 1
             ON CONFLICT DO NOTHING RETURNING permission_id",
            p![connection_id, user_id, at.now.as_micros()],
        )
        .await?;
    let Some(row) = used else { return Ok(None) };
    tx.exec(
        "DELETE FROM identities WHERE connection_id = $1 AND user_id = $2",
        p![connection_id, user_id],
    )
    .await?;
    Columns::of(&row).id().map(Some)
}
