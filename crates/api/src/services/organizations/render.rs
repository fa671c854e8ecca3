//! Organizations as messages carry them.

use genkan_contract::scalekit::v1::commons::RegionCode;
use genkan_contract::scalekit::v1::organizations as wire;
use genkan_store::organization::{Feature, Organization, Region};

use crate::Error;
use crate::render::{map, time};

pub(super) fn organization(organization: &Organization) -> wire::Organization {
    let region_code = match organization.region {
        None => RegionCode::Unspecified,
        Some(Region::Us) => RegionCode::Us,
        Some(Region::Eu) => RegionCode::Eu,
    };
    wire::Organization {
        id: organization.id.to_string(),
        create_time: Some(time(organization.created_at)),
        update_time: Some(time(organization.updated_at)),
        display_name: organization.display_name.clone(),
        region_code: region_code.into(),
        external_id: organization.external_id.clone(),
        metadata: map(&organization.metadata),
        settings: Some(settings(&organization.features)),
        slug: organization.slug.clone(),
        logo_url: organization.logo_url.clone(),
    }
}

/// All features in one order, on or off: programs read the first two by their place.
fn settings(enabled: &[Feature]) -> wire::OrganizationSettings {
    let features = Feature::ALL
        .iter()
        .map(|feature| wire::OrganizationSettingsFeature {
            name: feature.to_string(),
            enabled: enabled.contains(feature),
        });
    wire::OrganizationSettings {
        features: features.collect(),
    }
}

pub(super) fn read_region(code: i32) -> Result<Option<Region>, Error> {
    match RegionCode::try_from(code) {
        Ok(RegionCode::Unspecified) => Ok(None),
        Ok(RegionCode::Us) => Ok(Some(Region::Us)),
        Ok(RegionCode::Eu) => Ok(Some(Region::Eu)),
        Err(_) => Err(Error::invalid(
            "organization.region_code",
            "is none of the regions",
        )),
    }
}
