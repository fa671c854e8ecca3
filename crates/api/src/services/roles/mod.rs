//! Roles and permissions, of the environment and of organizations.

mod permission;
mod refuse;
mod role;
mod view;

use genkan_contract::scalekit::v1::roles::roles_service_server::{RolesService, SERVICE_NAME};
use genkan_contract::scalekit::v1::roles::{
    AddPermissionsToRoleRequest, AddPermissionsToRoleResponse, CreateOrganizationRoleRequest,
    CreateOrganizationRoleResponse, CreatePermissionRequest, CreatePermissionResponse, CreateRoleRequest,
    CreateRoleResponse, DeleteOrganizationRoleBaseRequest, DeleteOrganizationRoleRequest,
    DeletePermissionRequest, DeleteRoleBaseRequest, DeleteRoleRequest, GetOrganizationRoleRequest,
    GetOrganizationRoleResponse, GetOrganizationRoleUsersCountRequest, GetOrganizationRoleUsersCountResponse,
    GetPermissionRequest, GetPermissionResponse, GetRoleRequest, GetRoleResponse, GetRoleUsersCountRequest,
    GetRoleUsersCountResponse, ListDependentRolesRequest, ListDependentRolesResponse,
    ListEffectiveRolePermissionsRequest, ListEffectiveRolePermissionsResponse, ListOrganizationRolesRequest,
    ListOrganizationRolesResponse, ListPermissionsRequest, ListPermissionsResponse,
    ListRolePermissionsRequest, ListRolePermissionsResponse, ListRolesRequest, ListRolesResponse,
    RemovePermissionFromRoleRequest, UpdateDefaultOrganizationRolesRequest,
    UpdateDefaultOrganizationRolesResponse, UpdateDefaultRolesRequest, UpdateDefaultRolesResponse,
    UpdateOrganizationRoleRequest, UpdateOrganizationRoleResponse, UpdatePermissionRequest,
    UpdatePermissionResponse, UpdateRoleRequest, UpdateRoleResponse,
};
use tonic::{Request, Response};

use crate::{Answer, Api};
use role::{Owner, RoleReference};
use view::Include;

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[];

#[tonic::async_trait]
impl RolesService for Api {
    async fn create_role(&self, request: Request<CreateRoleRequest>) -> Answer<CreateRoleResponse> {
        let (call, message) = self.accept(request);
        let wanted = message.role.unwrap_or_default().into();
        let role = role::create(self, &call, Owner::environment(), wanted).await?;
        Ok(Response::new(CreateRoleResponse { role: Some(role) }))
    }

    async fn update_role(&self, request: Request<UpdateRoleRequest>) -> Answer<UpdateRoleResponse> {
        let (call, message) = self.accept(request);
        let change = message.role.unwrap_or_default();
        let role = role::update(self, &call, Owner::environment(), (&message.role_name, change)).await?;
        Ok(Response::new(UpdateRoleResponse { role: Some(role) }))
    }

    async fn get_role(&self, request: Request<GetRoleRequest>) -> Answer<GetRoleResponse> {
        let (_, message) = self.accept(request);
        let include = Include::parse(message.include.as_deref())?;
        let role = role::get(self, Owner::environment(), &message.role_name, include).await?;
        Ok(Response::new(GetRoleResponse { role: Some(role) }))
    }

    async fn list_roles(&self, request: Request<ListRolesRequest>) -> Answer<ListRolesResponse> {
        let (_, message) = self.accept(request);
        let include = Include::parse(message.include.as_deref())?;
        let roles = role::list(self, Owner::environment(), include).await?;
        Ok(Response::new(ListRolesResponse { roles }))
    }

    async fn delete_role(&self, request: Request<DeleteRoleRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        #[expect(deprecated, reason = "older SDKs send it")]
        let by_id = message.reassign_role_id.map(RoleReference::Id);
        let replacement = message.reassign_role_name.map(RoleReference::Name).or(by_id);
        let names = (message.role_name.as_str(), replacement);
        role::delete(self, &call, Owner::environment(), names).await?;
        Ok(Response::new(()))
    }

    async fn create_organization_role(
        &self,
        request: Request<CreateOrganizationRoleRequest>,
    ) -> Answer<CreateOrganizationRoleResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let wanted = message.role.unwrap_or_default().into();
        let role = role::create(self, &call, owner, wanted).await?;
        Ok(Response::new(CreateOrganizationRoleResponse { role: Some(role) }))
    }

    async fn update_organization_role(
        &self,
        request: Request<UpdateOrganizationRoleRequest>,
    ) -> Answer<UpdateOrganizationRoleResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let change = message.role.unwrap_or_default();
        let role = role::update(self, &call, owner, (&message.role_name, change)).await?;
        Ok(Response::new(UpdateOrganizationRoleResponse { role: Some(role) }))
    }

    async fn get_organization_role(
        &self,
        request: Request<GetOrganizationRoleRequest>,
    ) -> Answer<GetOrganizationRoleResponse> {
        let (_, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let include = Include::parse(message.include.as_deref())?;
        let role = role::get(self, owner, &message.role_name, include).await?;
        Ok(Response::new(GetOrganizationRoleResponse { role: Some(role) }))
    }

    async fn list_organization_roles(
        &self,
        request: Request<ListOrganizationRolesRequest>,
    ) -> Answer<ListOrganizationRolesResponse> {
        let (_, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let include = Include::parse(message.include.as_deref())?;
        let roles = role::list(self, owner, include).await?;
        Ok(Response::new(ListOrganizationRolesResponse { roles }))
    }

    async fn delete_organization_role(&self, request: Request<DeleteOrganizationRoleRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let replacement = message.reassign_role_name.map(RoleReference::Name);
        let names = (message.role_name.as_str(), replacement);
        role::delete(self, &call, owner, names).await?;
        Ok(Response::new(()))
    }

    async fn get_role_users_count(
        &self,
        request: Request<GetRoleUsersCountRequest>,
    ) -> Answer<GetRoleUsersCountResponse> {
        let (_, message) = self.accept(request);
        let count = role::count_users(self, Owner::environment(), &message.role_name).await?;
        Ok(Response::new(GetRoleUsersCountResponse { count }))
    }

    async fn get_organization_role_users_count(
        &self,
        request: Request<GetOrganizationRoleUsersCountRequest>,
    ) -> Answer<GetOrganizationRoleUsersCountResponse> {
        let (_, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let count = role::count_users(self, owner, &message.role_name).await?;
        Ok(Response::new(GetOrganizationRoleUsersCountResponse { count }))
    }

    async fn update_default_roles(
        &self,
        request: Request<UpdateDefaultRolesRequest>,
    ) -> Answer<UpdateDefaultRolesResponse> {
        let (call, message) = self.accept(request);
        let (default_creator, default_member) = role::set_defaults(self, &call, message).await?;
        Ok(Response::new(UpdateDefaultRolesResponse {
            default_creator,
            default_member,
        }))
    }

    async fn update_default_organization_roles(
        &self,
        request: Request<UpdateDefaultOrganizationRolesRequest>,
    ) -> Answer<UpdateDefaultOrganizationRolesResponse> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        let role = role::set_organization_default(self, &call, owner, &message.default_member_role).await?;
        Ok(Response::new(UpdateDefaultOrganizationRolesResponse {
            default_member: Some(role),
        }))
    }

    async fn list_dependent_roles(
        &self,
        request: Request<ListDependentRolesRequest>,
    ) -> Answer<ListDependentRolesResponse> {
        let (_, message) = self.accept(request);
        let roles = role::list_dependents(self, &message.role_name).await?;
        Ok(Response::new(ListDependentRolesResponse { roles }))
    }

    async fn delete_role_base(&self, request: Request<DeleteRoleBaseRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        role::delete_base(self, &call, Owner::environment(), &message.role_name).await?;
        Ok(Response::new(()))
    }

    async fn delete_organization_role_base(
        &self,
        request: Request<DeleteOrganizationRoleBaseRequest>,
    ) -> Answer<()> {
        let (call, message) = self.accept(request);
        let owner = Owner::organization(&message.org_id)?;
        role::delete_base(self, &call, owner, &message.role_name).await?;
        Ok(Response::new(()))
    }

    async fn create_permission(
        &self,
        request: Request<CreatePermissionRequest>,
    ) -> Answer<CreatePermissionResponse> {
        let (call, message) = self.accept(request);
        let wanted = message.permission.unwrap_or_default();
        let permission = permission::create(self, &call, wanted).await?;
        Ok(Response::new(CreatePermissionResponse {
            permission: Some(permission),
        }))
    }

    async fn get_permission(&self, request: Request<GetPermissionRequest>) -> Answer<GetPermissionResponse> {
        let (_, message) = self.accept(request);
        let permission = permission::get(self, &message.permission_name).await?;
        Ok(Response::new(GetPermissionResponse {
            permission: Some(permission),
        }))
    }

    async fn update_permission(
        &self,
        request: Request<UpdatePermissionRequest>,
    ) -> Answer<UpdatePermissionResponse> {
        let (call, message) = self.accept(request);
        let wanted = message.permission.unwrap_or_default();
        let permission = permission::update(self, &call, &message.permission_name, wanted).await?;
        Ok(Response::new(UpdatePermissionResponse {
            permission: Some(permission),
        }))
    }

    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Answer<ListPermissionsResponse> {
        let (_, message) = self.accept(request);
        Ok(Response::new(permission::list(self, &message).await?))
    }

    async fn delete_permission(&self, request: Request<DeletePermissionRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        permission::delete(self, &call, &message.permission_name).await?;
        Ok(Response::new(()))
    }

    async fn list_role_permissions(
        &self,
        request: Request<ListRolePermissionsRequest>,
    ) -> Answer<ListRolePermissionsResponse> {
        let (_, message) = self.accept(request);
        let permissions = permission::list_for_role(self, &message.role_name).await?;
        Ok(Response::new(ListRolePermissionsResponse { permissions }))
    }

    async fn add_permissions_to_role(
        &self,
        request: Request<AddPermissionsToRoleRequest>,
    ) -> Answer<AddPermissionsToRoleResponse> {
        let (call, message) = self.accept(request);
        let permissions =
            permission::add_to_role(self, &call, &message.role_name, &message.permission_names).await?;
        Ok(Response::new(AddPermissionsToRoleResponse { permissions }))
    }

    async fn remove_permission_from_role(
        &self,
        request: Request<RemovePermissionFromRoleRequest>,
    ) -> Answer<()> {
        let (call, message) = self.accept(request);
        permission::remove_from_role(self, &call, &message.role_name, &message.permission_name).await?;
        Ok(Response::new(()))
    }

    async fn list_effective_role_permissions(
        &self,
        request: Request<ListEffectiveRolePermissionsRequest>,
    ) -> Answer<ListEffectiveRolePermissionsResponse> {
        let (_, message) = self.accept(request);
        let permissions = permission::list_effective(self, &message.role_name).await?;
        Ok(Response::new(ListEffectiveRolePermissionsResponse {
            permissions,
        }))
    }
}
