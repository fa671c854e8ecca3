//! Directories: sources of an organization's people and groups.

mod people;
mod render;

use genkan_contract::scalekit::v1::directories::directory_service_server::{DirectoryService, SERVICE_NAME};
use genkan_contract::scalekit::v1::directories::*;
use genkan_db::Tx;
use genkan_store::directory::group::{self, AssignOutcome};
use genkan_store::directory::secret::{self, DirectorySecret};
use genkan_store::directory::{self, AttributeMapping as StoredMapping, Directory as StoredDirectory};
use genkan_store::{DirectoryGroupId, DirectoryId, OrganizationId, RoleId, conflict, organization, role};
use tonic::{Request, Response};

use self::render::DirectoryView;
use super::connections::change::context;
use crate::{Answer, Api, Call, Error, id, render as shared};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

/// The most attributes that can be mapped, as for connections.
const MAX_ATTRIBUTES: usize = 30;

/// The organization's directory, or a refusal.
async fn require(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    id: &DirectoryId,
) -> Result<StoredDirectory, Error> {
    let found = directory::find(tx, organization_id, id).await?;
    found.ok_or_else(|| Error::not_found("directory"))
}

/// The organization and the directory that a message names.
fn ids(organization: &str, directory: &str) -> Result<(OrganizationId, DirectoryId), Error> {
    Ok((id("organization", organization)?, id("directory", directory)?))
}

/// The store's refusals, in words.
fn refuse(error: genkan_store::Error) -> Error {
    match error {
        genkan_store::Error::Conflict(conflict::DIRECTORY_ENABLED) => {
            Error::precondition("the directory is enabled: disable it before you delete it")
        }
        genkan_store::Error::Conflict(conflict::DIRECTORY_SECRETS) => Error::precondition(format!(
            "the directory has {} secrets already: regenerate them",
            secret::MAX_SECRETS
        )),
        other => other.into(),
    }
}

impl Api {
    async fn toggle_directory(
        &self,
        call: &Call<'_>,
        message: ToggleDirectoryRequest,
        enabled: bool,
    ) -> Answer<ToggleDirectoryResponse> {
        let (organization_id, id) = ids(&message.organization_id, &message.id)?;
        self.tx(async |tx| {
            let changed = directory::set_enabled(tx, call.at(), &organization_id, &id, enabled).await?;
            changed.ok_or_else(|| Error::not_found("directory"))
        })
        .await?;
        Ok(Response::new(ToggleDirectoryResponse {
            enabled,
            error_message: None,
        }))
    }

    /// A new secret, beside the others or instead of them.
    async fn new_secret(
        &self,
        call: &Call<'_>,
        (organization_id, id): (OrganizationId, DirectoryId),
        replaces: bool,
    ) -> Result<(DirectorySecret, genkan_store::Secret), Error> {
        self.tx(async |tx| {
            let directory = require(tx, &organization_id, &id).await?;
            let made = match replaces {
                true => secret::regenerate(tx, call.at(), &directory).await,
                false => secret::create(tx, call.at(), &directory).await,
            };
            made.map_err(refuse)
        })
        .await
    }

    /// Changes a directory and shows it.
    async fn change_directory(
        &self,
        call: &Call<'_>,
        (organization_id, id): (OrganizationId, DirectoryId),
        change: impl Fn(&mut StoredDirectory) + Clone,
    ) -> Result<Directory, Error> {
        let shown = self
            .tx(async |tx| {
                let mut directory = require(tx, &organization_id, &id).await?;
                change(&mut directory);
                directory::update(tx, call.at(), &directory).await?;
                let directory = require(tx, &organization_id, &id).await?;
                DirectoryView::of(tx, directory).await
            })
            .await?;
        Ok(render::directory(self, &shown))
    }
}

#[tonic::async_trait]
impl DirectoryService for Api {
    async fn create_directory(
        &self,
        request: Request<CreateDirectoryRequest>,
    ) -> Answer<CreateDirectoryResponse> {
        let (call, message) = self.accept(request);
        let organization_id: OrganizationId = id("organization", &message.organization_id)?;
        let wanted = message.directory.ok_or_else(|| Error::required("directory"))?;
        render::check_kind("directory.directory_type", wanted.directory_type)?;
        let provider = render::read_provider("directory.directory_provider", wanted.directory_provider)?;
        let shown = self
            .tx(async |tx| {
                let found = organization::find(tx, &organization_id).await?;
                found.ok_or_else(|| Error::not_found("organization"))?;
                let directory = StoredDirectory::new(call.at(), organization_id.clone(), provider);
                directory::insert(tx, call.at(), &directory).await?;
                DirectoryView::of(tx, directory).await
            })
            .await?;
        Ok(Response::new(CreateDirectoryResponse {
            directory: Some(render::directory(self, &shown)),
        }))
    }

    async fn delete_directory(&self, request: Request<DeleteDirectoryRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.id)?;
        self.tx(async |tx| {
            let deleted = directory::delete(tx, call.at(), &organization_id, &id).await;
            match deleted.map_err(refuse)? {
                true => Ok(()),
                false => Err(Error::not_found("directory")),
            }
        })
        .await?;
        Ok(Response::new(()))
    }

    async fn update_directory(
        &self,
        request: Request<UpdateDirectoryRequest>,
    ) -> Answer<UpdateDirectoryResponse> {
        let (call, message) = self.accept(request);
        let named = ids(&message.organization_id, &message.id)?;
        let wanted = message.directory.ok_or_else(|| Error::required("directory"))?;
        render::check_kind("directory.directory_type", wanted.directory_type)?;
        let provider = render::read_provider("directory.directory_provider", wanted.directory_provider)?;
        let status = render::read_status("directory.status", wanted.status)?;
        if !wanted.groups.is_empty() {
            return Err(Error::invalid(
                "directory.groups",
                "cannot be entered: the provider of a SCIM directory sends its groups",
            )
            .into());
        }
        if wanted.mappings.len() > MAX_ATTRIBUTES {
            return Err(too_many("directory.mappings").into());
        }
        let mapping: Vec<StoredMapping> = wanted
            .mappings
            .into_iter()
            .map(|mapping| StoredMapping {
                key: mapping.key,
                map_to: mapping.map_to,
                display_name: Some(mapping.display_name).filter(|name| !name.is_empty()),
            })
            .collect();
        let directory = self
            .change_directory(&call, named, |directory| {
                directory.name.clone_from(&wanted.name);
                directory.provider = provider.or(directory.provider);
                directory.status = status.unwrap_or(directory.status);
                if !mapping.is_empty() {
                    directory.attribute_mapping.clone_from(&mapping);
                }
            })
            .await?;
        Ok(Response::new(UpdateDirectoryResponse {
            directory: Some(directory),
        }))
    }

    async fn assign_groups_for_directory(
        &self,
        request: Request<AssignGroupsForDirectoryRequest>,
    ) -> Answer<()> {
        let (_, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.id)?;
        self.read(async |tx| require(tx, &organization_id, &id).await)
            .await?;
        Err(Error::precondition(
            "which groups a SCIM directory sends is chosen at its provider: assign them there",
        )
        .into())
    }

    async fn assign_roles(&self, request: Request<AssignRolesRequest>) -> Answer<AssignRolesResponse> {
        let (call, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.id)?;
        let wanted = message.role_assignments.unwrap_or_default().assignments;
        let roles = self
            .tx(async |tx| {
                let directory = require(tx, &organization_id, &id).await?;
                let assignments = read_assignments(tx, &organization_id, &wanted).await?;
                match group::assign_roles(tx, call.at(), &directory, &assignments).await? {
                    AssignOutcome::Assigned => {}
                    AssignOutcome::UnknownGroup(_) => return Err(Error::not_found("directory group")),
                }
                Ok(group::role_assignments(tx, &organization_id, &id).await?)
            })
            .await?;
        Ok(Response::new(AssignRolesResponse {
            role_assignments: Some(render::role_assignments(&roles)),
        }))
    }

    async fn update_attributes(
        &self,
        request: Request<UpdateAttributesRequest>,
    ) -> Answer<UpdateAttributesResponse> {
        let (call, message) = self.accept(request);
        let named = ids(&message.organization_id, &message.id)?;
        let wanted = message.attribute_mapping.unwrap_or_default().attributes;
        if wanted.len() > MAX_ATTRIBUTES {
            return Err(too_many("attribute_mapping").into());
        }
        let directory = self
            .change_directory(&call, named, |directory| {
                let known = std::mem::take(&mut directory.attribute_mapping);
                directory.attribute_mapping = wanted
                    .iter()
                    .map(|mapping| StoredMapping {
                        key: mapping.key.clone(),
                        map_to: mapping.map_to.clone(),
                        display_name: known
                            .iter()
                            .find(|known| known.key == mapping.key)
                            .and_then(|known| known.display_name.clone()),
                    })
                    .collect();
            })
            .await?;
        Ok(Response::new(UpdateAttributesResponse {
            attribute_mappings: directory.attribute_mappings,
        }))
    }

    async fn get_directory(&self, request: Request<GetDirectoryRequest>) -> Answer<GetDirectoryResponse> {
        let (_, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.id)?;
        let shown = self
            .read(async |tx| {
                let directory = require(tx, &organization_id, &id).await?;
                DirectoryView::of(tx, directory).await
            })
            .await?;
        Ok(Response::new(GetDirectoryResponse {
            directory: Some(render::directory(self, &shown)),
        }))
    }

    async fn list_directories(
        &self,
        request: Request<ListDirectoriesRequest>,
    ) -> Answer<ListDirectoriesResponse> {
        let (_, message) = self.accept(request);
        let organization_id: OrganizationId = id("organization", &message.organization_id)?;
        let shown = self
            .read(async |tx| {
                let found = organization::find(tx, &organization_id).await?;
                found.ok_or_else(|| Error::not_found("organization"))?;
                let mut shown = Vec::new();
                for directory in directory::list(tx, &organization_id).await? {
                    shown.push(DirectoryView::of(tx, directory).await?);
                }
                Ok(shown)
            })
            .await?;
        Ok(Response::new(ListDirectoriesResponse {
            directories: shown.iter().map(|shown| render::directory(self, shown)).collect(),
        }))
    }

    async fn enable_directory(
        &self,
        request: Request<ToggleDirectoryRequest>,
    ) -> Answer<ToggleDirectoryResponse> {
        let (call, message) = self.accept(request);
        self.toggle_directory(&call, message, true).await
    }

    async fn disable_directory(
        &self,
        request: Request<ToggleDirectoryRequest>,
    ) -> Answer<ToggleDirectoryResponse> {
        let (call, message) = self.accept(request);
        self.toggle_directory(&call, message, false).await
    }

    async fn list_directory_users(
        &self,
        request: Request<ListDirectoryUsersRequest>,
    ) -> Answer<ListDirectoryUsersResponse> {
        let (_, message) = self.accept(request);
        Ok(Response::new(self.list_people(message).await?))
    }

    async fn list_directory_groups(
        &self,
        request: Request<ListDirectoryGroupsRequest>,
    ) -> Answer<ListDirectoryGroupsResponse> {
        let (_, message) = self.accept(request);
        Ok(Response::new(self.list_groups(message).await?))
    }

    async fn list_directory_groups_summary(
        &self,
        request: Request<ListDirectoryGroupsSummaryRequest>,
    ) -> Answer<ListDirectoryGroupsResponse> {
        let (_, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.directory_id)?;
        Ok(Response::new(self.summarize_groups(&organization_id, &id).await?))
    }

    async fn create_directory_secret(
        &self,
        request: Request<CreateDirectorySecretRequest>,
    ) -> Answer<CreateDirectorySecretResponse> {
        let (call, message) = self.accept(request);
        let named = ids(&message.organization_id, &message.directory_id)?;
        let (secret, value) = self.new_secret(&call, named, false).await?;
        Ok(Response::new(CreateDirectorySecretResponse {
            plain_secret: value.expose().to_owned(),
            secret: Some(render::secret(&secret)),
        }))
    }

    async fn regenerate_directory_secret(
        &self,
        request: Request<RegenerateDirectorySecretRequest>,
    ) -> Answer<RegenerateDirectorySecretResponse> {
        let (call, message) = self.accept(request);
        let named = ids(&message.organization_id, &message.directory_id)?;
        let (secret, value) = self.new_secret(&call, named, true).await?;
        Ok(Response::new(RegenerateDirectorySecretResponse {
            plain_secret: value.expose().to_owned(),
            secret: Some(render::secret(&secret)),
        }))
    }

    async fn trigger_directory_sync(&self, request: Request<TriggerDirectorySyncRequest>) -> Answer<()> {
        let (_, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.directory_id)?;
        self.read(async |tx| require(tx, &organization_id, &id).await)
            .await?;
        Err(Error::precondition(
            "a SCIM directory is written by its provider: start the synchronisation there",
        )
        .into())
    }

    async fn get_directory_context(
        &self,
        request: Request<GetDirectoryContextRequest>,
    ) -> Answer<GetDirectoryContextResponse> {
        let (_, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.directory_id)?;
        let context = self
            .read(async |tx| {
                require(tx, &organization_id, &id).await?;
                Ok(directory::context(tx, &organization_id, &id).await?)
            })
            .await?;
        Ok(Response::new(GetDirectoryContextResponse {
            context: Some(shared::structure(&context)),
        }))
    }

    async fn update_directory_context(&self, request: Request<UpdateDirectoryContextRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let (organization_id, id) = ids(&message.organization_id, &message.directory_id)?;
        let context = context("context", message.context)?;
        self.tx(async |tx| {
            require(tx, &organization_id, &id).await?;
            Ok(directory::set_context(tx, call.at(), &organization_id, &id, &context).await?)
        })
        .await?;
        Ok(Response::new(()))
    }
}

fn too_many(field: &str) -> Error {
    Error::invalid(field, &format!("maps more than {MAX_ATTRIBUTES} attributes"))
}

/// The groups and roles that a message names. A directory can give roles of the environment
/// and of its organization.
async fn read_assignments(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    wanted: &[RoleAssignment],
) -> Result<Vec<(DirectoryGroupId, RoleId)>, Error> {
    let mut assignments = Vec::with_capacity(wanted.len());
    for assignment in wanted {
        let group_id = id("directory group", &assignment.group_id)?;
        let role = role::find(tx, Some(organization_id), &assignment.role_name).await?;
        let role = role.ok_or_else(|| Error::not_found("role"))?;
        if !assignment.role_id.is_empty() && assignment.role_id != role.id.as_str() {
            return Err(Error::invalid(
                "role_assignments.assignments.role_id",
                "is not the role of this role_name",
            ));
        }
        assignments.push((group_id, role.id));
    }
    Ok(assignments)
}
