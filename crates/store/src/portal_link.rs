//! Portal links: a way into the admin portal for one visit of an organization's administrator.

use std::time::Duration;

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind};
use crate::organization::Feature;
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, PortalLinkId, SecretHash, Stamp, Timestamp};

/// How long a link waits for its visitor. The application that requested it sends the visitor there at
/// once.
pub const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalLink {
    pub id: PortalLinkId,
    pub organization_id: OrganizationId,
    /// The parts of the portal that it opens. If empty, all of them.
    pub features: Vec<Feature>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, organization_id, features, created_at, expires_at, used_at"
    };
}

fn read(row: &Row) -> Result<PortalLink, Error> {
    let mut columns = Columns::of(row);
    Ok(PortalLink {
        id: columns.id()?,
        organization_id: columns.id()?,
        features: columns.json("portal_links.features")?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        used_at: columns.optional_time()?,
    })
}

/// Adds a link. `token` is the hash of the secret in its address.
///
/// # Errors
///
/// [`Error::Database`] if the database fails, also if the organization is gone.
pub async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    link: &PortalLink,
    token: &SecretHash,
) -> Result<(), Error> {
    let features = json(&link.features);
    tx.exec(
        "INSERT INTO portal_links (id, organization_id, token_hash, features, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        p![
            &link.id,
            &link.organization_id,
            token,
            &features,
            link.created_at.as_micros(),
            link.expires_at.as_micros(),
        ],
    )
    .await?;
    let entry = Entry::new(Kind::PortalLinkCreated).organization(&link.organization_id);
    event::record(tx, at, entry.with("link_id", link.id.as_str())).await
}

/// Uses a link, at most once. Check and mark are one statement, so if two visitors have one link, the
/// second gets nothing.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn redeem(tx: &mut Tx<'_>, at: Stamp<'_>, token: &SecretHash) -> Result<Option<PortalLink>, Error> {
    let row = tx
        .opt(
            concat!(
                "UPDATE portal_links SET used_at = $2
                  WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING ",
                columns!()
            ),
            p![token, at.now.as_micros()],
        )
        .await?;
    let link = row.as_ref().map(read).transpose()?;
    if let Some(link) = &link {
        let entry = Entry::new(Kind::PortalLinkUsed).organization(&link.organization_id);
        event::record(tx, at, entry.with("link_id", link.id.as_str())).await?;
    }
    Ok(link)
}

/// The links of an organization that can still be used, newest first, at most
/// [`crate::MAX_LIMIT`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_usable(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    now: Timestamp,
) -> Result<Vec<PortalLink>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM portal_links WHERE organization_id = $1 AND used_at IS NULL AND expires_at > $2
                  ORDER BY id DESC LIMIT $3"
            ),
            p![organization_id, now.as_micros(), i64::from(crate::MAX_LIMIT)],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Revokes a link of an organization, or all of them. Returns how many there were.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: Option<&PortalLinkId>,
) -> Result<u64, Error> {
    let deleted = match id {
        Some(id) => {
            tx.exec(
                "DELETE FROM portal_links WHERE organization_id = $1 AND id = $2",
                p![organization_id, id],
            )
            .await?
        }
        None => {
            tx.exec(
                "DELETE FROM portal_links WHERE organization_id = $1",
                p![organization_id],
            )
            .await?
        }
    };
    if deleted > 0 {
        let entry = Entry::new(Kind::PortalLinkDeleted).organization(organization_id);
        event::record(tx, at, entry.with("links", deleted)).await?;
    }
    Ok(deleted)
}
