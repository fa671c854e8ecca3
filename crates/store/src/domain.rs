//! Domains of organizations: who may vouch for which e-mail addresses.

use genkan_db::{Row, Tx, p};
use genkan_protocol::Domain as DomainName;

use crate::event::{self, Entry};
use crate::row::{Columns, words};
use crate::{DomainId, Error, OrganizationId, Secret, Stamp, Timestamp, conflict, environment};

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

words! {
    /// Whether an organization has shown that a domain is its own.
    pub enum Status {
        /// Nobody has found the TXT record yet: the domain routes nobody and vouches for nobody.
        Pending = "PENDING",
        Verified = "VERIFIED",
        /// The time to show it is over. It can still be shown.
        Failed = "FAILED",
        /// There is nothing to show.
        AutoVerified = "AUTO_VERIFIED",
    }
}

words! {
    /// Who answers for a domain.
    pub enum Method {
        /// An operator, or the application.
        Admin = "ADMIN",
        /// Its own name servers.
        Dns = "DNS",
        /// Nobody has to.
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
    /// What the TXT record must hold; empty unless the name servers answer for the domain.
    pub txt_value: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Domains where anybody gets an address: an organization that had one could sign in as anybody.
const PUBLIC_MAIL: &[&str] = &[
    "163.com",
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "tutanota.com",
    "web.de",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

/// A domain that no organization may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("anybody can get an address there, so it belongs to no organization")]
pub struct PublicMail;

/// Refuses the domains of public mail services.
///
/// # Errors
///
/// [`PublicMail`] if anybody can get an address in the domain.
pub fn refuse_public_mail(name: &DomainName) -> Result<(), PublicMail> {
    if PUBLIC_MAIL.contains(&name.as_str()) {
        Err(PublicMail)
    } else {
        Ok(())
    }
}

impl Domain {
    /// A domain that whoever gives it answers for.
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
        }
    }

    /// The same domain, of no effect until its name servers hold a TXT record.
    #[must_use]
    pub fn to_be_proved(mut self) -> Self {
        if self.kind == Kind::OrganizationDomain {
            self.status = Status::Pending;
            self.method = Method::Dns;
            let secret = Secret::generate();
            self.txt_value = format!("genkan-domain-verification={}", secret.expose());
        }
        self
    }

    /// Where the TXT record belongs, if there is to be one. A name of its own,
    /// so that it meets no other record and can stay when the domain is an alias.
    pub fn txt_name(&self) -> Option<String> {
        (self.method == Method::Dns).then(|| format!("_genkan-challenge.{}", self.name.as_str()))
    }
}

macro_rules! columns {
    () => {
        "id, organization_id, domain, kind, status, method, txt_value, created_at, updated_at"
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
    })
}

/// Gives an organization a domain.
///
/// # Errors
///
/// [`conflict::DOMAIN`] if another organization has shown that it is its
/// [`Kind::OrganizationDomain`], or this one has it already.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, domain: &Domain) -> Result<(), Error> {
    if domain.kind == Kind::OrganizationDomain {
        // Whoever has a domain keeps it, also from somebody who only begins to claim it.
        refuse_taken(tx, &domain.name).await?;
    }
    let inserted = tx
        .opt(
            "INSERT INTO domains (id, organization_id, domain, kind, status, method, txt_value, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id",
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

async fn refuse_taken(tx: &mut Tx<'_>, name: &DomainName) -> Result<(), Error> {
    match find_organization_for(tx, name).await? {
        Some(_) => Err(Error::Conflict(conflict::DOMAIN)),
        None => Ok(()),
    }
}

/// A domain is shown to be its organization's: from now on it routes and vouches.
/// Says whether that is news.
///
/// # Errors
///
/// - [`Error::Stale`] if the organization does not have the domain.
/// - [`conflict::DOMAIN`] if another organization has shown it first.
pub async fn verify(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &DomainId,
) -> Result<bool, Error> {
    let domain = find(tx, organization_id, id).await?.ok_or(Error::Stale)?;
    if matches!(domain.status, Status::Verified | Status::AutoVerified) {
        return Ok(false);
    }
    refuse_taken(tx, &domain.name).await?;
    set_status(tx, at, &domain, Status::Verified).await?;
    environment::touch(tx).await?;
    Ok(true)
}

/// Gives up on up to `limit` domains that wait for their TXT record since
/// before `since`, and counts them.
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
        set_status(tx, at, &read(row)?, Status::Failed).await?;
        given_up += 1;
    }
    Ok(given_up)
}

/// Domains that wait for their TXT record, those first that wait longest, at
/// most [`crate::MAX_LIMIT`].
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

async fn set_status(tx: &mut Tx<'_>, at: Stamp<'_>, domain: &Domain, status: Status) -> Result<(), Error> {
    tx.exec(
        "UPDATE domains SET status = $2, updated_at = $3 WHERE id = $1",
        p![
            &domain.id,
            status.as_str(),
            at.after(domain.updated_at).as_micros()
        ],
    )
    .await?;
    let kind = match status {
        Status::Verified | Status::AutoVerified => event::Kind::OrganizationDomainDnsVerificationSuccess,
        Status::Pending | Status::Failed => event::Kind::OrganizationDomainDnsVerificationFailed,
    };
    let entry = Entry::new(kind).organization(&domain.organization_id);
    event::record(tx, at, entry.with("domain", domain.name.as_str())).await
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
pub struct Part {
    pub kind: Option<Kind>,
    pub skip: u32,
    pub limit: u32,
}

/// Some of the domains of an organization, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_part(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    part: Part,
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

/// The organization that an e-mail address of this domain signs in to: the one
/// that has shown that it is its own. A sub-domain is another domain.
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
            "SELECT organization_id FROM domains
              WHERE domain = $1 AND kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED'",
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
