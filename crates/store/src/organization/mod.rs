//! Organizations: the companies whose people sign in.

pub mod branding;
pub mod other_ways;
mod rules;
pub mod user_limit;

use genkan_db::{Row, Tx, p};
use serde_json::{Map, Value};

use crate::any_of::{self, any_of};
use crate::event::shape::{self, organization_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::page::page_rows;
use crate::row::{Columns, json, words};
use crate::search::Words;
use crate::{Error, OrganizationId, Page, Stamp, Timestamp, conflict, environment, search, session};

pub use rules::{check, check_logo_url, check_slug};

words! {
    /// A feature that an organization's own administrators may set up in the admin portal. Sign-in does not
    /// need it: a connection that an operator made works without.
    #[derive(PartialOrd, Ord)]
    pub enum Feature {
        Sso = "sso",
        DirSync = "dir_sync",
        DomainVerification = "domain_verification",
        SessionPolicy = "session_policy",
    }
}

words! {
    /// Where the organization's data belongs, as the application says.
    pub enum Region {
        Us = "US",
        Eu = "EU",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    pub id: OrganizationId,
    pub display_name: String,
    /// The application's own identifier of it.
    pub external_id: Option<String>,
    /// A name for URLs, in the form of a host name. It is unique.
    pub slug: Option<String>,
    pub logo_url: Option<String>,
    pub region: Option<Region>,
    /// The enabled ones, in order.
    pub features: Vec<Feature>,
    pub metadata: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, display_name, external_id, slug, logo_url, region, features, metadata, created_at, updated_at"
    };
}
pub(crate) use columns;

pub(crate) fn read(row: &Row) -> Result<Organization, Error> {
    let mut columns = Columns::of(row);
    Ok(Organization {
        id: columns.id()?,
        display_name: columns.text()?,
        external_id: columns.optional_text()?,
        slug: columns.optional_text()?,
        logo_url: columns.optional_text()?,
        region: columns.optional_parsed("organizations.region", str::parse)?,
        features: columns.json("organizations.features")?,
        metadata: columns.json("organizations.metadata")?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

impl Organization {
    /// An organization with nothing but a name.
    pub fn new(id: OrganizationId, display_name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            display_name: display_name.into(),
            external_id: None,
            slug: None,
            logo_url: None,
            region: None,
            features: Vec::new(),
            metadata: Map::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Switches a feature on or off.
    pub fn set_feature(&mut self, feature: Feature, enabled: bool) {
        self.features.retain(|other| *other != feature);
        if enabled {
            self.features.push(feature);
            self.features.sort_unstable();
        }
    }
}

/// Adds an organization.
///
/// # Errors
///
/// - [`Error::Invalid`] if it breaks a rule, see [`check`].
/// - [`conflict::ORGANIZATION_EXTERNAL_ID`] or [`conflict::ORGANIZATION_SLUG`] if that is used already.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, organization: &Organization) -> Result<(), Error> {
    rules::check(organization, None)?;
    refuse_taken(tx, organization).await?;
    let (features, metadata) = (json(&organization.features), json(&organization.metadata));
    let row = tx
        .opt(
            concat!(
                "INSERT INTO organizations (id, display_name, external_id, slug, logo_url, region, features,
                metadata, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ",
                organization_columns!("")
            ),
            p![
                &organization.id,
                &organization.display_name,
                organization.external_id.as_deref(),
                organization.slug.as_deref(),
                organization.logo_url.as_deref(),
                organization.region.map(Region::as_str),
                &features,
                &metadata,
                organization.created_at.as_micros(),
                organization.updated_at.as_micros(),
            ],
        )
        .await?
        .ok_or(Error::Stale)?;
    index(tx, organization).await?;
    let entry = Entry::new(Kind::OrganizationCreated).organization(&organization.id);
    event::record(tx, at, entry.object(read_object(&row)?)).await?;
    environment::touch(tx).await
}

/// The object for an event, from a row of [`organization_columns`].
fn read_object(row: &Row) -> Result<Object, Error> {
    Ok(Object::of(&shape::Organization::read(&mut Columns::of(row))?))
}

/// Checked first. Then both engines name the conflict alike, and a race ends in a serialization failure,
/// which is tried again.
async fn refuse_taken(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), Error> {
    if let Some(external_id) = &organization.external_id {
        let other = tx
            .opt(
                "SELECT id FROM organizations WHERE external_id = $1 AND id <> $2",
                p![external_id, &organization.id],
            )
            .await?;
        if other.is_some() {
            return Err(Error::Conflict(conflict::ORGANIZATION_EXTERNAL_ID));
        }
    }
    if let Some(slug) = &organization.slug {
        let other = tx
            .opt(
                "SELECT id FROM organizations WHERE slug = $1 AND id <> $2",
                p![slug, &organization.id],
            )
            .await?;
        if other.is_some() {
            return Err(Error::Conflict(conflict::ORGANIZATION_SLUG));
        }
    }
    Ok(())
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

/// Whether there is such an organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn exists(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<bool, Error> {
    let row = tx
        .opt("SELECT 1 FROM organizations WHERE id = $1", p![id])
        .await?;
    Ok(row.is_some())
}

/// Finds an organization by the application's identifier.
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

/// Writes the words for the search.
pub(crate) async fn index(tx: &mut Tx<'_>, organization: &Organization) -> Result<(), Error> {
    search::put_organization(tx, &organization.id, words(organization)).await
}

pub(crate) fn words(organization: &Organization) -> Words {
    let mut words = Words::default();
    words.text(&organization.display_name);
    for text in [&organization.external_id, &organization.slug]
        .into_iter()
        .flatten()
    {
        words.text(text);
    }
    words
}

/// The existing ones among up to [`search::MAX_LIMIT`] organizations, in the order of `ids`. It reads the
/// hits of a search.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_each(tx: &mut Tx<'_>, ids: &[OrganizationId]) -> Result<Vec<Organization>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM organizations WHERE id IN ",
                any_of!()
            ),
            &any_of::bind(ids),
        )
        .await?;
    let found = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(any_of::in_order(ids, found, |organization| &organization.id))
}

/// Counts organizations, up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, limit: i64) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*) FROM (SELECT 1 FROM organizations LIMIT $1) AS counted",
            p![limit],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
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

/// Replaces everything but the identifier.
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`Error::Invalid`] if a changed value breaks a rule, see [`check`].
/// - [`conflict::ORGANIZATION_EXTERNAL_ID`] or [`conflict::ORGANIZATION_SLUG`] if that is used already.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, organization: &Organization) -> Result<(), Error> {
    let before = find(tx, &organization.id).await?.ok_or(Error::Stale)?;
    rules::check(organization, Some(&before))?;
    refuse_taken(tx, organization).await?;
    let (features, metadata) = (json(&organization.features), json(&organization.metadata));
    let row = tx
        .opt(
            concat!(
                "UPDATE organizations SET display_name = $2, external_id = $3, slug = $4, logo_url = $5,
                    region = $6, features = $7, metadata = $8, updated_at = $9
                  WHERE id = $1 AND updated_at = $10 RETURNING ",
                organization_columns!("")
            ),
            p![
                &organization.id,
                &organization.display_name,
                organization.external_id.as_deref(),
                organization.slug.as_deref(),
                organization.logo_url.as_deref(),
                organization.region.map(Region::as_str),
                &features,
                &metadata,
                at.after(organization.updated_at).as_micros(),
                organization.updated_at.as_micros(),
            ],
        )
        .await?
        .ok_or(Error::Stale)?;
    index(tx, organization).await?;
    let entry = Entry::new(Kind::OrganizationUpdated).organization(&organization.id);
    event::record(tx, at, entry.object(read_object(&row)?)).await?;
    environment::touch(tx).await
}

/// Deletes an organization with its domains, connections and memberships, and ends the sessions in it. Its
/// users stay, because they may belong to other organizations.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &OrganizationId) -> Result<bool, Error> {
    session::end_all_for_organization(tx, at, id).await?;
    let sql = concat!(
        "DELETE FROM organizations WHERE id = $1 RETURNING ",
        organization_columns!("")
    );
    let Some(row) = tx.opt(sql, p![id]).await? else {
        return Ok(false);
    };
    let entry = Entry::new(Kind::OrganizationDeleted).organization(id);
    event::record(tx, at, entry.object(read_object(&row)?)).await?;
    environment::touch(tx).await?;
    Ok(true)
}
