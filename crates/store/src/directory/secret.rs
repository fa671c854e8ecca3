//! Secrets of directory servers. A directory may have two, so that it can change one without an outage.

use genkan_db::{Tx, p};

use super::{Directory, Status, entry};
use crate::row::Columns;
use crate::{DirectoryId, DirectorySecretId, Error, Secret, SecretHash, Stamp, Timestamp, conflict, event};

/// How many secrets a directory may have at once: the old one and the new one.
pub const MAX_SECRETS: usize = 2;

/// People and scanners recognise a leaked secret by it.
const PREFIX: &str = "dirsec_";

/// A secret of a directory. Its value is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySecret {
    pub id: DirectorySecretId,
    pub directory_id: DirectoryId,
    /// The last four characters, by which people tell secrets apart.
    pub suffix: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// Adds a new secret to a directory. Its value is shown only now.
///
/// # Errors
///
/// [`conflict::DIRECTORY_SECRETS`] if it has [`MAX_SECRETS`] already.
pub async fn create(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
) -> Result<(DirectorySecret, Secret), Error> {
    if list(tx, &directory.id).await?.len() >= MAX_SECRETS {
        return Err(Error::Conflict(conflict::DIRECTORY_SECRETS));
    }
    let value = Secret::generate_with_prefix(PREFIX);
    let secret = DirectorySecret {
        id: at.id(),
        directory_id: directory.id.clone(),
        suffix: value.suffix().to_owned(),
        created_at: at.now,
        last_used_at: None,
    };
    tx.exec(
        "INSERT INTO directory_secrets (id, directory_id, secret_hash, suffix, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        p![
            &secret.id,
            &secret.directory_id,
            &value.sha256(),
            &secret.suffix,
            secret.created_at.as_micros(),
        ],
    )
    .await?;
    if directory.status == Status::Draft {
        tx.exec(
            "UPDATE directories SET status = 'IN_PROGRESS' WHERE id = $1 AND status = 'DRAFT'",
            p![&directory.id],
        )
        .await?;
    }
    let entry = entry(
        event::Kind::DirectorySecretCreated,
        &directory.organization_id,
        &directory.id,
    );
    event::record(tx, at, entry.with("secret_id", secret.id.as_str())).await?;
    Ok((secret, value))
}

/// Replaces all secrets of a directory by a new one. The old ones are refused from now on.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn regenerate(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
) -> Result<(DirectorySecret, Secret), Error> {
    for secret in list(tx, &directory.id).await? {
        tx.exec("DELETE FROM directory_secrets WHERE id = $1", p![&secret.id])
            .await?;
        let entry = entry(
            event::Kind::DirectorySecretDeleted,
            &directory.organization_id,
            &directory.id,
        );
        event::record(tx, at, entry.with("secret_id", secret.id.as_str())).await?;
    }
    create(tx, at, directory).await
}

/// The secrets of a directory, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, directory_id: &DirectoryId) -> Result<Vec<DirectorySecret>, Error> {
    let rows = tx
        .all(
            "SELECT id, suffix, created_at, last_used_at FROM directory_secrets
              WHERE directory_id = $1 ORDER BY id",
            p![directory_id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(DirectorySecret {
                id: columns.id()?,
                directory_id: directory_id.clone(),
                suffix: columns.text()?,
                created_at: columns.time()?,
                last_used_at: columns.optional_time()?,
            })
        })
        .collect()
}

/// The precision of the last use, so that a busy directory does not write at every request.
const LAST_USED_STEP: std::time::Duration = std::time::Duration::from_mins(1);

/// Whether `presented` is a secret of an enabled directory. Notes the use.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn verify(
    tx: &mut Tx<'_>,
    now: Timestamp,
    directory_id: &DirectoryId,
    presented: &SecretHash,
) -> Result<bool, Error> {
    let rows = tx
        .all(
            "SELECT s.id, s.secret_hash, s.last_used_at FROM directory_secrets s
               JOIN directories d ON d.id = s.directory_id
              WHERE s.directory_id = $1 AND d.enabled",
            p![directory_id],
        )
        .await?;
    for row in &rows {
        let mut columns = Columns::of(row);
        let id: DirectorySecretId = columns.id()?;
        if columns.hash("directory_secrets.secret_hash")? != *presented {
            continue;
        }
        if columns
            .optional_time()?
            .is_none_or(|used| used + LAST_USED_STEP <= now)
        {
            tx.exec(
                "UPDATE directory_secrets SET last_used_at = $2 WHERE id = $1",
                p![&id, now.as_micros()],
            )
            .await?;
        }
        return Ok(true);
    }
    Ok(false)
}
