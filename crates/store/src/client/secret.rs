//! Secrets of confidential clients. A client may have a few, so that it can change one without an outage.

use std::collections::HashMap;

use genkan_db::{Row, Tx, p};

use super::{Client, Owner, find, row};
use crate::event::{self, Kind};
use crate::row::Columns;
use crate::{ClientId, Error, Secret, SecretHash, SecretId, Stamp, Timestamp, conflict, environment};

/// How many secrets of an application may be valid at once: the old one and the new one.
pub const MAX_ACTIVE_SECRETS: usize = 2;

/// How many secrets a machine client may have, because several programs may share its identifier.
pub const MAX_MACHINE_SECRETS: usize = 5;

/// A secret of a client. Its value is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    pub id: SecretId,
    pub client_id: ClientId,
    pub hash: SecretHash,
    /// The last four characters, by which people tell secrets apart.
    pub suffix: String,
    /// Refused until it is enabled again.
    pub disabled: bool,
    /// The client that created it by the API. `None` for the command line.
    pub created_by: Option<ClientId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The last time that it fetched a token. It is written with a delay of up to one minute.
    pub last_used_at: Option<Timestamp>,
}

impl ClientSecret {
    /// The stored part of a new secret.
    pub fn new(at: Stamp<'_>, client_id: &ClientId, secret: &Secret, expires_at: Option<Timestamp>) -> Self {
        Self {
            id: at.id(),
            client_id: client_id.clone(),
            hash: secret.sha256(),
            suffix: secret.suffix().to_owned(),
            disabled: false,
            created_by: None,
            created_at: at.now,
            updated_at: at.now,
            expires_at,
            last_used_at: None,
        }
    }

    /// Whether the secret authenticates the client at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        !self.disabled && !self.is_expired(now)
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

macro_rules! columns {
    () => {
        "s.id, s.client_id, s.secret_hash, s.suffix, s.disabled, s.created_by, s.created_at, s.updated_at,
         s.expires_at, s.last_used_at"
    };
}

macro_rules! secrets_between {
    ($owner:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM client_secrets s JOIN clients c ON c.id = s.client_id WHERE c.id BETWEEN $1 AND $2 AND ",
            $owner,
            " ORDER BY s.id"
        )
    };
}

/// Finds a client and its secrets, expired ones too, in one round trip.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_with_secrets(
    tx: &mut Tx<'_>,
    id: &ClientId,
) -> Result<Option<(Client, Vec<ClientSecret>)>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                row::columns!(),
                ", ",
                columns!(),
                " FROM clients c LEFT JOIN client_secrets s ON s.client_id = c.id
                WHERE c.id = $1 ORDER BY s.id"
            ),
            p![id],
        )
        .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let client = row::read(first)?;
    let secrets = rows.iter().filter_map(|row| read_joined(row).transpose());
    Ok(Some((client, secrets.collect::<Result<_, _>>()?)))
}

/// Reads the secret after the columns of its client; a client without secrets joins NULL.
fn read_joined(row: &Row) -> Result<Option<ClientSecret>, Error> {
    let mut columns = Columns::from(row, row::COLUMNS);
    let Some(id) = columns.optional_id()? else {
        return Ok(None);
    };
    read_after_id(&mut columns, id).map(Some)
}

fn read(row: &Row) -> Result<ClientSecret, Error> {
    let mut columns = Columns::of(row);
    let id = columns.id()?;
    read_after_id(&mut columns, id)
}

fn read_after_id(columns: &mut Columns<'_>, id: SecretId) -> Result<ClientSecret, Error> {
    Ok(ClientSecret {
        id,
        client_id: columns.id()?,
        hash: columns.hash("client_secrets.secret_hash")?,
        suffix: columns.text()?,
        disabled: columns.bool()?,
        created_by: columns.optional_id()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        expires_at: columns.optional_time()?,
        last_used_at: columns.optional_time()?,
    })
}

/// Gives a client a secret.
///
/// # Errors
///
/// - [`Error::Stale`] if there is no such client.
/// - [`conflict::PUBLIC_CLIENT`] if it could not keep the secret.
/// - [`conflict::CLIENT_SECRETS`] if it has [`Client::max_secrets`] already.
pub async fn add_secret(tx: &mut Tx<'_>, at: Stamp<'_>, secret: &ClientSecret) -> Result<(), Error> {
    let client = find(tx, &secret.client_id).await?.ok_or(Error::Stale)?;
    if client.is_public() {
        return Err(Error::Conflict(conflict::PUBLIC_CLIENT));
    }
    // A disabled one can be enabled again, so it counts.
    let held = secrets(tx, &secret.client_id)
        .await?
        .iter()
        .filter(|secret| !secret.is_expired(at.now))
        .count();
    if held >= client.max_secrets() {
        return Err(Error::Conflict(conflict::CLIENT_SECRETS));
    }
    tx.exec(
        "INSERT INTO client_secrets (id, client_id, secret_hash, suffix, disabled, created_by, created_at,
            updated_at, expires_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        p![
            &secret.id,
            &secret.client_id,
            &secret.hash,
            &secret.suffix,
            secret.disabled,
            secret.created_by.as_ref(),
            secret.created_at.as_micros(),
            secret.updated_at.as_micros(),
            secret.expires_at.map(Timestamp::as_micros),
            secret.last_used_at.map(Timestamp::as_micros),
        ],
    )
    .await?;
    changed(tx, at, Kind::ClientSecretCreated, &client, &secret.id).await
}

/// Records the event and tells the caches that a secret was changed.
async fn changed(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    kind: Kind,
    client: &Client,
    id: &SecretId,
) -> Result<(), Error> {
    let entry = row::entry(kind, client).with("secret_id", id.as_str());
    event::record(tx, at, entry).await?;
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
            concat!(
                "SELECT ",
                columns!(),
                " FROM client_secrets s WHERE s.client_id = $1 ORDER BY s.id"
            ),
            p![client_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// The secrets of some clients of one owner, in one round trip.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn secrets_of(
    tx: &mut Tx<'_>,
    owner: &Owner,
    clients: &[Client],
) -> Result<HashMap<ClientId, Vec<ClientSecret>>, Error> {
    let ids = || clients.iter().map(|client| &client.id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else {
        return Ok(HashMap::new());
    };
    let sql = match owner {
        Owner::Environment => {
            secrets_between!("c.organization_id IS NULL AND c.resource_id IS NULL AND $3 = ''")
        }
        Owner::Organization(_) => secrets_between!("c.organization_id = $3"),
        Owner::Resource(_) => secrets_between!("c.resource_id = $3"),
    };
    let owner_id = match owner {
        Owner::Environment => "",
        Owner::Organization(id) => id.as_str(),
        Owner::Resource(id) => id.as_str(),
    };
    let rows = tx.all(sql, p![first, last, owner_id]).await?;
    let mut found: HashMap<ClientId, Vec<ClientSecret>> = HashMap::new();
    for row in &rows {
        let secret = read(row)?;
        found.entry(secret.client_id.clone()).or_default().push(secret);
    }
    Ok(found)
}

/// Disables or enables a secret. A disabled secret is refused at once. `None` if the client has no such
/// secret.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_secret_disabled(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    client: &Client,
    id: &SecretId,
    disabled: bool,
) -> Result<Option<ClientSecret>, Error> {
    let row = tx
        .opt(
            "UPDATE client_secrets SET disabled = $3, updated_at = $4 WHERE id = $1 AND client_id = $2
             RETURNING id, client_id, secret_hash, suffix, disabled, created_by, created_at, updated_at,
                expires_at, last_used_at",
            p![id, &client.id, disabled, at.now.as_micros()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let secret = read(&row)?;
    changed(tx, at, Kind::ClientSecretUpdated, client, id).await?;
    Ok(Some(secret))
}

/// Deletes a secret, which is refused from now on. Says whether there was one.
///
/// # Errors
///
/// [`conflict::LAST_CLIENT_SECRET`] if a machine client would have none left. Delete the client instead.
pub async fn delete_secret(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    client_id: &ClientId,
    id: &SecretId,
) -> Result<bool, Error> {
    let Some(client) = find(tx, client_id).await? else {
        return Ok(false);
    };
    let known = secrets(tx, client_id).await?;
    if !known.iter().any(|secret| secret.id == *id) {
        return Ok(false);
    }
    if client.is_machine() && known.len() == 1 {
        return Err(Error::Conflict(conflict::LAST_CLIENT_SECRET));
    }
    tx.exec(
        "DELETE FROM client_secrets WHERE id = $1 AND client_id = $2",
        p![id, client_id],
    )
    .await?;
    changed(tx, at, Kind::ClientSecretDeleted, &client, id).await?;
    Ok(true)
}

/// Stores when secrets were last used. No cache holds this, so none is told.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn secrets_used(tx: &mut Tx<'_>, used: &HashMap<SecretId, Timestamp>) -> Result<(), Error> {
    for (id, at) in used {
        tx.exec(
            "UPDATE client_secrets SET last_used_at = $2
              WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
            p![id, at.as_micros()],
        )
        .await?;
    }
    Ok(())
}
