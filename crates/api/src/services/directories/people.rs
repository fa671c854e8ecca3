//! The people and groups of a directory, in pages.

use genkan_contract::scalekit::v1::directories::{
    ListDirectoryGroupsRequest, ListDirectoryGroupsResponse, ListDirectoryUsersRequest,
    ListDirectoryUsersResponse,
};
use genkan_protocol::Timestamp;
use genkan_store::directory::group::{self, DirectoryGroup};
use genkan_store::directory::user::{self, DirectoryUser, Filter};
use genkan_store::{DirectoryGroupId, DirectoryId, MAX_LIMIT, OrganizationId, Page};

use super::{render, require};
use crate::paging::{self, Sizes};
use crate::{Api, Error, id};

/// How many people or groups a page has.
const SIZES: Sizes = Sizes { default: 10, max: 30 };

/// How many groups a summary names.
const MAX_SUMMARY: usize = 5_000;

/// A moment of a message.
fn moment(field: &str, at: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, Error> {
    let Some(at) = at else { return Ok(None) };
    let micros = at
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(at.nanos / 1_000)));
    let micros = micros.ok_or_else(|| Error::invalid(field, "lies too far away"))?;
    Ok(Some(Timestamp::from_micros(micros)))
}

impl Api {
    pub(super) async fn list_people(
        &self,
        message: ListDirectoryUsersRequest,
    ) -> Result<ListDirectoryUsersResponse, Error> {
        let organization_id: OrganizationId = id("organization", &message.organization_id)?;
        let directory_id: DirectoryId = id("directory", &message.directory_id)?;
        let group_id = message.directory_group_id.as_deref();
        let filter = Filter {
            group_id: group_id.map(|text| id("directory group", text)).transpose()?,
            updated_after: moment("updated_after", message.updated_after)?,
        };
        let detail = message.include_detail.unwrap_or_default();
        let page = paging::request(message.page_size, &message.page_token, SIZES)?;
        let rows = self
            .read(async |tx| {
                require(tx, &organization_id, &directory_id).await?;
                if let Some(group_id) = &filter.group_id {
                    let found = group::find(tx, &directory_id, group_id).await?;
                    found.ok_or_else(|| Error::not_found("directory group"))?;
                }
                let mut rows = Vec::new();
                for user in user::list(tx, &directory_id, &filter, &page).await? {
                    let groups = group::list_for_user(tx, &user.id).await?;
                    rows.push((user, groups));
                }
                Ok(rows)
            })
            .await?;
        let list = format!(
            "directory users {directory_id} {:?} {:?}",
            filter.group_id,
            filter.updated_after.map(Timestamp::as_micros)
        );
        let total = self
            .total(&list, async |tx, limit| {
                Ok(user::count(tx, &directory_id, &filter, limit).await?)
            })
            .await?;
        let paged = paging::answer(&page, rows, |(user, _): &(DirectoryUser, Vec<DirectoryGroup>)| {
            &user.id
        });
        let users = paged.rows.iter();
        Ok(ListDirectoryUsersResponse {
            users: users
                .map(|(user, groups)| render::user(user, groups, detail))
                .collect(),
            total_size: total,
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
        })
    }

    pub(super) async fn list_groups(
        &self,
        message: ListDirectoryGroupsRequest,
    ) -> Result<ListDirectoryGroupsResponse, Error> {
        let organization_id: OrganizationId = id("organization", &message.organization_id)?;
        let directory_id: DirectoryId = id("directory", &message.directory_id)?;
        let updated_after = moment("updated_after", message.updated_after)?;
        let detail = message.include_detail.unwrap_or_default();
        let page = paging::request(message.page_size, &message.page_token, SIZES)?;
        let rows = self
            .read(async |tx| {
                require(tx, &organization_id, &directory_id).await?;
                Ok(group::list(tx, &directory_id, updated_after, &page).await?)
            })
            .await?;
        let list = format!(
            "directory groups {directory_id} {:?}",
            updated_after.map(Timestamp::as_micros)
        );
        let total = self
            .total(&list, async |tx, limit| {
                Ok(group::count(tx, &directory_id, updated_after, limit).await?)
            })
            .await?;
        let paged = paging::answer(&page, rows, |group: &DirectoryGroup| &group.id);
        Ok(ListDirectoryGroupsResponse {
            groups: paged
                .rows
                .iter()
                .map(|group| render::group(group, detail))
                .collect(),
            total_size: total,
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
        })
    }

    /// All groups at once, to choose from.
    pub(super) async fn summarize_groups(
        &self,
        organization_id: &OrganizationId,
        directory_id: &DirectoryId,
    ) -> Result<ListDirectoryGroupsResponse, Error> {
        let groups = self
            .read(async |tx| {
                require(tx, organization_id, directory_id).await?;
                let mut groups: Vec<DirectoryGroup> = Vec::new();
                let mut page: Page<DirectoryGroupId> = Page::first(MAX_LIMIT);
                while groups.len() < MAX_SUMMARY {
                    let rows = group::list(tx, directory_id, None, &page).await?;
                    let is_last = rows.len() < MAX_LIMIT as usize;
                    groups.extend(rows);
                    match groups.last() {
                        Some(last) if !is_last => page = Page::after(MAX_LIMIT, last.id.clone()),
                        _ => break,
                    }
                }
                Ok(groups)
            })
            .await?;
        Ok(ListDirectoryGroupsResponse {
            total_size: u32::try_from(groups.len()).unwrap_or(u32::MAX),
            groups: groups.iter().map(|group| render::group(group, false)).collect(),
            next_page_token: String::new(),
            prev_page_token: String::new(),
        })
    }
}
