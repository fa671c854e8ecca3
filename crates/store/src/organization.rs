//! Organizations: the companies whose people sign in.

use genkan_db::{Row, Tx, p};
use serde_json::{Map, Value};

use crate::event::{self, Entry, Kind};
use crate::page::page_rows;
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, Page, Stamp, Timestamp, conflict, environment, session};

#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    pub id: OrganizationId,
    pub display_name: String,
    /// What the application calls it.
    pub external_id: Option<String>,
    pub metadata: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, display_name, external_id, metadata, created_at, updated_at"
    };
}

fn read(row: &Row) -> Result<Organization, Error> {
    let mut columns = Columns::of(row);
    Ok(Organization {
        id: columns.id()?,
        display_name: columns.text()?,
        external_id: columns.optional_text()?,
        metadata: columns.json("organizations.metadata")?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Adds an organization.
///
/// # Errors
///
/// [`conflict::ORGANIZATION_EXTERNAL_ID`] if the external id is taken.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, organization: &Organization) -> Result<(), Error> {
    refuse_taken_external_id(tx, organization).await?;
    let metadata = json(&organization.metadata);
    tx.exec(
        "INSERT INTO organizations (id, display_name, external_id, metadata, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        p![
            &organization.id,
            &organization.display_name,
            organization.external_id.as_deref(),
            &metadata,
            organization.created_at.as_micros(),
            organization.updated_at.as_micros(),
        ],
    )
    .await?;
    event::record(
        tx,
        at,
        Entry::new(Kind::OrganizationCreated).organization(&organization.id),
    )
    .await?;
    environment::touch(tx).await
}

/// Asks first: then both engines name the conflict alike, and a race shows
/// itself as a serialization failure, which is tried again.
async fn refuse_taken_external_id(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), Error> {
    let Some(external_id) = &organization.external_id else {
        return Ok(());
    };
    let other = tx
        .opt(
            "SELECT id FROM organizations WHERE external_id = $1 AND id <> $2",
            p![external_id, &organization.id],
        )
        .await?;
    if other.is_some() {
        Err(Error::Conflict(conflict::ORGANIZATION_EXTERNAL_ID))
    } else {
        Ok(())
    }
}

/// Finds an organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<Option<Organization>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM organizations WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds an organization by what the application calls it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_external_id(tx: &mut Tx<'_>, external_id: &str) -> Result<Option<Organization>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM organizations WHERE external_id = $1"
            ),
            p![external_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Lists organizations, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<OrganizationId>) -> Result<Vec<Organization>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM organizations WHERE TRUE"),
        []
    );
    rows.iter().map(read).collect()
}

/// Replaces the name, the external id and the metadata.
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`conflict::ORGANIZATION_EXTERNAL_ID`] if the external id is taken.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, organization: &Organization) -> Result<(), Error> {
    refuse_taken_external_id(tx, organization).await?;
    let metadata = json(&organization.metadata);
    let changed = tx
        .exec(
            "UPDATE organizations SET display_name = $2, external_id = $3, metadata = $4, updated_at = $5
              WHERE id = $1 AND updated_at = $6",
            p![
                &organization.id,
                &organization.display_name,
                organization.external_id.as_deref(),
                &metadata,
                at.after(organization.updated_at).as_micros(),
                organization.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    event::record(
        tx,
        at,
        Entry::new(Kind::OrganizationUpdated).organization(&organization.id),
    )
    .await?;
    environment::touch(tx).await
}

/// Deletes an organization with its domains, connections and memberships, and
/// ends the sessions in it. Its users stay: they may belong to others.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &OrganizationId) -> Result<bool, Error> {
    session::end_all_for_organization(tx, at, id).await?;
    if tx.exec("DELETE FROM organizations WHERE id = $1", p![id]).await? == 0 {
        return Ok(false);
    }
    event::record(tx, at, Entry::new(Kind::OrganizationDeleted).organization(id)).await?;
    environment::touch(tx).await?;
    Ok(true)
}
