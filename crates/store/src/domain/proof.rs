//! What stands behind a domain: the word of whoever gave it, or a proof.
//!
//! A domain that somebody with credentials gave routes and vouches at once. That
//! is enough for people who are nobody else's; it never reaches a person who
//! belongs to another organization too. See `docs/decisions/domains.md`.

use genkan_db::{Tx, p};
use genkan_protocol::Domain as DomainName;

use super::{Domain, Kind, Method, Status, find, record, refuse_taken};
use crate::event;
use crate::event::shape::domain_columns;
use crate::row::{Columns, words};
use crate::{DomainId, Error, OrganizationId, Secret, Stamp, Timestamp, environment};

words! {
    /// How it was shown that a domain is its organization's.
    pub enum Proof {
        /// Its name servers hold the TXT record.
        Dns = "DNS",
        /// An operator of this instance has made sure in another way.
        Operator = "OPERATOR",
        /// A development instance believes everything.
        Development = "DEVELOPMENT",
    }
}

/// A proof, and when and on whose behalf it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    pub by: Proof,
    pub at: Timestamp,
    /// As in [`crate::event::Event::actor`]; `None`: Genkan looked by itself.
    pub actor: Option<String>,
}

/// Who gives an organization a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// Management credentials or the command line. Their word makes the domain
    /// active, unless this instance asks for the TXT record (`domains.require_proof`).
    Operator { require_proof: bool },
    /// An administrator of the organization itself, who could claim any domain.
    Customer,
    /// Whoever works with a development instance.
    Developer,
}

impl Giver {
    /// The giver of a domain that comes with management credentials.
    pub const fn with_credentials(is_development: bool, require_proof: bool) -> Self {
        if is_development && !require_proof {
            Self::Developer
        } else {
            Self::Operator { require_proof }
        }
    }
}

impl Domain {
    /// The same domain, as far as the word of `giver` reaches.
    #[must_use]
    pub fn given_by(mut self, giver: Giver) -> Self {
        if self.kind != Kind::OrganizationDomain {
            return self;
        }
        match giver {
            Giver::Developer => {
                self.proved = Some(Proved {
                    by: Proof::Development,
                    at: self.created_at,
                    actor: None,
                });
            }
            Giver::Operator { require_proof: false } => self.txt_value = txt_value(),
            Giver::Operator { require_proof: true } | Giver::Customer => {
                self.status = Status::Pending;
                self.method = Method::Dns;
                self.txt_value = txt_value();
            }
        }
        self
    }

    /// Where the TXT record belongs, if there is to be one. A name of its own,
    /// so that it meets no other record and can stay when the domain is an alias.
    pub fn txt_name(&self) -> Option<String> {
        (!self.txt_value.is_empty()).then(|| format!("_genkan-challenge.{}", self.name.as_str()))
    }
}

fn txt_value() -> String {
    format!("genkan-domain-verification={}", Secret::generate().expose())
}

/// A domain is shown to be its organization's: from now on it routes and vouches,
/// also for people who belong to others. Says whether that is news.
///
/// # Errors
///
/// - [`Error::Stale`] if the organization does not have the domain.
/// - [`crate::conflict::DOMAIN`] if another organization has shown it first.
pub async fn prove(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &DomainId,
    by: Proof,
) -> Result<bool, Error> {
    let domain = find(tx, organization_id, id).await?.ok_or(Error::Stale)?;
    if domain.kind != Kind::OrganizationDomain || domain.proved.is_some() {
        return Ok(false);
    }
    if domain.status != Status::Verified {
        refuse_taken(tx, &domain.name).await?;
    }
    let row = tx
        .opt(
            concat!(
                "UPDATE domains SET status = 'VERIFIED', proved_by = $2, proved_at = $3, proved_actor = $4,
                    updated_at = $5 WHERE id = $1 RETURNING ",
                domain_columns!()
            ),
            p![
                id,
                by.as_str(),
                at.now.as_micros(),
                at.actor.word().as_deref(),
                at.after(domain.updated_at).as_micros()
            ],
        )
        .await?
        .ok_or(Error::Stale)?;
    let kind = match by {
        Proof::Dns => event::Kind::OrganizationDomainDnsVerificationSuccess,
        Proof::Operator | Proof::Development => event::Kind::DomainVerifiedByOperator,
    };
    record(tx, at, kind, &row).await?;
    environment::touch(tx).await?;
    Ok(true)
}

/// A domain with the TXT record that would prove it. One that is older than such
/// records gets one here.
///
/// # Errors
///
/// [`Error::Stale`] if the organization does not have the domain.
pub async fn with_record(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    id: &DomainId,
) -> Result<Domain, Error> {
    let domain = find(tx, organization_id, id).await?.ok_or(Error::Stale)?;
    if domain.kind != Kind::OrganizationDomain || domain.proved.is_some() || !domain.txt_value.is_empty() {
        return Ok(domain);
    }
    let value = txt_value();
    tx.exec(
        "UPDATE domains SET txt_value = $2 WHERE id = $1 AND txt_value = ''",
        p![id, &value],
    )
    .await?;
    find(tx, organization_id, id).await?.ok_or(Error::Stale)
}

/// The organization that a domain leads to, and what stands behind that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub organization_id: OrganizationId,
    /// Not only the word of whoever gave the domain.
    pub is_proved: bool,
}

/// As [`super::find_organization_for`], with what stands behind it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_owner(tx: &mut Tx<'_>, domain: &DomainName) -> Result<Option<Owner>, Error> {
    let row = tx
        .opt(
            "SELECT organization_id, proved_at FROM domains
              WHERE domain = $1 AND kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED'",
            p![domain.as_str()],
        )
        .await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(Owner {
            organization_id: columns.id()?,
            is_proved: columns.optional_time()?.is_some(),
        })
    })
    .transpose()
}

/// How many domains are active on somebody's word alone.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_unproved(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*) FROM domains
              WHERE kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED' AND proved_at IS NULL",
            p![],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}
