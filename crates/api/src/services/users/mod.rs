//! Users, their memberships in organizations, and invitations.

mod lists;
mod memberships;
mod profile;
mod render;
mod roles;
mod search;

use genkan_contract::scalekit::v1::users::user_service_server::{SERVICE_NAME, UserService};
use genkan_contract::scalekit::v1::users::{
    AssignUserRolesRequest, AssignUserRolesResponse, CreateMembershipRequest, CreateMembershipResponse,
    CreateUserAndMembershipRequest, CreateUserAndMembershipResponse, DeleteMembershipRequest,
    DeleteUserRequest, GetUserRequest, GetUserResponse, ListOrganizationUsersRequest,
    ListOrganizationUsersResponse, ListUserPermissionsRequest, ListUserPermissionsResponse,
    ListUserRolesRequest, ListUserRolesResponse, ListUsersRequest, ListUsersResponse, RemoveUserRoleRequest,
    ResendInviteRequest, ResendInviteResponse, SearchOrganizationUsersRequest,
    SearchOrganizationUsersResponse, SearchUsersRequest, SearchUsersResponse, UpdateMembershipRequest,
    UpdateMembershipResponse, UpdateUserRequest, UpdateUserResponse, create_membership_request,
    delete_membership_request, delete_user_request, get_user_request, update_membership_request,
    update_user_request,
};
use genkan_db::Tx;
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, UserId, organization};
use tonic::{Request, Response};

use crate::{Answer, Api, Error, id};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[
    (
        "GetCurrentUser",
        "it speaks of the person whose session calls, and this version takes clients' tokens alone: use GetUser",
    ),
    (
        "GetSupportHash",
        "it belongs to the support widget of a hosted dashboard, which this version does not have",
    ),
];

/// How a request names a user.
#[derive(Debug)]
enum UserSelector {
    Id(String),
    ExternalId(String),
}

/// Reads the `identities` of a request: `named!(message, get_user_request)`.
macro_rules! named {
    ($message:expr, $module:ident) => {
        match $message.identities {
            Some($module::Identities::Id(id)) => UserSelector::Id(id),
            Some($module::Identities::ExternalId(id)) => UserSelector::ExternalId(id),
            None => return Err(Error::required("id").into()),
        }
    };
}

/// The user that a request names.
async fn get(tx: &mut Tx<'_>, named: &UserSelector) -> Result<User, Error> {
    let found = match named {
        UserSelector::Id(text) => user::find(tx, &id("user", text)?).await?,
        UserSelector::ExternalId(text) => user::find_by_external_id(tx, text).await?,
    };
    found.ok_or_else(|| Error::not_found("user"))
}

/// The identifier in `text`, of an organization that exists.
async fn existing_organization(tx: &mut Tx<'_>, text: &str) -> Result<OrganizationId, Error> {
    let found = organization::find(tx, &id("organization", text)?).await?;
    found
        .map(|organization| organization.id)
        .ok_or_else(|| Error::not_found("organization"))
}

#[tonic::async_trait]
impl UserService for Api {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Answer<GetUserResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, get_user_request);
        let user = self
            .read(async |tx| {
                let user = get(tx, &named).await?;
                render::whole(tx, user, call.now).await
            })
            .await?;
        Ok(Response::new(GetUserResponse { user: Some(user) }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Answer<ListUsersResponse> {
        let (call, message) = self.accept(request);
        Ok(Response::new(lists::users(self, &call, &message).await?))
    }

    async fn search_users(&self, request: Request<SearchUsersRequest>) -> Answer<SearchUsersResponse> {
        let (call, message) = self.accept(request);
        Ok(Response::new(search::everywhere(self, &call, &message).await?))
    }

    async fn search_organization_users(
        &self,
        request: Request<SearchOrganizationUsersRequest>,
    ) -> Answer<SearchOrganizationUsersResponse> {
        let (call, message) = self.accept(request);
        let answer = search::in_organization(self, &call, &message).await?;
        Ok(Response::new(answer))
    }

    async fn list_organization_users(
        &self,
        request: Request<ListOrganizationUsersRequest>,
    ) -> Answer<ListOrganizationUsersResponse> {
        let (call, message) = self.accept(request);
        let answer = lists::organization_users(self, &call, &message).await?;
        Ok(Response::new(answer))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Answer<UpdateUserResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, update_user_request);
        let wanted = message.user.ok_or_else(|| Error::required("user"))?;
        let change = profile::Change::read(wanted, message.update_mask)?;
        let user = self
            .tx(async |tx| {
                let mut user = get(tx, &named).await?;
                change.apply(&mut user);
                user::update(tx, call.at(), &user).await?;
                let user = get(tx, &UserSelector::Id(user.id.to_string())).await?;
                render::whole(tx, user, call.now).await
            })
            .await?;
        Ok(Response::new(UpdateUserResponse { user: Some(user) }))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let named = named!(message, delete_user_request);
        self.tx(async |tx| {
            let user = get(tx, &named).await?;
            Ok(user::delete(tx, call.at(), &user.id).await?)
        })
        .await?;
        // The clients of the ended sessions must be told.
        self.host().wake_jobs();
        Ok(Response::new(()))
    }

    async fn create_user_and_membership(
        &self,
        request: Request<CreateUserAndMembershipRequest>,
    ) -> Answer<CreateUserAndMembershipResponse> {
        let (call, message) = self.accept(request);
        let user = memberships::create_with_user(self, &call, message).await?;
        Ok(Response::new(CreateUserAndMembershipResponse {
            user: Some(user),
        }))
    }

    async fn create_membership(
        &self,
        request: Request<CreateMembershipRequest>,
    ) -> Answer<CreateMembershipResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, create_membership_request);
        let wanted = message.membership.ok_or_else(|| Error::required("membership"))?;
        let sends = message.send_invitation_email;
        let joining = memberships::MembershipRequest::read(&message.organization_id, Some(wanted), sends)?;
        let user = memberships::create(self, &call, &named, &joining).await?;
        Ok(Response::new(CreateMembershipResponse { user: Some(user) }))
    }

    async fn update_membership(
        &self,
        request: Request<UpdateMembershipRequest>,
    ) -> Answer<UpdateMembershipResponse> {
        let (call, message) = self.accept(request);
        let named = named!(message, update_membership_request);
        let wanted = message.membership.ok_or_else(|| Error::required("membership"))?;
        let change = memberships::Change::read(wanted, message.update_mask)?;
        let user = memberships::update(self, &call, (&message.organization_id, &named), &change).await?;
        Ok(Response::new(UpdateMembershipResponse { user: Some(user) }))
    }

    async fn delete_membership(&self, request: Request<DeleteMembershipRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        let named = named!(message, delete_membership_request);
        memberships::delete(
            self,
            &call,
            (&message.organization_id, &named),
            message.cascade.unwrap_or(false),
        )
        .await?;
        Ok(Response::new(()))
    }

    async fn resend_invite(&self, request: Request<ResendInviteRequest>) -> Answer<ResendInviteResponse> {
        let (call, message) = self.accept(request);
        let invite = memberships::resend(self, &call, &message).await?;
        Ok(Response::new(ResendInviteResponse { invite: Some(invite) }))
    }

    async fn list_user_roles(&self, request: Request<ListUserRolesRequest>) -> Answer<ListUserRolesResponse> {
        let (_, message) = self.accept(request);
        let roles = roles::list(self, &message.organization_id, &message.user_id).await?;
        Ok(Response::new(ListUserRolesResponse { roles }))
    }

    async fn assign_user_roles(
        &self,
        request: Request<AssignUserRolesRequest>,
    ) -> Answer<AssignUserRolesResponse> {
        let (call, message) = self.accept(request);
        let roles = roles::assign(self, &call, &message).await?;
        Ok(Response::new(AssignUserRolesResponse { roles }))
    }

    async fn remove_user_role(&self, request: Request<RemoveUserRoleRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        roles::remove(self, &call, &message).await?;
        Ok(Response::new(()))
    }

    async fn list_user_permissions(
        &self,
        request: Request<ListUserPermissionsRequest>,
    ) -> Answer<ListUserPermissionsResponse> {
        let (_, message) = self.accept(request);
        let permissions = roles::permissions(self, &message.organization_id, &message.user_id).await?;
        Ok(Response::new(ListUserPermissionsResponse { permissions }))
    }
}

/// An organization that exists, and one of its members, of any status.
async fn member_of(
    tx: &mut Tx<'_>,
    organization_id: &str,
    user_id: &str,
) -> Result<(OrganizationId, UserId), Error> {
    let organization_id = existing_organization(tx, organization_id).await?;
    let user_id: UserId = id("user", user_id)?;
    genkan_store::membership::find(tx, &organization_id, &user_id)
        .await?
        .ok_or_else(|| Error::not_found("membership"))?;
    Ok((organization_id, user_id))
}
