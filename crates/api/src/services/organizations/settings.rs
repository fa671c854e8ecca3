//! The features of an organization, and the number of people that it may have.

use genkan_contract::scalekit::v1::organizations::{
    OrganizationUserManagementSettings, UpdateOrganizationSettingsRequest,
    UpsertUserManagementSettingsRequest,
};
use genkan_store::organization::{self, Feature, Organization, user_limit};

use super::{OrganizationSelector, existing, get};
use crate::{Api, Call, Error};

/// Switches the features that the message names; the others stay as they are.
pub(super) async fn update_features(
    api: &Api,
    call: &Call<'_>,
    message: &UpdateOrganizationSettingsRequest,
) -> Result<Organization, Error> {
    let named = OrganizationSelector::Id(message.id.clone());
    let wanted = message
        .settings
        .as_ref()
        .ok_or_else(|| Error::required("settings"))?;
    let mut switches: Vec<(Feature, bool)> = Vec::new();
    for feature in &wanted.features {
        let known = feature.name.parse().map_err(|_| {
            let names: Vec<_> = Feature::ALL.iter().map(|feature| feature.as_str()).collect();
            Error::invalid(
                "settings.features.name",
                &format!("is none of: {}", names.join(", ")),
            )
        })?;
        switches.push((known, feature.enabled));
    }
    api.tx(async |tx| {
        let mut organization = get(tx, &named).await?;
        for (feature, enabled) in &switches {
            organization.set_feature(*feature, *enabled);
        }
        organization::update(tx, call.at(), &organization).await?;
        get(tx, &named).await
    })
    .await
}

pub(super) async fn update_users(
    api: &Api,
    call: &Call<'_>,
    message: &UpsertUserManagementSettingsRequest,
) -> Result<OrganizationUserManagementSettings, Error> {
    let wanted = message
        .settings
        .as_ref()
        .ok_or_else(|| Error::required("settings"))?;
    let limit = match wanted.max_allowed_users {
        // Nothing is given, so nothing changes.
        None => return find_users(api, &message.organization_id).await,
        Some(limit) => u32::try_from(limit)
            .map_err(|_| Error::invalid("settings.max_allowed_users", "is less than 0"))?,
    };
    api.tx(async |tx| {
        let id = existing(tx, &message.organization_id).await?;
        Ok(user_limit::set(tx, call.at(), &id, (limit > 0).then_some(limit)).await?)
    })
    .await?;
    find_users(api, &message.organization_id).await
}

pub(super) async fn find_users(
    api: &Api,
    organization_id: &str,
) -> Result<OrganizationUserManagementSettings, Error> {
    let limit = api
        .read(async |tx| {
            let id = existing(tx, organization_id).await?;
            Ok(user_limit::find(tx, &id).await?)
        })
        .await?;
    // 0 means "no limit", and is written, because clients do not read an absent number.
    let limit = limit.map_or(0, |limit| i32::try_from(limit).unwrap_or(i32::MAX));
    Ok(OrganizationUserManagementSettings {
        max_allowed_users: Some(limit),
    })
}
