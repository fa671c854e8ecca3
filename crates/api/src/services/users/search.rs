//! `SearchUsers` and `SearchOrganizationUsers`: by words, or by the identifier
//! itself, which people paste.

use genkan_contract::scalekit::v1::users::{
    SearchOrganizationUsersRequest, SearchOrganizationUsersResponse, SearchUsersRequest, SearchUsersResponse,
};
use genkan_db::Tx;
use genkan_store::member::{self, Member};
use genkan_store::search::{self, HitPage, Hits, Query};
use genkan_store::{EnvironmentId, OrganizationId, UserId, environment};

use super::{existing_organization, render};
use crate::call::Call;
use crate::{Api, Error, paging};

/// A page of hits.
struct SearchPage {
    hits: Hits<UserId>,
    members: Vec<Member>,
    total_size: u32,
}

/// Searches the people of an organization, or all.
async fn find(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    text: &str,
    page: &HitPage,
) -> Result<SearchPage, Error> {
    let query = Query::parse(text);
    let hits = match (UserId::parse(text.trim()), organization_id) {
        (Ok(id), _) => Hits {
            ids: vec![id],
            next: None,
            previous: None,
        },
        (_, None) => search::users(tx, &query, page).await?,
        (_, Some(organization_id)) => search::members(tx, organization_id, &query, page).await?,
    };
    let members = match organization_id {
        None => member::find_each(tx, &hits.ids).await?,
        Some(organization_id) => member::find_each_in_organization(tx, organization_id, &hits.ids).await?,
    };
    let shown = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let total_size = match (&hits.next, &page.cursor, organization_id) {
        (None, None, _) => shown,
        // The total is at least the rows of the page, even if counting stopped early.
        (_, _, None) => search::count_users(tx, &query, &hits).await?.max(shown),
        (_, _, Some(organization_id)) => search::count_members(tx, organization_id, &query, &hits)
            .await?
            .max(shown),
    };
    Ok(SearchPage {
        hits,
        members,
        total_size,
    })
}

fn users(
    found: &SearchPage,
    environment_id: &EnvironmentId,
    call: &Call<'_>,
) -> Vec<genkan_contract::scalekit::v1::users::User> {
    let members = found.members.iter();
    members
        .map(|member| render::of_member(member, environment_id, call.now))
        .collect()
}

pub(super) async fn everywhere(
    api: &Api,
    call: &Call<'_>,
    message: &SearchUsersRequest,
) -> Result<SearchUsersResponse, Error> {
    let page = paging::hits(message.page_size, &message.page_token)?;
    let (environment, found) = api
        .read(async |tx| {
            Ok((
                environment::get(tx).await?,
                find(tx, None, &message.query, &page).await?,
            ))
        })
        .await?;
    let (next_page_token, prev_page_token) = paging::hit_tokens(&found.hits);
    Ok(SearchUsersResponse {
        next_page_token,
        total_size: found.total_size,
        users: users(&found, &environment.id, call),
        prev_page_token,
    })
}

/// With each user's membership in this organization alone.
pub(super) async fn in_organization(
    api: &Api,
    call: &Call<'_>,
    message: &SearchOrganizationUsersRequest,
) -> Result<SearchOrganizationUsersResponse, Error> {
    let page = paging::hits(message.page_size, &message.page_token)?;
    let (environment, found) = api
        .read(async |tx| {
            let organization_id = existing_organization(tx, &message.organization_id).await?;
            Ok((
                environment::get(tx).await?,
                find(tx, Some(&organization_id), &message.query, &page).await?,
            ))
        })
        .await?;
    let (next_page_token, prev_page_token) = paging::hit_tokens(&found.hits);
    Ok(SearchOrganizationUsersResponse {
        next_page_token,
        total_size: found.total_size,
        users: users(&found, &environment.id, call),
        prev_page_token,
    })
}
