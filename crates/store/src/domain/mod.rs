//! Domains of organizations: they decide who may vouch for which e-mail addresses.

mod proof;
mod public_mail;

use genkan_db::{Row, Tx, p};
use genkan_protocol::Domain as DomainName;

use crate::event::shape::{self, domain_columns};
use crate::event::{self, Entry, Object};
use crate::row::{Columns, words};
use crate::{DomainId, Error, OrganizationId, Stamp, Timestamp, conflict, environment};

pub use proof::{Claimant, DomainProof, Owner, Proof, count_unproved, find_owner, prove, with_record};
pub use public_mail::{PublicMail, public_mail_in_force, refuse_public_mail};

words! {
    /// What a domain is for.
    pub enum Kind {
        /// Routes its e-mail addresses to the organization's connection, and lets that connection vouch for
        /// them. At most one organization owns it.
        OrganizationDomain = "ORGANIZATION_DOMAIN",
        /// People with an address in it may join by themselves.
        AllowedEmailDomain = "ALLOWED_EMAIL_DOMAIN",
    }
}

words! {
    /// Whether an organization has shown that it owns a domain.
    pub enum Status {
        /// The TXT record was not found yet. The domain routes nobody and vouches for nobody.
        Pending = "PENDING",
        Verified = "VERIFIED",
        /// The time for the TXT record is over. The domain can still be verified.
        Failed = "FAILED",
        /// There is nothing to show.
        AutoVerified = "AUTO_VERIFIED",
    }
}

words! {
    /// Who confirmed a domain.
    pub enum Method {
        /// An operator, or the application.
        Admin = "ADMIN",
        /// Its own name servers.
        Dns = "DNS",
        /// Nobody needs to.
        NotApplicable = "NOT_APPLICABLE",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub id: DomainId,
    pub organization_id: OrganizationId,
    pub name: DomainName,
    pub kind: Kind,
    pub status: Status,
    pub method: Method,
    /// The required content of the TXT record. Empty if none is required.
    pub txt_value: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None`: nothing but the word of the person who entered it.
    pub proved: Option<DomainProof>,
}

impl Domain {
    /// A domain that the person who enters it answers for, see [`Self::claimed_by`].
    pub fn new(
        id: DomainId,
        organization_id: OrganizationId,
        name: DomainName,
        kind: Kind,
        now: Timestamp,
    ) -> Self {
        let (status, method) = match kind {
            Kind::OrganizationDomain => (Status::Verified, Method::Admin),
            Kind::AllowedEmailDomain => (Status::AutoVerified, Method::NotApplicable),
        };
        Self {
            id,
            organization_id,
            name,
            kind,
            status,
            method,
            txt_value: String::new(),
            created_at: now,
            updated_at: now,
            proved: None,
        }
    }
}

macro_rules! columns {
    () => {
        "id, organization_id, domain, kind, status, method, txt_value, created_at, updated_at, proved_by, proved_at,
         proved_actor"
    };
}

fn read(row: &Row) -> Result<Domain, Error> {
    let mut columns = Columns::of(row);
    Ok(Domain {
        id: columns.id()?,
        organization_id: columns.id()?,
        name: columns.parsed("domains.domain", DomainName::parse)?,
        kind: columns.parsed("domains.kind", str::parse)?,
        status: columns.parsed("domains.status", str::parse)?,
        method: columns.parsed("domains.method", str::parse)?,
        txt_value: columns.text()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        proved: read_proved(&mut columns)?,
    })
}

fn read_proved(columns: &mut Columns<'_>) -> Result<Option<DomainProof>, Error> {
    let (by, at, actor) = (
        columns.optional_text()?,
        columns.optional_time()?,
        columns.optional_text()?,
    );
    let Some((by, at)) = by.zip(at) else {
        return Ok(None);
    };
    let by = by.parse().map_err(|_| Error::Corrupt("domains.proved_by"))?;
    Ok(Some(DomainProof { by, at, actor }))
}

/// Gives an organization a domain.
///
/// # Errors
///
/// [`conflict::DOMAIN`] if another organization owns it as [`Kind::OrganizationDomain`], or if this
/// organization has it already.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, domain: &Domain) -> Result<(), Error> {
    if domain.kind == Kind::OrganizationDomain {
        // An owner keeps a domain, also against a new claim.
        refuse_taken(tx, &domain.name).await?;
    }
    let inserted = tx
        .opt(
            concat!(
                "INSERT INTO domains (id, organization_id, domain, kind, status, method, txt_value,
                    created_at, updated_at, proved_by, proved_at, proved_actor)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                 ON CONFLICT DO NOTHING RETURNING ",
                domain_columns!()
            ),
            p![
                &domain.id,
                &domain.organization_id,
                domain.name.as_str(),
                domain.kind.as_str(),
                domain.status.as_str(),
                domain.method.as_str(),
                &domain.txt_value,
                domain.created_at.as_micros(),
                domain.updated_at.as_micros(),
                domain.proved.as_ref().map(|proved| proved.by.as_str()),
                domain.proved.as_ref().map(|proved| proved.at.as_micros()),
                domain.proved.as_ref().and_then(|proved| proved.actor.as_deref()),
            ],
        )
        .await?;
    let Some(row) = inserted else {
        return Err(Error::Conflict(conflict::DOMAIN));
    };
    record(tx, at, event::Kind::OrganizationDomainCreated, &row).await?;
    environment::touch(tx).await
}

/// Records a change of a domain, from a row of [`domain_columns`].
async fn record(tx: &mut Tx<'_>, at: Stamp<'_>, kind: event::Kind, row: &Row) -> Result<(), Error> {
    let mut named = Columns::from(row, 1);
    let (organization_id, name): (OrganizationId, String) = (named.id()?, named.text()?);
    let domain = shape::Domain::read(&mut Columns::of(row))?;
    let mut entry = Entry::new(kind)
        .organization(&organization_id)
        .with("domain", name);
    if !kind.parts().is_empty() {
        entry = entry.object(Object::of(&domain));
    }
    event::record(tx, at, entry).await
}

/// Changes what a domain is for. This counts as taking it and giving it anew under its identifier. So its
/// proof and its assignment to a connection are forgotten.
///
/// # Errors
///
/// - [`Error::Stale`] if the organization does not have it any more.
/// - [`conflict::DOMAIN`] as for [`insert`].
pub async fn set_kind(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    domain: &Domain,
    kind: Kind,
    claimant: Claimant,
) -> Result<(), Error> {
    if domain.kind == kind {
        return Ok(());
    }
    if !delete(tx, at, &domain.organization_id, &domain.id).await? {
        return Err(Error::Stale);
    }
    let (id, organization_id) = (domain.id.clone(), domain.organization_id.clone());
    let given = Domain::new(id, organization_id, domain.name.clone(), kind, at.now).claimed_by(claimant);
    let given = Domain {
        created_at: domain.created_at,
        ..given
    };
    insert(tx, at, &given).await
}

async fn refuse_taken(tx: &mut Tx<'_>, name: &DomainName) -> Result<(), Error> {
    match find_organization_for(tx, name).await? {
        Some(_) => Err(Error::Conflict(conflict::DOMAIN)),
        None => Ok(()),
    }
}

/// Gives up to `limit` domains up that have waited for their TXT record since before `since`, and counts
/// them.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn give_up_pending(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    since: Timestamp,
    limit: u32,
) -> Result<u64, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM domains WHERE status = 'PENDING' AND updated_at < $1 ORDER BY updated_at LIMIT $2"
            ),
            p![since.as_micros(), i64::from(limit)],
        )
        .await?;
    let mut given_up = 0;
    for row in &rows {
        fail(tx, at, &read(row)?).await?;
        given_up += 1;
    }
    Ok(given_up)
}

async fn fail(tx: &mut Tx<'_>, at: Stamp<'_>, domain: &Domain) -> Result<(), Error> {
    let row = tx
        .opt(
            concat!(
                "UPDATE domains SET status = 'FAILED', updated_at = $2 WHERE id = $1 RETURNING ",
                domain_columns!()
            ),
            p![&domain.id, at.after(domain.updated_at).as_micros()],
        )
        .await?
        .ok_or(Error::Stale)?;
    record(tx, at, event::Kind::OrganizationDomainDnsVerificationFailed, &row).await
}

/// Domains that wait for their TXT record, the longest waiting first, at most [`crate::MAX_LIMIT`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_pending(tx: &mut Tx<'_>) -> Result<Vec<Domain>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM domains WHERE status = 'PENDING' ORDER BY updated_at LIMIT $1"
            ),
            p![i64::from(crate::MAX_LIMIT)],
        )
        .await?;
    rows.iter().map(read).collect()
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

/// Which domains of an organization to list.
#[derive(Debug, Clone, Copy)]
pub struct DomainRange {
    pub kind: Option<Kind>,
    pub skip: u32,
    pub limit: u32,
}

/// Some domains of an organization, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_part(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    part: DomainRange,
) -> Result<Vec<Domain>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM domains WHERE organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR kind = $2)
                  ORDER BY id LIMIT $3 OFFSET $4"
            ),
            p![
                organization_id,
                part.kind.map(Kind::as_str),
                part.limit,
                part.skip
            ],
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

/// The organization to which an e-mail address of this domain signs in: the owner of the domain. A
/// sub-domain is another domain.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_organization_for(
    tx: &mut Tx<'_>,
    domain: &DomainName,
) -> Result<Option<OrganizationId>, Error> {
    let owner = find_owner(tx, domain).await?;
    Ok(owner.map(|owner| owner.organization_id))
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
            concat!(
                "DELETE FROM domains WHERE id = $1 AND organization_id = $2 RETURNING ",
                domain_columns!()
            ),
            p![id, organization_id],
        )
        .await?;
    let Some(row) = deleted else { return Ok(false) };
    record(tx, at, event::Kind::OrganizationDomainDeleted, &row).await?;
    environment::touch(tx).await?;
    Ok(true)
}
