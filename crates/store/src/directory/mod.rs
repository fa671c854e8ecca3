//! Directories: the source of an organization's people and groups.
//!
//! A company's directory server writes them here by SCIM. This file holds the directory itself, [`secret`]
//! its credentials, and [`user`] and [`group`] what it has sent.

pub mod group;
pub mod secret;
pub mod user;

use genkan_db::{Row, Tx, p};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::shape::{self, directory_columns};
use crate::event::{self, Entry, Object};
use crate::row::{Columns, json, words};
use crate::{DirectoryId, Error, OrganizationId, Provider, Stamp, Timestamp, conflict};

words! {
    /// The protocol of the directory.
    pub enum Kind {
        Scim = "SCIM",
    }
}

words! {
    /// The progress of setting it up.
    pub enum Status {
        /// It has no secret yet.
        Draft = "DRAFT",
        /// It has a secret, and has sent nothing.
        InProgress = "IN_PROGRESS",
        /// It has sent people or groups.
        Completed = "COMPLETED",
    }
}

/// From an attribute of the directory to one of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeMapping {
    pub key: String,
    pub map_to: String,
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub id: DirectoryId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub kind: Kind,
    /// `None`: any other provider.
    pub provider: Option<Provider>,
    pub status: Status,
    pub enabled: bool,
    pub attribute_mapping: Vec<AttributeMapping>,
    /// The last time that people or groups came.
    pub last_synced_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Directory {
    /// A new directory. It is enabled, but without a secret nobody can write to it.
    pub fn new(at: Stamp<'_>, organization_id: OrganizationId, provider: Option<Provider>) -> Self {
        Self {
            id: at.id(),
            organization_id,
            name: provider
                .and_then(Provider::directory_title)
                .unwrap_or("SCIM directory")
                .to_owned(),
            kind: Kind::Scim,
            provider,
            status: Status::Draft,
            enabled: true,
            attribute_mapping: Vec::new(),
            last_synced_at: None,
            created_at: at.now,
            updated_at: at.now,
        }
    }
}

macro_rules! columns {
    () => {
        "id, organization_id, name, kind, provider, status, enabled, attribute_mapping, last_synced_at,
         created_at, updated_at"
    };
}

fn read(row: &Row) -> Result<Directory, Error> {
    let mut columns = Columns::of(row);
    Ok(Directory {
        id: columns.id()?,
        organization_id: columns.id()?,
        name: columns.text()?,
        kind: columns.parsed("directories.kind", str::parse)?,
        provider: columns
            .optional_text()?
            .map(|word| word.parse())
            .transpose()
            .map_err(|_| Error::Corrupt("directories.provider"))?,
        status: columns.parsed("directories.status", str::parse)?,
        enabled: columns.bool()?,
        attribute_mapping: columns.json("directories.attribute_mapping")?,
        last_synced_at: columns.optional_time()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// An event about a directory of an organization.
fn entry<'a>(kind: event::Kind, organization_id: &'a OrganizationId, id: &'a DirectoryId) -> Entry<'a> {
    Entry::new(kind).organization(organization_id).directory(id)
}

/// Adds a directory.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, directory: &Directory) -> Result<(), Error> {
    let row = tx
        .opt(
            concat!(
                "INSERT INTO directories (id, organization_id, name, kind, provider, status, enabled,
            attribute_mapping, context, last_synced_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '{}', $9, $10, $11) RETURNING ",
                directory_columns!()
            ),
            p![
                &directory.id,
                &directory.organization_id,
                &directory.name,
                directory.kind.as_str(),
                directory.provider.map(Provider::as_str),
                directory.status.as_str(),
                directory.enabled,
                &json(&directory.attribute_mapping),
                directory.last_synced_at.map(Timestamp::as_micros),
                directory.created_at.as_micros(),
                directory.updated_at.as_micros(),
            ],
        )
        .await?
        .ok_or(Error::Stale)?;
    let kind = event::Kind::DirectoryCreated;
    event::record(tx, at, entry(kind, &directory.organization_id, &directory.id)).await?;
    if directory.enabled {
        let kind = event::Kind::OrganizationDirectoryEnabled;
        let entry = entry(kind, &directory.organization_id, &directory.id);
        event::record(tx, at, entry.object(read_object(&row)?)).await?;
    }
    Ok(())
}

/// The object for an event, from a row of [`directory_columns`].
fn read_object(row: &Row) -> Result<Object, Error> {
    Ok(Object::of(&shape::Directory::read(&mut Columns::of(row))?))
}

/// Finds a directory of an organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    id: &DirectoryId,
) -> Result<Option<Directory>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM directories WHERE id = $1 AND organization_id = $2"
            ),
            p![id, organization_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds a directory of any organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_id(tx: &mut Tx<'_>, id: &DirectoryId) -> Result<Option<Directory>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM directories WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The directories of an organization, oldest first. The first one is its primary directory.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, organization_id: &OrganizationId) -> Result<Vec<Directory>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM directories WHERE organization_id = $1 ORDER BY id"
            ),
            p![organization_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Replaces name, provider, status and attribute mapping.
///
/// # Errors
///
/// [`Error::Stale`] if it was deleted, or changed since it was read.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, directory: &Directory) -> Result<(), Error> {
    let updated = tx
        .exec(
            "UPDATE directories SET name = $3, provider = $4, status = $5, attribute_mapping = $6, updated_at = $7
              WHERE id = $1 AND organization_id = $2 AND updated_at = $8",
            p![
                &directory.id,
                &directory.organization_id,
                &directory.name,
                directory.provider.map(Provider::as_str),
                directory.status.as_str(),
                &json(&directory.attribute_mapping),
                at.after(directory.updated_at).as_micros(),
                directory.updated_at.as_micros(),
            ],
        )
        .await?;
    if updated == 0 {
        return Err(Error::Stale);
    }
    let kind = event::Kind::DirectoryUpdated;
    event::record(tx, at, entry(kind, &directory.organization_id, &directory.id)).await
}

/// Enables or disables a directory. A disabled one accepts nothing. Says whether that changed anything, or
/// `None` if the organization has no such directory.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_enabled(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &DirectoryId,
    enabled: bool,
) -> Result<Option<bool>, Error> {
    let Some(directory) = find(tx, organization_id, id).await? else {
        return Ok(None);
    };
    if directory.enabled == enabled {
        return Ok(Some(false));
    }
    let row = tx
        .opt(
            concat!(
                "UPDATE directories SET enabled = $2, updated_at = $3 WHERE id = $1 RETURNING ",
                directory_columns!()
            ),
            p![id, enabled, at.after(directory.updated_at).as_micros()],
        )
        .await?
        .ok_or(Error::Stale)?;
    let kind = if enabled {
        event::Kind::OrganizationDirectoryEnabled
    } else {
        event::Kind::OrganizationDirectoryDisabled
    };
    let entry = entry(kind, organization_id, id);
    event::record(tx, at, entry.object(read_object(&row)?)).await?;
    Ok(Some(true))
}

/// Deletes a directory with its secrets, users and groups. Says whether there was one.
///
/// # Errors
///
/// [`conflict::DIRECTORY_ENABLED`] if it was not disabled first. Otherwise what it provisioned would stay
/// without being noticed.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &DirectoryId,
) -> Result<bool, Error> {
    let Some(directory) = find(tx, organization_id, id).await? else {
        return Ok(false);
    };
    if directory.enabled {
        return Err(Error::Conflict(conflict::DIRECTORY_ENABLED));
    }
    tx.exec("DELETE FROM directories WHERE id = $1", p![id]).await?;
    let kind = event::Kind::DirectoryDeleted;
    event::record(tx, at, entry(kind, organization_id, id)).await?;
    Ok(true)
}

/// The numbers of users and groups that a directory has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub users: u64,
    pub groups: u64,
    pub user_updated_at: Option<Timestamp>,
    pub group_updated_at: Option<Timestamp>,
}

/// Counts what a directory has sent.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn stats(tx: &mut Tx<'_>, id: &DirectoryId) -> Result<Stats, Error> {
    let row = tx
        .opt(
            "SELECT (SELECT COUNT(*) FROM directory_users WHERE directory_id = $1),
                    (SELECT COUNT(*) FROM directory_groups WHERE directory_id = $1),
                    (SELECT MAX(updated_at) FROM directory_users WHERE directory_id = $1),
                    (SELECT MAX(updated_at) FROM directory_groups WHERE directory_id = $1)",
            p![id],
        )
        .await?
        .ok_or(Error::Stale)?;
    let mut columns = Columns::of(&row);
    Ok(Stats {
        users: u64::try_from(columns.int()?).unwrap_or(0),
        groups: u64::try_from(columns.int()?).unwrap_or(0),
        user_updated_at: columns.optional_time()?,
        group_updated_at: columns.optional_time()?,
    })
}

/// Notes that the directory has sent something.
async fn synced(tx: &mut Tx<'_>, at: Stamp<'_>, id: &DirectoryId) -> Result<(), Error> {
    let updated = tx
        .exec(
            "UPDATE directories SET last_synced_at = $2, status = 'COMPLETED' WHERE id = $1",
            p![id, at.now.as_micros()],
        )
        .await?;
    if updated == 0 { Err(Error::Stale) } else { Ok(()) }
}

/// Data that the application stores with a directory. Genkan does not read it.
///
/// # Errors
///
/// [`Error::Stale`] if the organization has no such directory.
pub async fn context(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    id: &DirectoryId,
) -> Result<Map<String, Value>, Error> {
    let row = tx
        .opt(
            "SELECT context FROM directories WHERE id = $1 AND organization_id = $2",
            p![id, organization_id],
        )
        .await?
        .ok_or(Error::Stale)?;
    Columns::of(&row).json("directories.context")
}

/// Replaces the data that the application stores with a directory.
///
/// # Errors
///
/// [`Error::Stale`] if the organization has no such directory.
pub async fn set_context(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &DirectoryId,
    context: &Map<String, Value>,
) -> Result<(), Error> {
    let updated = tx
        .exec(
            "UPDATE directories SET context = $3 WHERE id = $1 AND organization_id = $2",
            p![id, organization_id, &json(context)],
        )
        .await?;
    if updated == 0 {
        return Err(Error::Stale);
    }
    let kind = event::Kind::DirectoryUpdated;
    event::record(tx, at, entry(kind, organization_id, id)).await
}
