//! Users and memberships, as messages carry them.

use genkan_contract::scalekit::v1::commons::{
    ExternalIdentity, IdentityProviderType, MembershipStatus, OrganizationMembership, Role, UserProfile,
};
use genkan_contract::scalekit::v1::users::{Invite, User as UserMessage};
use genkan_db::Tx;
use genkan_protocol::Timestamp;
use genkan_store::identity::{self, LinkedIdentity};
use genkan_store::invitation::Invitation;
use genkan_store::member::{self, AssignedRole, Member, MembershipDetails};
use genkan_store::membership::Status;
use genkan_store::user::User;
use genkan_store::{EnvironmentId, environment};

use crate::Error;
use crate::render::{map, time};

/// The status of a membership and its invitation while they are open.
pub(super) const PENDING_INVITE: &str = Status::PendingInvite.as_str();

/// A user with their memberships and identities.
pub(super) async fn whole(tx: &mut Tx<'_>, user: User, now: Timestamp) -> Result<UserMessage, Error> {
    let environment = environment::get(tx).await?;
    let identities = identity::list_linked(tx, &user.id).await?;
    let member = member::of(tx, user).await?;
    let mut message = of_member(&member, &environment.id, now);
    if let Some(profile) = &mut message.user_profile {
        profile.external_identities = identities.iter().map(external_identity).collect();
    }
    Ok(message)
}

/// A user of a list.
pub(super) fn of_member(member: &Member, environment_id: &EnvironmentId, now: Timestamp) -> UserMessage {
    let user = &member.user;
    UserMessage {
        id: user.id.to_string(),
        environment_id: environment_id.to_string(),
        create_time: Some(time(user.created_at)),
        update_time: Some(time(user.updated_at)),
        email: user.email.to_string(),
        external_id: user.external_id.clone(),
        memberships: member
            .belongings
            .iter()
            .map(|belonging| membership(belonging, now))
            .collect(),
        user_profile: Some(profile(user)),
        metadata: map(&user.metadata),
        last_login_time: user.last_login_at.map(time),
    }
}

#[expect(
    deprecated,
    reason = "clients of older versions read first_name and last_name"
)]
fn profile(user: &User) -> UserProfile {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let digits = user.id.as_str().trim_start_matches("usr_");
    UserProfile {
        id: format!("usr_profile_{digits}"),
        given_name: text(&user.given_name),
        family_name: text(&user.family_name),
        name: user.display_name().unwrap_or_default(),
        locale: text(&user.locale),
        email_verified: user.email_verified,
        phone_number: text(&user.phone_number),
        metadata: map(&user.profile_metadata),
        custom_attributes: map(&user.custom_attributes),
        first_name: text(&user.given_name),
        last_name: text(&user.family_name),
        preferred_username: text(&user.preferred_username),
        phone_number_verified: user.phone_number_verified,
        picture: text(&user.picture),
        groups: user.groups.clone(),
        gender: text(&user.gender),
        external_identities: Vec::new(),
    }
}

fn external_identity(linked: &LinkedIdentity) -> ExternalIdentity {
    let identity = &linked.identity;
    let provider = IdentityProviderType::from_str_name(&linked.connection_provider)
        .unwrap_or(IdentityProviderType::Custom);
    ExternalIdentity {
        connection_id: identity.connection_id.to_string(),
        connection_type: linked.connection_kind.clone(),
        connection_provider: provider.into(),
        connection_user_id: identity.subject.clone(),
        is_social: false,
        last_login_time: Some(time(identity.last_login_at)),
        created_time: Some(time(identity.created_at)),
        // Every login updates the profile.
        last_synced_time: Some(time(identity.last_login_at)),
    }
}

fn membership(belonging: &MembershipDetails, now: Timestamp) -> OrganizationMembership {
    let membership = &belonging.membership;
    OrganizationMembership {
        organization_id: membership.organization_id.to_string(),
        join_time: Some(time(membership.accepted_at.unwrap_or(membership.created_at))),
        membership_status: status(membership.status_at(now)).into(),
        roles: roles(&belonging.roles),
        name: Some(belonging.organization_name.clone()),
        metadata: map(&membership.metadata),
        display_name: Some(belonging.organization_name.clone()),
        inviter_email: membership.inviter_email.clone(),
        created_at: Some(time(membership.created_at)),
        accepted_at: membership.accepted_at.map(time),
        expires_at: membership.expires_at.map(time),
        provisioning_method: membership
            .provisioning_method
            .map(|method| method.as_str().to_owned()),
        permissions: belonging.permissions.clone(),
    }
}

const fn status(status: Status) -> MembershipStatus {
    match status {
        Status::Active => MembershipStatus::Active,
        Status::Inactive => MembershipStatus::Inactive,
        Status::PendingInvite => MembershipStatus::PendingInvite,
        Status::InviteExpired => MembershipStatus::InviteExpired,
    }
}

pub(super) fn roles(roles: &[AssignedRole]) -> Vec<Role> {
    let role = |role: &AssignedRole| Role {
        id: role.id.to_string(),
        name: role.name.clone(),
        display_name: role.display_name.clone(),
    };
    roles.iter().map(role).collect()
}

pub(super) fn invite(invitation: &Invitation, inviter_email: Option<String>) -> Invite {
    Invite {
        organization_id: invitation.organization_id.to_string(),
        user_id: invitation.user_id.to_string(),
        inviter_email,
        status: PENDING_INVITE.to_owned(),
        created_at: Some(time(invitation.created_at)),
        expires_at: Some(time(invitation.expires_at)),
        resent_at: invitation.resent_at.map(time),
        resent_count: i32::try_from(invitation.resent_count).unwrap_or(i32::MAX),
    }
}
