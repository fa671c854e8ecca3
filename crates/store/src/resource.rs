//! Resources: servers for which applications and programs request tokens.
//!
//! Source: RFC 8707, RFC 9728.

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use genkan_protocol::oauth::Scope;
use serde::{Deserialize, Serialize};

use crate::event::{self, Entry};
use crate::page::page_rows;
use crate::row::{Columns, json, words};
use crate::{Error, Page, ResourceId, Stamp, Timestamp, environment};

words! {
    /// The kind of resource.
    pub enum Kind {
        Web = "WEB",
        Mobile = "MOBILE",
        Desktop = "DESKTOP",
        Server = "SERVER",
        McpServer = "MCP_SERVER",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub id: ResourceId,
    pub kind: Kind,
    pub name: String,
    pub settings: Settings,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The settings of a resource. No query reads into them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub description: String,
    /// Its address.
    pub resource_uri: String,
    /// The audience of its tokens, if it is not the address.
    pub audience: String,
    pub logo_uri: String,
    pub provider: String,
    /// The scope that its clients may request.
    pub scope: Scope,
    pub access_token_lifetime: Option<Duration>,
    pub refresh_token_lifetime: Option<Duration>,
    pub disable_dynamic_client_registration: bool,
    pub intersect_scopes_user_permission: bool,
    pub enable_cimd: bool,
    pub xaa_enabled: bool,
    pub cimd_client_allowlist_enabled: bool,
    pub cimd_client_allowlist: Vec<AllowedClient>,
    pub resource_scope_selection_allowed: bool,
}

/// A client that may register itself by its own metadata document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedClient {
    /// `PREDEFINED` or `URL`.
    pub kind: String,
    pub value: String,
}

impl Resource {
    /// The audience of its clients' tokens, unless a client has its own.
    pub fn audience(&self) -> &str {
        let settings = &self.settings;
        [&settings.audience, &settings.resource_uri]
            .into_iter()
            .find(|text| !text.is_empty())
            .map_or(self.id.as_str(), String::as_str)
    }
}

macro_rules! columns {
    () => {
        "id, kind, name, settings, created_at, updated_at"
    };
}

fn read(row: &Row) -> Result<Resource, Error> {
    let mut columns = Columns::of(row);
    Ok(Resource {
        id: columns.id()?,
        kind: columns.parsed("resources.kind", str::parse)?,
        name: columns.text()?,
        settings: columns.json("resources.settings")?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

fn entry(kind: event::Kind, id: &ResourceId) -> Entry<'static> {
    Entry::new(kind).with("resource_id", id.as_str())
}

/// Adds a resource.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, resource: &Resource) -> Result<(), Error> {
    let settings = json(&resource.settings);
    tx.exec(
        "INSERT INTO resources (id, kind, name, settings, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)",
        p![
            &resource.id,
            resource.kind.as_str(),
            &resource.name,
            &settings,
            resource.created_at.as_micros(),
            resource.updated_at.as_micros(),
        ],
    )
    .await?;
    event::record(tx, at, entry(event::Kind::ResourceCreated, &resource.id)).await
}

/// Finds a resource.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &ResourceId) -> Result<Option<Resource>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM resources WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Lists the resources of a kind, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, kind: Kind, page: &Page<ResourceId>) -> Result<Vec<Resource>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM resources WHERE kind = $3"),
        [kind.as_str()]
    );
    rows.iter().map(read).collect()
}

/// The number of resources of a kind, counted up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, kind: Kind, limit: i64) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*) FROM (SELECT 1 FROM resources WHERE kind = $1 LIMIT $2) AS rows",
            p![kind.as_str(), limit],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// Replaces the name and the settings.
///
/// # Errors
///
/// [`Error::Stale`] if it was deleted, or changed since it was read.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, resource: &Resource) -> Result<(), Error> {
    let settings = json(&resource.settings);
    let changed = tx
        .exec(
            "UPDATE resources SET name = $2, settings = $3, updated_at = $4 WHERE id = $1 AND updated_at = $5",
            p![
                &resource.id,
                &resource.name,
                &settings,
                at.after(resource.updated_at).as_micros(),
                resource.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    event::record(tx, at, entry(event::Kind::ResourceUpdated, &resource.id)).await?;
    environment::touch(tx).await
}

/// Deletes a resource with its clients. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &ResourceId) -> Result<bool, Error> {
    if tx.exec("DELETE FROM resources WHERE id = $1", p![id]).await? == 0 {
        return Ok(false);
    }
    event::record(tx, at, entry(event::Kind::ResourceDeleted, id)).await?;
    environment::touch(tx).await?;
    Ok(true)
}
