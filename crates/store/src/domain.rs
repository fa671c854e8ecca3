//! Domains of organizations: who may vouch for which e-mail addresses.

use genkan_db::{Row, Tx, p};
use genkan_protocol::Domain as DomainName;

use crate::event::{self, Entry};
use crate::row::{Columns, words};
use crate::{DomainId, Error, OrganizationId, Stamp, Timestamp, conflict, environment};

words! {
    /// What a domain is for.
    pub enum Kind {
        /// Routes its e-mail addresses to the organization's connection and lets
        /// that connection vouch for them. One organization at most has it.
        OrganizationDomain = "ORGANIZATION_DOMAIN",
        /// People with such an address may join by themselves.
        AllowedEmailDomain = "ALLOWED_EMAIL_DOMAIN",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub id: DomainId,
    pub organization_id: OrganizationId,
    pub name: DomainName,
    pub kind: Kind,
    pub created_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, organization_id, domain, kind, created_at"
    };
}

fn read(row: &Row) -> Result<Domain, Error> {
    let mut columns = Columns::of(row);
    Ok(Domain {
        id: columns.id()?,
        organization_id: columns.id()?,
        name: columns.parsed("domains.domain", DomainName::parse)?,
        kind: columns.parsed("domains.kind", str::parse)?,
        created_at: columns.time()?,
    })
}

/// Gives an organization a domain.
///
/// # Errors
///
/// [`conflict::DOMAIN`] if another organization has it as its
/// [`Kind::OrganizationDomain`], or this one has it already.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, domain: &Domain) -> Result<(), Error> {
    let inserted = tx
        .opt(
            "INSERT INTO domains (id, organization_id, domain, kind, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING RETURNING id",
            p![
                &domain.id,
                &domain.organization_id,
                domain.name.as_str(),
                domain.kind.as_str(),
                domain.created_at.as_micros(),
            ],
        )
        .await?;
    if inserted.is_none() {
        return Err(Error::Conflict(conflict::DOMAIN));
    }
    let entry = Entry::new(event::Kind::OrganizationDomainCreated).organization(&domain.organization_id);
    event::record(tx, at, entry.with("domain", domain.name.as_str())).await?;
    environment::touch(tx).await
}

/// The domains of an organization, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, organization_id: &OrganizationId) -> Result<Vec<Domain>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM domains WHERE organization_id = $1 ORDER BY id"
            ),
            p![organization_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Finds a domain of an organization by its identifier.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    id: &DomainId,
) -> Result<Option<Domain>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM domains WHERE id = $1 AND organization_id = $2"
            ),
            p![id, organization_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The organization that an e-mail address of this domain signs in to. A
/// sub-domain is another domain.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_organization_for(
    tx: &mut Tx<'_>,
    domain: &DomainName,
) -> Result<Option<OrganizationId>, Error> {
    let row = tx
        .opt(
            "SELECT organization_id FROM domains WHERE domain = $1 AND kind = 'ORGANIZATION_DOMAIN'",
            p![domain.as_str()],
        )
        .await?;
    row.map(|row| Columns::of(&row).id()).transpose()
}

/// Takes a domain from an organization. Says whether it had it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &DomainId,
) -> Result<bool, Error> {
    let deleted = tx
        .opt(
            "DELETE FROM domains WHERE id = $1 AND organization_id = $2 RETURNING domain",
            p![id, organization_id],
        )
        .await?;
    let Some(row) = deleted else { return Ok(false) };
    let name = Columns::of(&row).text()?;
    let entry = Entry::new(event::Kind::OrganizationDomainDeleted).organization(organization_id);
    event::record(tx, at, entry.with("domain", name)).await?;
    environment::touch(tx).await?;
    Ok(true)
}
