//! `genkan user invite|resend`

use clap::Args;
use genkan_protocol::EmailAddress;
use genkan_store::environment::Kind;
use genkan_store::membership::{self, NewMember, ProvisioningMethod, Status};
use genkan_store::user::{self, User};
use genkan_store::{Error, invitation};
use serde::Serialize;

use super::{find, parse_email, refuse_unknown_roles};
use crate::cli::instance::Instance;
use crate::cli::output::{details, time};
use crate::cli::which;
use crate::cli::{Context, Failure};
use crate::mail::Mailer;

#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    /// Their e-mail address; a user is created if there is none
    #[arg(value_name = "E-MAIL", value_parser = parse_email, required_unless_present = "email")]
    address: Option<EmailAddress>,
    /// The same, as an option
    #[arg(long, value_name = "E-MAIL", value_parser = parse_email, conflicts_with = "address")]
    email: Option<EmailAddress>,
    /// The organization, by identifier or external id
    #[arg(long)]
    organization: String,
    /// A role in the organization instead of the default one; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The address of the inviting person, which the mail shows
    #[arg(long, value_name = "E-MAIL", value_parser = parse_email)]
    inviter: Option<EmailAddress>,
}

#[derive(Debug, Args)]
pub(super) struct ResendArgs {
    /// The user, by identifier or e-mail address
    user: String,
    /// The organization, by identifier or external id
    #[arg(long)]
    organization: String,
}

#[derive(Serialize)]
struct InvitationView {
    user_id: String,
    email: String,
    organization_id: String,
    status: &'static str,
    expires_at: String,
    resent_count: u32,
}

impl InvitationView {
    fn of(invitation: &invitation::Invitation) -> Self {
        Self {
            user_id: invitation.user_id.to_string(),
            email: invitation.email.to_string(),
            organization_id: invitation.organization_id.to_string(),
            status: Status::PendingInvite.as_str(),
            expires_at: time(invitation.expires_at),
            resent_count: invitation.resent_count,
        }
    }

    fn text(&self) -> String {
        details(&[
            ("User", self.user_id.clone()),
            ("E-mail", self.email.clone()),
            ("Invited to", self.organization_id.clone()),
            ("Until", self.expires_at.clone()),
            ("Sent again", self.resent_count.to_string()),
        ])
    }
}

/// Checked first, because an invitation that nobody receives is worse than none.
fn require_mail(instance: &Instance) -> Result<(), Failure> {
    let is_development = instance.environment.kind == Kind::Development;
    let mailer = Mailer::of(&instance.config, is_development)
        .map_err(|error| Failure::new(format!("Mail cannot be set up: {error}")))?;
    if mailer.is_configured() {
        return Ok(());
    }
    Err(Failure::new("Mail is not configured.").remedy(
        "Write smtp_url and from in [mail], or make them a member at once: genkan user create --organization …",
    ))
}

pub(super) async fn invite(
    args: &InviteArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let Some(email) = args.address.as_ref().or(args.email.as_ref()) else {
        return Err(Failure::usage("Write the e-mail address of whoever is invited."));
    };
    let organization = which::organization(instance, &args.organization).await?;
    refuse_unknown_roles(&args.roles, Some(&organization.id), instance).await?;
    require_mail(instance)?;
    let (key, at) = (instance.key().await?, instance.stamp());
    let invitation = instance
        .change(async |tx| {
            let user = match user::find_by_email(tx, email).await? {
                Some(user) => user,
                None => {
                    let user = User::new(at.id(), email.clone(), at.now);
                    user::insert(tx, at, &user).await?;
                    user
                }
            };
            let joining = NewMember {
                roles: &args.roles,
                inviter_email: args.inviter.as_ref().map(ToString::to_string),
                ..NewMember::new(&organization.id, &user.id, ProvisioningMethod::Invitation)
            };
            invitation::send(tx, at, &key, &joining).await?;
            let invitation = invitation::find(tx, &organization.id, &user.id).await?;
            invitation.ok_or(Error::Stale)
        })
        .await?;
    let view = InvitationView::of(&invitation);
    context.console.print(&view, || view.text())
}

pub(super) async fn resend(
    args: &ResendArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let user = find(instance, &args.user).await?;
    let organization = which::organization(instance, &args.organization).await?;
    let membership = instance
        .read(async |tx| membership::find(tx, &organization.id, &user.id).await)
        .await?;
    if membership.is_none_or(|membership| membership.status != Status::PendingInvite) {
        return Err(
            Failure::not_found(format!("{} has no invitation that waits.", user.email.as_str()))
                .remedy("`genkan user show` says what they are; `genkan user invite` invites them."),
        );
    }
    let moved = instance
        .read(async |tx| invitation::moved(tx, &organization.id, &user.id).await)
        .await?;
    if let Some(moved) = moved {
        return Err(Failure::new(format!(
            "The invitation was sent to {}, and the address is {} now.",
            moved.invited, moved.now
        ))
        .remedy(
            "To invite them there, take the membership away first: `genkan user membership remove`, then \
             `genkan user invite`.",
        ));
    }
    require_mail(instance)?;
    let (key, at) = (instance.key().await?, instance.stamp());
    let invitation = instance
        .change(async |tx| invitation::send_again(tx, at, &key, (&organization.id, &user.id)).await)
        .await?;
    let view = InvitationView::of(&invitation);
    context.console.print(&view, || view.text())
}
