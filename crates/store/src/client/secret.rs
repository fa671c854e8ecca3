//! Secrets of confidential clients: at most two at a time, to change one without an outage.

use genkan_db::{Row, Tx, p};

use super::find;
use crate::event::{self, Entry, Kind};
use crate::row::Columns;
use crate::{ClientId, Error, SecretHash, SecretId, Stamp, Timestamp, conflict, environment};

/// How many secrets of a client may be valid at once: the old and the new one.
pub const MAX_ACTIVE_SECRETS: usize = 2;

/// A secret of a client; the value itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    pub id: SecretId,
    pub client_id: ClientId,
    pub hash: SecretHash,
    /// The last four characters, by which people tell secrets apart.
    pub suffix: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl ClientSecret {
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// Reads the secret after the 17 columns of its client; a client without secrets joins NULL.
pub(super) fn read_joined(row: &Row, client_id: &ClientId) -> Result<Option<ClientSecret>, Error> {
    const CLIENT_COLUMNS: usize = 17;
    let mut columns = Columns::from(row, CLIENT_COLUMNS);
    let Some(id) = columns.optional_id()? else {
        return Ok(None);
    };
    read_after_id(&mut columns, id, client_id).map(Some)
}

fn read_after_id(
    columns: &mut Columns<'_>,
    id: SecretId,
    client_id: &ClientId,
) -> Result<ClientSecret, Error> {
    Ok(ClientSecret {
        id,
        client_id: client_id.clone(),
        hash: columns.hash("client_secrets.secret_hash")?,
        suffix: columns.text()?,
        created_at: columns.time()?,
        expires_at: columns.optional_time()?,
    })
}

/// Gives a client a secret.
///
/// # Errors
///
/// - [`Error::Stale`] if there is no such client.
/// - [`conflict::PUBLIC_CLIENT`] if it could not keep the secret.
/// - [`conflict::CLIENT_SECRETS`] if it has [`MAX_ACTIVE_SECRETS`] already.
pub async fn add_secret(tx: &mut Tx<'_>, at: Stamp<'_>, secret: &ClientSecret) -> Result<(), Error> {
    let client = find(tx, &secret.client_id).await?.ok_or(Error::Stale)?;
    if client.is_public() {
        return Err(Error::Conflict(conflict::PUBLIC_CLIENT));
    }
    let active = secrets(tx, &secret.client_id)
        .await?
        .iter()
        .filter(|secret| secret.is_active(at.now))
        .count();
    if active >= MAX_ACTIVE_SECRETS {
        return Err(Error::Conflict(conflict::CLIENT_SECRETS));
    }
    tx.exec(
        "INSERT INTO client_secrets (id, client_id, secret_hash, suffix, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        p![
            &secret.id,
            &secret.client_id,
            &secret.hash,
            &secret.suffix,
            secret.created_at.as_micros(),
            secret.expires_at.map(Timestamp::as_micros),
        ],
    )
    .await?;
    let entry = Entry::new(Kind::ClientSecretCreated).client(&secret.client_id);
    event::record(tx, at, entry.with("secret_id", secret.id.as_str())).await?;
    environment::touch(tx).await
}

/// The secrets of a client, expired ones too, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn secrets(tx: &mut Tx<'_>, client_id: &ClientId) -> Result<Vec<ClientSecret>, Error> {
    let rows = tx
        .all(
            "SELECT id, secret_hash, suffix, created_at, expires_at FROM client_secrets
              WHERE client_id = $1 ORDER BY id",
            p![client_id],
        )
        .await?;
    let read = |row| {
        let mut columns = Columns::of(row);
        let id = columns.id()?;
        read_after_id(&mut columns, id, client_id)
    };
    rows.iter().map(read).collect()
}

/// Deletes a secret; it is refused from now on. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete_secret(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    client_id: &ClientId,
    id: &SecretId,
) -> Result<bool, Error> {
    if tx
        .exec(
            "DELETE FROM client_secrets WHERE id = $1 AND client_id = $2",
            p![id, client_id],
        )
        .await?
        == 0
    {
        return Ok(false);
    }
    let entry = Entry::new(Kind::ClientSecretDeleted).client(client_id);
    event::record(tx, at, entry.with("secret_id", id.as_str())).await?;
    environment::touch(tx).await?;
    Ok(true)
}
