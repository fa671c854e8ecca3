//! Lists of users.

use genkan_contract::scalekit::v1::users::{
    ListOrganizationUsersRequest, ListOrganizationUsersResponse, ListUsersRequest, ListUsersResponse,
};
use genkan_db::Tx;
use genkan_store::{environment, member, user};

use super::{existing_organization, render};
use crate::call::Call;
use crate::paging::Sizes;
use crate::{Api, Error, paging};

pub(super) async fn users(
    api: &Api,
    call: &Call<'_>,
    message: &ListUsersRequest,
) -> Result<ListUsersResponse, Error> {
    let page = paging::request(message.page_size, &message.page_token, Sizes::USUAL)?;
    let (environment, rows) = api
        .read(async |tx| Ok((environment::get(tx).await?, member::list(tx, &page).await?)))
        .await?;
    let paged = paging::answer(&page, rows, |member| &member.user.id);
    let count = async |tx: &mut Tx<'_>, limit| Ok(user::count(tx, limit).await?);
    Ok(ListUsersResponse {
        users: paged
            .rows
            .iter()
            .map(|member| render::of_member(member, &environment.id, call.now))
            .collect(),
        next_page_token: paged.next_page_token,
        total_size: api.total("users", count).await?,
        prev_page_token: paged.prev_page_token,
    })
}

/// With each user's membership in this organization alone.
pub(super) async fn organization_users(
    api: &Api,
    call: &Call<'_>,
    message: &ListOrganizationUsersRequest,
) -> Result<ListOrganizationUsersResponse, Error> {
    let page = paging::request(message.page_size, &message.page_token, Sizes::USUAL)?;
    let (environment, organization_id, rows) = api
        .read(async |tx| {
            let organization_id = existing_organization(tx, &message.organization_id).await?;
            let rows = member::list_for_organization(tx, &organization_id, &page).await?;
            Ok((environment::get(tx).await?, organization_id, rows))
        })
        .await?;
    let paged = paging::answer(&page, rows, |member| &member.user.id);
    let count =
        async |tx: &mut Tx<'_>, limit| Ok(member::count_for_organization(tx, &organization_id, limit).await?);
    let total_size = api.total(&format!("users {organization_id}"), count).await?;
    Ok(ListOrganizationUsersResponse {
        next_page_token: paged.next_page_token,
        total_size,
        users: paged
            .rows
            .iter()
            .map(|member| render::of_member(member, &environment.id, call.now))
            .collect(),
        prev_page_token: paged.prev_page_token,
    })
}
