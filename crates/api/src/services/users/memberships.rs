//! Memberships and invitations.

use std::collections::BTreeMap;

use genkan_contract::scalekit::v1::users::{
    CreateMembership, CreateUserAndMembershipRequest, Invite, ResendInviteRequest, UpdateMembership,
    User as UserMessage,
};
use genkan_db::Tx;
use genkan_store::membership::{self, NewMember, ProvisioningMethod, Status};
use genkan_store::user::{self, User};
use genkan_store::{OrganizationId, UserId, invitation};
use prost_types::FieldMask;
use serde_json::{Map, Value};

use super::{UserSelector, existing_organization, get, profile, render, roles};
use crate::call::Call;
use crate::mask::MaskedUpdate;
use crate::render::object;
use crate::{Api, Error, id};

/// A membership that a caller wants.
pub(super) struct MembershipRequest {
    organization_id: String,
    roles: Vec<roles::RoleSelector>,
    metadata: BTreeMap<String, String>,
    inviter_email: Option<String>,
    /// Whether the person is asked first, by mail.
    invited: bool,
}

impl MembershipRequest {
    /// If the request does not mention the mail, it is sent, as the SDKs document.
    pub(super) fn read(
        organization_id: &str,
        wanted: Option<CreateMembership>,
        sends: Option<bool>,
    ) -> Result<Self, Error> {
        let wanted = wanted.unwrap_or_default();
        Ok(Self {
            organization_id: organization_id.to_owned(),
            roles: roles::named(wanted.roles, "membership.roles")?,
            metadata: wanted.metadata,
            inviter_email: wanted.inviter_email.filter(|email| !email.is_empty()),
            invited: sends.unwrap_or(true),
        })
    }

    fn check(&self, api: &Api) -> Result<(), Error> {
        if self.invited && !api.host().sends_mail() {
            return Err(Error::precondition(
                "this instance has no mail server to send the invitation with: set mail.smtp_url, or send_invitation_email to false",
            ));
        }
        Ok(())
    }

    async fn join(&self, tx: &mut Tx<'_>, api: &Api, call: &Call<'_>, user: &User) -> Result<(), Error> {
        let organization_id = existing_organization(tx, &self.organization_id).await?;
        let roles = roles::resolve(tx, &organization_id, &self.roles).await?;
        let method = if self.invited {
            ProvisioningMethod::Invitation
        } else {
            ProvisioningMethod::Api
        };
        let joining = NewMember {
            roles: &roles,
            metadata: object(self.metadata.clone()),
            inviter_email: self.inviter_email.clone(),
            ..NewMember::new(&organization_id, &user.id, method)
        };
        if self.invited {
            invitation::send(tx, call.at(), api.instance_key(), &joining).await?;
        } else {
            membership::create(tx, call.at(), &joining).await?;
        }
        Ok(())
    }
}

pub(super) async fn create_with_user(
    api: &Api,
    call: &Call<'_>,
    message: CreateUserAndMembershipRequest,
) -> Result<UserMessage, Error> {
    let mut wanted = message.user.ok_or_else(|| Error::required("user"))?;
    let membership = wanted.membership.take();
    let joining = MembershipRequest::read(
        &message.organization_id,
        membership,
        message.send_invitation_email,
    )?;
    let user = profile::new_user(wanted, call.at().id(), call.now)?;
    joining.check(api)?;
    let user = api
        .tx(async |tx| {
            // Before the user: a caller without access to the organization learns nothing of addresses.
            existing_organization(tx, &joining.organization_id).await?;
            user::insert(tx, call.at(), &user).await?;
            joining.join(tx, api, call, &user).await?;
            let user = get(tx, &UserSelector::Id(user.id.to_string())).await?;
            render::whole(tx, user, call.now).await
        })
        .await?;
    api.host().wake_jobs();
    Ok(user)
}

pub(super) async fn create(
    api: &Api,
    call: &Call<'_>,
    named: &UserSelector,
    joining: &MembershipRequest,
) -> Result<UserMessage, Error> {
    joining.check(api)?;
    let user = api
        .tx(async |tx| {
            let user = get(tx, named).await?;
            joining.join(tx, api, call, &user).await?;
            render::whole(tx, user, call.now).await
        })
        .await?;
    api.host().wake_jobs();
    Ok(user)
}

/// The organization and the user of a membership that exists.
async fn existing(
    tx: &mut Tx<'_>,
    (organization_id, named): (&str, &UserSelector),
) -> Result<(OrganizationId, User), Error> {
    let organization_id = existing_organization(tx, organization_id).await?;
    let user = get(tx, named).await?;
    membership::find(tx, &organization_id, &user.id)
        .await?
        .ok_or_else(|| Error::not_found("membership"))?;
    Ok((organization_id, user))
}

/// The changed fields of a membership.
pub(super) struct Change {
    roles: Option<Vec<roles::RoleSelector>>,
    metadata: Option<Map<String, Value>>,
}

impl Change {
    /// Empty fields stay unchanged, unless the mask names them.
    pub(super) fn read(wanted: UpdateMembership, mask: Option<FieldMask>) -> Result<Self, Error> {
        let of = ("membership", "scalekit.v1.users.UpdateMembership");
        let masked = MaskedUpdate::read(mask, of, wanted)?;
        let UpdateMembership { roles, metadata } = masked.message.clone();
        let has_roles = masked.replaces("roles", roles.is_empty());
        let has_metadata = masked.replaces("metadata", metadata.is_empty());
        let roles = roles::named(roles, "membership.roles")?;
        Ok(Self {
            roles: has_roles.then_some(roles),
            metadata: has_metadata.then(|| object(metadata)),
        })
    }
}

pub(super) async fn update(
    api: &Api,
    call: &Call<'_>,
    which: (&str, &UserSelector),
    change: &Change,
) -> Result<UserMessage, Error> {
    api.tx(async |tx| {
        let (organization_id, user) = existing(tx, which).await?;
        if let Some(names) = &change.roles {
            let names = roles::resolve(tx, &organization_id, names).await?;
            membership::set_roles(tx, call.at(), &organization_id, &user.id, &names).await?;
        }
        if let Some(metadata) = &change.metadata {
            membership::set_metadata(tx, call.at(), &organization_id, &user.id, metadata).await?;
        }
        render::whole(tx, user, call.now).await
    })
    .await
}

/// Deletes a membership. The user is deleted with their last one only with `cascade`: an
/// application that moves a person to another organization first removes them here.
pub(super) async fn delete(
    api: &Api,
    call: &Call<'_>,
    which: (&str, &UserSelector),
    cascade: bool,
) -> Result<(), Error> {
    api.tx(async |tx| {
        let (organization_id, user) = existing(tx, which).await?;
        if cascade {
            membership::delete_with_last(tx, call.at(), &organization_id, &user.id).await?;
        } else {
            membership::delete(tx, call.at(), &organization_id, &user.id).await?;
        }
        Ok(())
    })
    .await?;
    // The clients of the ended sessions must be told.
    api.host().wake_jobs();
    Ok(())
}

pub(super) async fn resend(
    api: &Api,
    call: &Call<'_>,
    message: &ResendInviteRequest,
) -> Result<Invite, Error> {
    if !api.host().sends_mail() {
        return Err(Error::precondition(
            "this instance has no mail server to send the invitation with: set mail.smtp_url",
        ));
    }
    let invite = api
        .tx(async |tx| {
            let organization_id = existing_organization(tx, &message.organization_id).await?;
            let user_id: UserId = id("user", &message.id)?;
            let membership = membership::find(tx, &organization_id, &user_id)
                .await?
                .ok_or_else(|| Error::not_found("invitation"))?;
            match membership.status {
                Status::PendingInvite | Status::InviteExpired => {}
                Status::Active => {
                    return Err(Error::precondition("the user is an active member already"));
                }
                Status::Inactive => {
                    return Err(Error::precondition(
                        "the membership is inactive: nobody can accept it",
                    ));
                }
            }
            if let Some(moved) = invitation::moved(tx, &organization_id, &user_id).await? {
                return Err(Error::precondition(format!(
                    "the invitation was sent to {}, and the user's address is {} now: delete the membership and \
                     create it again to invite them there",
                    moved.invited, moved.now
                )));
            }
            let (key, which) = (api.instance_key(), (&organization_id, &user_id));
            let invitation = invitation::send_again(tx, call.at(), key, which).await?;
            Ok(render::invite(&invitation, membership.inviter_email))
        })
        .await?;
    api.host().wake_jobs();
    Ok(invite)
}
