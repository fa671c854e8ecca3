//! The word of the person who entered a domain, or a proof, confirms it.
//!
//! A domain that was entered with management credentials routes and vouches at once. This is enough for
//! people who belong to no other organization. It never reaches a person who does. See
//! `docs/decisions/domains.md`.

use genkan_db::{Tx, p};
use genkan_protocol::Domain as DomainName;

use super::{Domain, Kind, Method, Status, find, record, refuse_taken};
use crate::event;
use crate::event::shape::domain_columns;
use crate::row::{Columns, words};
use crate::{DomainId, Error, OrganizationId, Secret, Stamp, Timestamp, environment};

words! {
    /// How it was shown that an organization owns a domain.
    pub enum Proof {
        /// Its name servers hold the TXT record.
        Dns = "DNS",
        /// An operator of this instance has verified it in another way.
        Operator = "OPERATOR",
        /// A development instance believes every claim.
        Development = "DEVELOPMENT",
    }
}

/// A proof, with its time and its actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainProof {
    pub by: Proof,
    pub at: Timestamp,
    /// As in [`crate::event::Event::actor`]. `None`: Genkan found it by itself.
    pub actor: Option<String>,
}

/// The person who enters a domain of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimant {
    /// A person with management credentials or the command line. The domain is active at once, unless this
    /// instance requires the TXT record (`domains.require_proof`).
    Operator { require_proof: bool },
    /// An administrator of the organization itself. They could claim any domain.
    Customer,
    /// A person who works with a development instance.
    Developer,
}

impl Claimant {
    /// The claimant of a domain that was entered with management credentials.
    pub const fn with_credentials(is_development: bool, require_proof: bool) -> Self {
        if is_development && !require_proof {
            Self::Developer
        } else {
            Self::Operator { require_proof }
        }
    }
}

impl Domain {
    /// The same domain, with the status that the word of `claimant` gives it.
    #[must_use]
    pub fn claimed_by(mut self, claimant: Claimant) -> Self {
        if self.kind != Kind::OrganizationDomain {
            return self;
        }
        match claimant {
            Claimant::Developer => {
                self.proved = Some(DomainProof {
                    by: Proof::Development,
                    at: self.created_at,
                    actor: None,
                });
            }
            Claimant::Operator { require_proof: false } => self.txt_value = txt_value(),
            Claimant::Operator { require_proof: true } | Claimant::Customer => {
                self.status = Status::Pending;
                self.method = Method::Dns;
                self.txt_value = txt_value();
            }
        }
        self
    }

    /// The name of the TXT record, if one is required. It is a name of its own, so that it collides with no
    /// other record and can stay if the domain is an alias.
    pub fn txt_name(&self) -> Option<String> {
        (!self.txt_value.is_empty()).then(|| format!("_genkan-challenge.{}", self.name.as_str()))
    }
}

fn txt_value() -> String {
    format!("genkan-domain-verification={}", Secret::generate().expose())
}

/// Notes that an organization has proved its domain. From now on the domain routes and vouches, also for
/// people who belong to other organizations. Says whether this is new.
///
/// # Errors
///
/// - [`Error::Stale`] if the organization does not have the domain.
/// - [`crate::conflict::DOMAIN`] if another organization has proved it first.
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

/// A domain with the TXT record that would prove it. If the domain is older than such records, it gets one
/// here.
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

/// The owner of a domain, and whether that is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub organization_id: OrganizationId,
    /// It was proved, and not only entered.
    pub is_proved: bool,
}

/// As [`super::find_organization_for`], with whether it is proved.
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

/// The number of domains that are active without a proof.
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
