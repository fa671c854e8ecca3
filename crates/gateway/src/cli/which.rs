//! Finds the organization that a command means.

use genkan_db::Tx;
use genkan_store::organization::{self, Organization};
use genkan_store::{Error, OrganizationId};

use super::Failure;
use super::instance::Instance;

/// The organization that the command line names by its identifier or external id.
pub(super) async fn organization_id(instance: &Instance, text: &str) -> Result<OrganizationId, Failure> {
    match OrganizationId::parse(text) {
        Ok(id) => Ok(id),
        Err(_) => Ok(organization(instance, text).await?.id),
    }
}

pub(super) async fn organization(instance: &Instance, text: &str) -> Result<Organization, Failure> {
    let found = instance.read(async |tx| look_up(tx, text).await).await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no organization \"{text}\"."))
            .remedy("`genkan org list` shows those there are.")
    })
}

async fn look_up(tx: &mut Tx<'_>, text: &str) -> Result<Option<Organization>, Error> {
    if let Ok(id) = OrganizationId::parse(text)
        && let Some(organization) = organization::find(tx, &id).await?
    {
        return Ok(Some(organization));
    }
    organization::find_by_external_id(tx, text).await
}
