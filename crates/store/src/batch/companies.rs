//! The organizations in the lines of an import, and new ones with their domains.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use genkan_db::{ColumnType, Many, Tx, Value, p};

use super::people::owners;
use crate::domain::Domain;
use crate::event::{self, Entry, Kind, Object, shape};
use crate::organization::{self, Organization};
use crate::row::{Columns, json};
use crate::{Error, OrganizationId, Stamp, environment, search};

/// What is known about the organizations with some external ids, and what new ones could collide with.
#[derive(Debug, Default)]
pub struct OrganizationIndex {
    by_external_id: HashMap<String, Organization>,
    slugs: HashSet<String>,
    /// The domains that have an owner.
    owned: HashMap<String, OrganizationId>,
    /// The domains of organizations that route or wait for their proof.
    domains: HashSet<(OrganizationId, String)>,
}

static BY_EXTERNAL_ID: LazyLock<Many> = LazyLock::new(|| {
    let select = concat!("SELECT ", organization::columns!(), " FROM organizations WHERE");
    Many::find(select, &[("external_id", ColumnType::Text)])
});
static SLUGS: LazyLock<Many> = LazyLock::new(|| {
    Many::find(
        "SELECT slug FROM organizations WHERE",
        &[("slug", ColumnType::Text)],
    )
});
static DOMAINS: LazyLock<Many> = LazyLock::new(|| {
    let select = "SELECT organization_id, domain FROM domains WHERE kind = 'ORGANIZATION_DOMAIN' AND";
    Many::find(select, &[("organization_id", ColumnType::Text)])
});

impl OrganizationIndex {
    /// Reads the organizations with these external ids and their domains, and finds out which of these
    /// slugs and domains are taken.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn find(
        tx: &mut Tx<'_>,
        external_ids: &BTreeSet<&str>,
        slugs: &BTreeSet<&str>,
        domains: &BTreeSet<&str>,
    ) -> Result<Self, Error> {
        let values = |texts: &BTreeSet<&str>| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut companies = Self::default();
        let keys = values(external_ids);
        for row in tx.all_many(&BY_EXTERNAL_ID, &texts(&keys)).await? {
            let organization = organization::read(&row)?;
            if let Some(external_id) = organization.external_id.clone() {
                companies.by_external_id.insert(external_id, organization);
            }
        }
        let keys = values(slugs);
        for row in tx.all_many(&SLUGS, &texts(&keys)).await? {
            companies.slugs.insert(Columns::of(&row).text()?);
        }
        companies.owned = owners(tx, domains).await?;
        let known: Vec<OrganizationId> = companies
            .by_external_id
            .values()
            .map(|known| known.id.clone())
            .collect();
        let known: Vec<Value<'_>> = known.iter().map(Value::from).collect();
        for row in tx.all_many(&DOMAINS, &known).await? {
            let mut columns = Columns::of(&row);
            companies.domains.insert((columns.id()?, columns.text()?));
        }
        Ok(companies)
    }

    /// The organization with this external id.
    pub fn by_external_id(&self, external_id: &str) -> Option<&Organization> {
        self.by_external_id.get(external_id)
    }

    /// Whether an organization has this slug.
    pub fn has_slug(&self, slug: &str) -> bool {
        self.slugs.contains(slug)
    }

    /// Whether this domain has an owner.
    pub fn is_owned(&self, domain: &str) -> bool {
        self.owned.contains_key(domain)
    }

    /// Whether an organization has this domain for routing, proved or waiting.
    pub fn has_domain(&self, id: &OrganizationId, domain: &str) -> bool {
        self.domains.contains(&(id.clone(), domain.to_owned()))
    }
}

fn texts(keys: &[String]) -> Vec<Value<'_>> {
    keys.iter().map(Value::from).collect()
}

/// Organizations that are not written yet, in the order of their lines.
#[derive(Debug, Default)]
pub struct NewOrganizations(Vec<(Organization, Vec<Domain>)>);

impl NewOrganizations {
    /// Adds an organization. The caller knows that its external id, its slug and its domains are free.
    pub fn add(&mut self, organization: Organization, domains: Vec<Domain>) {
        self.0.push((organization, domains));
    }

    /// Writes everything, and starts again empty.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn write(&mut self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        static INSERT: LazyLock<Many> =
            LazyLock::new(|| Many::insert("organizations", ORGANIZATION_COLUMNS, ""));
        let new = std::mem::take(&mut self.0);
        if new.is_empty() {
            return Ok(());
        }
        let columns: Vec<(String, String)> = new
            .iter()
            .map(|(organization, _)| (json(&organization.features), json(&organization.metadata)))
            .collect();
        let mut values = Vec::with_capacity(new.len() * ORGANIZATION_COLUMNS.len());
        for ((organization, _), (features, metadata)) in new.iter().zip(&columns) {
            values.extend_from_slice(p![
                &organization.id,
                &organization.display_name,
                organization.external_id.as_deref(),
                organization.slug.as_deref(),
                organization.logo_url.as_deref(),
                organization.region.map(organization::Region::as_str),
                features,
                metadata,
                organization.created_at.as_micros(),
                organization.updated_at.as_micros(),
            ]);
        }
        tx.exec_many(&INSERT, &values).await?;
        let indexed = new
            .iter()
            .map(|(organization, _)| (&organization.id, organization::words(organization)))
            .collect();
        search::put_new_organizations(tx, indexed).await?;
        let domains: Vec<&Domain> = new.iter().flat_map(|(_, domains)| domains).collect();
        write_domains(tx, &domains).await?;
        let mut entries = Vec::with_capacity(new.len() * 2);
        for (organization, domains) in &new {
            let created = Entry::new(Kind::OrganizationCreated).organization(&organization.id);
            entries.push(created.object(Object::of(&shape_of(organization))));
            for domain in domains {
                let given = Entry::new(Kind::OrganizationDomainCreated)
                    .organization(&domain.organization_id)
                    .with("domain", domain.name.as_str());
                entries.push(given.object(Object::of(&shape_of_domain(domain))));
            }
        }
        event::record_all(tx, at, &entries).await?;
        environment::touch(tx).await
    }
}

async fn write_domains(tx: &mut Tx<'_>, domains: &[&Domain]) -> Result<(), Error> {
    static INSERT: LazyLock<Many> = LazyLock::new(|| Many::insert("domains", DOMAIN_COLUMNS, ""));
    let mut values = Vec::with_capacity(domains.len() * DOMAIN_COLUMNS.len());
    for domain in domains {
        let proved = domain.proved.as_ref();
        values.extend_from_slice(p![
            &domain.id,
            &domain.organization_id,
            domain.name.as_str(),
            domain.kind.as_str(),
            domain.status.as_str(),
            domain.method.as_str(),
            &domain.txt_value,
            domain.created_at.as_micros(),
            domain.updated_at.as_micros(),
            proved.map(|proved| proved.by.as_str()),
            proved.map(|proved| proved.at.as_micros()),
            proved.and_then(|proved| proved.actor.as_deref()),
        ]);
    }
    tx.exec_many(&INSERT, &values).await?;
    Ok(())
}

const ORGANIZATION_COLUMNS: &[genkan_db::Column] = &[
    ("id", ColumnType::Text),
    ("display_name", ColumnType::Text),
    ("external_id", ColumnType::Text),
    ("slug", ColumnType::Text),
    ("logo_url", ColumnType::Text),
    ("region", ColumnType::Text),
    ("features", ColumnType::Text),
    ("metadata", ColumnType::Text),
    ("created_at", ColumnType::BigInt),
    ("updated_at", ColumnType::BigInt),
];

const DOMAIN_COLUMNS: &[genkan_db::Column] = &[
    ("id", ColumnType::Text),
    ("organization_id", ColumnType::Text),
    ("domain", ColumnType::Text),
    ("kind", ColumnType::Text),
    ("status", ColumnType::Text),
    ("method", ColumnType::Text),
    ("txt_value", ColumnType::Text),
    ("created_at", ColumnType::BigInt),
    ("updated_at", ColumnType::BigInt),
    ("proved_by", ColumnType::Text),
    ("proved_at", ColumnType::BigInt),
    ("proved_actor", ColumnType::Text),
];

/// The object for an event, as it would be read from the database.
fn shape_of(organization: &Organization) -> shape::Organization {
    shape::Organization {
        id: organization.id.as_str().to_owned(),
        display_name: organization.display_name.clone(),
        external_id: organization.external_id.clone(),
        region: organization.region.map(|region| region.as_str().to_owned()),
        features: organization
            .features
            .iter()
            .map(|feature| feature.as_str().to_owned())
            .collect(),
        metadata: organization.metadata.clone(),
        created_at: organization.created_at.as_micros(),
        updated_at: organization.updated_at.as_micros(),
    }
}

fn shape_of_domain(domain: &Domain) -> shape::Domain {
    shape::Domain {
        id: domain.id.as_str().to_owned(),
        organization_id: domain.organization_id.as_str().to_owned(),
        domain: domain.name.as_str().to_owned(),
        kind: domain.kind.as_str().to_owned(),
        status: domain.status.as_str().to_owned(),
        method: domain.method.as_str().to_owned(),
        txt_value: domain.txt_value.clone(),
        created_at: domain.created_at.as_micros(),
        updated_at: domain.updated_at.as_micros(),
    }
}
