//! The fields that an update changes: those of its mask, or else those that are present.

use genkan_contract::scalekit::v1::organizations::UpdateOrganization;
use genkan_store::organization::{Organization, Region};
use prost_types::FieldMask;
use serde_json::{Map, Value};

use super::render::read_region;
use crate::Error;
use crate::render::object;

/// The fields to replace; the inner `None` clears one.
#[derive(Debug, Default)]
pub(super) struct Change {
    display_name: Option<String>,
    external_id: Option<Option<String>>,
    slug: Option<Option<String>>,
    logo_url: Option<Option<String>>,
    metadata: Option<Map<String, Value>>,
    region: Option<Option<Region>>,
}

impl Change {
    pub(super) fn read(wanted: UpdateOrganization, mask: Option<FieldMask>) -> Result<Self, Error> {
        let mask = mask.filter(|mask| !mask.paths.is_empty());
        let Some(mask) = mask else {
            let UpdateOrganization {
                display_name,
                external_id,
                metadata,
                slug,
                logo_url,
                region_code,
            } = wanted;
            return Ok(Self {
                display_name: display_name.as_deref().map(self::display_name),
                external_id: external_id.map(non_empty),
                slug: slug.map(non_empty),
                logo_url: logo_url.map(non_empty),
                // An absent map and an empty one look alike.
                metadata: Some(metadata).filter(|map| !map.is_empty()).map(object),
                region: read_region(region_code)?.map(Some),
            });
        };
        let mut change = Self::default();
        for path in &mask.paths {
            change.read_field(path, &wanted)?;
        }
        Ok(change)
    }

    fn read_field(&mut self, path: &str, wanted: &UpdateOrganization) -> Result<(), Error> {
        let path = path.strip_prefix("organization.").unwrap_or(path);
        // A mask made of a JSON body names the keys of a map; the map is replaced as a whole.
        let field = path.split('.').next().unwrap_or(path);
        match field {
            "display_name" => {
                let name = wanted.display_name.as_deref().unwrap_or_default();
                self.display_name = Some(display_name(name));
            }
            "external_id" => self.external_id = Some(wanted.external_id.clone().and_then(non_empty)),
            "slug" => self.slug = Some(wanted.slug.clone().and_then(non_empty)),
            "logo_url" => self.logo_url = Some(wanted.logo_url.clone().and_then(non_empty)),
            "metadata" => self.metadata = Some(object(wanted.metadata.clone())),
            "region_code" => self.region = Some(read_region(wanted.region_code)?),
            _ => {
                return Err(Error::invalid(
                    "update_mask",
                    "names a field that an organization does not have, or that cannot be changed",
                ));
            }
        }
        Ok(())
    }

    /// Applies the change to a copy from the same transaction, which may run again.
    pub(super) fn apply(&self, organization: &mut Organization) {
        if let Some(display_name) = &self.display_name {
            organization.display_name.clone_from(display_name);
        }
        if let Some(external_id) = &self.external_id {
            organization.external_id.clone_from(external_id);
        }
        if let Some(slug) = &self.slug {
            organization.slug.clone_from(slug);
        }
        if let Some(logo_url) = &self.logo_url {
            organization.logo_url.clone_from(logo_url);
        }
        if let Some(metadata) = &self.metadata {
            organization.metadata.clone_from(metadata);
        }
        if let Some(region) = self.region {
            organization.region = region;
        }
    }
}

pub(super) fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A name, without the blanks around it.
pub(super) fn display_name(text: &str) -> String {
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use genkan_store::{OrganizationId, Timestamp};

    use super::*;

    fn acme() -> Organization {
        Organization {
            external_id: Some("acme-1".to_owned()),
            slug: Some("acme".to_owned()),
            metadata: object(BTreeMap::from([("plan".to_owned(), "gold".to_owned())])),
            ..Organization::new(
                OrganizationId::parse("org_1").unwrap(),
                "Acme",
                Timestamp::from_secs(1),
            )
        }
    }

    fn changed(wanted: UpdateOrganization, paths: &[&str]) -> Organization {
        let mask = FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        };
        let mut organization = acme();
        Change::read(wanted, Some(mask)).unwrap().apply(&mut organization);
        organization
    }

    #[test]
    fn without_a_mask_what_is_there_is_replaced() {
        let wanted = UpdateOrganization {
            display_name: Some(" Acme Inc. ".to_owned()),
            external_id: Some(String::new()),
            ..UpdateOrganization::default()
        };
        let organization = changed(wanted, &[]);
        assert_eq!(organization.display_name, "Acme Inc.");
        assert_eq!(organization.external_id, None);
        assert_eq!(organization.slug.as_deref(), Some("acme"));
        assert_eq!(organization.metadata, acme().metadata);
    }

    #[test]
    fn a_mask_decides_and_clears() {
        let wanted = UpdateOrganization {
            display_name: Some("Ignored".to_owned()),
            ..UpdateOrganization::default()
        };
        let organization = changed(wanted, &["slug", "organization.metadata.plan"]);
        assert_eq!(organization.display_name, "Acme");
        assert_eq!(organization.slug, None);
        assert!(organization.metadata.is_empty());
    }

    #[test]
    fn a_mask_cannot_reach_what_is_not_to_be_changed() {
        for path in ["id", "create_time", "", "settings", "display-name"] {
            let mask = FieldMask {
                paths: vec![path.to_owned()],
            };
            let refused = Change::read(UpdateOrganization::default(), Some(mask));
            assert!(refused.is_err(), "{path}");
        }
    }
}
