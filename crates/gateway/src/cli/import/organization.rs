//! A line about an organization.

use std::collections::BTreeMap;

use genkan_db::Tx;
use genkan_protocol::Domain as DomainName;
use genkan_store::domain::{self, Claimant, Domain};
use genkan_store::organization::{self, Organization, Region};
use genkan_store::{Error, OrganizationId, Stamp, conflict};
use serde::Deserialize;

use super::apply::{Author, Outcome, Row, RowError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationRow {
    pub(super) external_id: String,
    #[serde(alias = "display_name")]
    name: Option<String>,
    pub(super) slug: Option<String>,
    logo_url: Option<String>,
    region: Option<Region>,
    #[serde(default)]
    pub(super) domains: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

fn rejected<T>(sentence: impl Into<String>) -> Result<T, RowError> {
    Err(RowError::Rejected(sentence.into()))
}

impl Row for OrganizationRow {
    const COLUMNS: &[&str] = &[
        "external_id",
        "name",
        "display_name",
        "slug",
        "logo_url",
        "region",
        "domains",
    ];

    async fn put(&self, tx: &mut Tx<'_>, at: Stamp<'_>, author: Author<'_>) -> Result<Outcome, RowError> {
        if self.external_id.is_empty() {
            return rejected("external_id is empty: a second import could not know the organization again");
        }
        let known = organization::find_by_external_id(tx, &self.external_id).await?;
        let (id, outcome) = match known {
            Some(known) => {
                let mut organization = known.clone();
                self.apply(&mut organization);
                let changed = organization != known;
                if changed {
                    organization::update(tx, at, &organization).await?;
                }
                (
                    known.id,
                    if changed {
                        Outcome::Updated
                    } else {
                        Outcome::Unchanged
                    },
                )
            }
            None => {
                let mut organization = Organization::new(at.id(), "", at.now);
                organization.external_id = Some(self.external_id.clone());
                self.apply(&mut organization);
                if organization.display_name.is_empty() {
                    return rejected("name is missing");
                }
                organization::insert(tx, at, &organization).await?;
                (organization.id, Outcome::Created)
            }
        };
        Ok(outcome.and(self.add_domains(tx, at, &id, author.claimant).await?))
    }
}

impl OrganizationRow {
    /// Values in the line replace the old ones.
    pub(super) fn apply(&self, organization: &mut Organization) {
        if let Some(text) = &self.name {
            text.trim().clone_into(&mut organization.display_name);
        }
        for (ours, theirs) in [
            (&mut organization.slug, &self.slug),
            (&mut organization.logo_url, &self.logo_url),
        ] {
            if theirs.is_some() {
                ours.clone_from(theirs);
            }
        }
        organization.region = self.region.or(organization.region);
        for (key, value) in &self.metadata {
            organization.metadata.insert(key.clone(), value.clone().into());
        }
    }

    /// Adds missing domains. Says whether there were any.
    async fn add_domains(
        &self,
        tx: &mut Tx<'_>,
        at: Stamp<'_>,
        id: &OrganizationId,
        claimant: Claimant,
    ) -> Result<bool, RowError> {
        let mut added = false;
        for text in &self.domains {
            let name = match DomainName::parse(text) {
                Ok(name) => name,
                Err(error) => return rejected(format!("domain \"{text}\": {error}")),
            };
            let kind = domain::Kind::OrganizationDomain;
            // Including one that waits for its TXT record since an earlier import.
            let known = domain::list(tx, id).await?;
            if known.iter().any(|known| known.name == name && known.kind == kind) {
                continue;
            }
            if let Err(error) = domain::refuse_public_mail(&name) {
                return rejected(format!("domain \"{text}\": {error}"));
            }
            if domain::find_organization_for(tx, &name).await?.is_some() {
                return Err(Error::Conflict(conflict::DOMAIN).into());
            }
            let domain = Domain::new(at.id(), id.clone(), name, kind, at.now).claimed_by(claimant);
            domain::insert(tx, at, &domain).await?;
            added = true;
        }
        Ok(added)
    }
}
