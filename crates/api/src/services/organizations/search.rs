//! `SearchOrganization`.

use genkan_contract::scalekit::v1::organizations::{SearchOrganizationsRequest, SearchOrganizationsResponse};
use genkan_store::{OrganizationId, organization, search};

use super::render;
use crate::{Api, Error, paging};

/// Searches by words, or by the identifier itself, which people paste.
pub(super) async fn organizations(
    api: &Api,
    message: &SearchOrganizationsRequest,
) -> Result<SearchOrganizationsResponse, Error> {
    if let Ok(id) = OrganizationId::parse(message.query.trim()) {
        let found = api
            .read(async |tx| Ok(organization::find(tx, &id).await?))
            .await?;
        return Ok(SearchOrganizationsResponse {
            total_size: u32::from(found.is_some()),
            organizations: found.iter().map(render::organization).collect(),
            ..SearchOrganizationsResponse::default()
        });
    }
    let query = search::Query::parse(&message.query);
    let page = paging::hits(message.page_size, &message.page_token)?;
    let (hits, organizations, total_size) = api
        .read(async |tx| {
            let hits = search::organizations(tx, &query, &page).await?;
            let organizations = organization::find_each(tx, &hits.ids).await?;
            let total_size = match (&hits.next, &page.cursor) {
                (None, None) => u32::try_from(organizations.len()).unwrap_or(u32::MAX),
                // The total is at least the rows of the page, even if counting stopped early.
                _ => search::count_organizations(tx, &query, &hits)
                    .await?
                    .max(u32::try_from(organizations.len()).unwrap_or(u32::MAX)),
            };
            Ok((hits, organizations, total_size))
        })
        .await?;
    let (next_page_token, prev_page_token) = paging::hit_tokens(&hits);
    Ok(SearchOrganizationsResponse {
        next_page_token,
        prev_page_token,
        total_size,
        organizations: organizations.iter().map(render::organization).collect(),
    })
}
