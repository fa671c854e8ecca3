//! `genkan user membership add|roles|deactivate|activate|remove`

use clap::{Args, Subcommand};
use genkan_store::membership::{self, Membership, NewMember, ProvisioningMethod};
use genkan_store::organization::Organization;
use genkan_store::user::User;
use serde::Serialize;

use super::view::MembershipView;
use super::{find, refuse_unknown_roles};
use crate::cli::instance::Instance;
use crate::cli::which;
use crate::cli::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan user membership add ada@acme.com --organization acme-17 --role admin
  genkan user membership roles ada@acme.com --organization acme --role admin
  genkan user membership deactivate ada@acme.com --organization acme-17

Who is deactivated is signed out of the organization and cannot sign in to it;
roles and metadata are kept.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MembershipArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a user a member at once, without an invitation
    Add {
        #[command(flatten)]
        which: MembershipSelector,
        /// A role instead of the default one; may be repeated
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Replace the roles of a member; those of the identity provider stay
    Roles {
        #[command(flatten)]
        which: MembershipSelector,
        /// A role; may be repeated. Without any, only those of the identity provider stay
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Deactivate a member and end their sessions in the organization
    Deactivate {
        #[command(flatten)]
        which: MembershipSelector,
    },
    /// Activate a member who was deactivated, or who has not accepted their invitation
    Activate {
        #[command(flatten)]
        which: MembershipSelector,
    },
    /// Remove a user from the organization; the user stays until `genkan user delete`
    Remove {
        #[command(flatten)]
        which: MembershipSelector,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct MembershipSelector {
    /// The user, by identifier or e-mail address
    user: String,
    /// The organization, by identifier or external id
    #[arg(long)]
    organization: String,
}

#[derive(Serialize)]
struct Removal {
    user_id: String,
    organization_id: String,
    removed: bool,
}

/// The membership that a command is about.
struct MembershipTarget<'a> {
    user: User,
    organization: Organization,
    instance: &'a Instance,
}

impl<'a> MembershipTarget<'a> {
    async fn of(which: &MembershipSelector, instance: &'a Instance) -> Result<Self, Failure> {
        Ok(Self {
            user: find(instance, &which.user).await?,
            organization: which::organization(instance, &which.organization).await?,
            instance,
        })
    }

    async fn membership(&self) -> Result<Membership, Failure> {
        let found = self
            .instance
            .read(async |tx| membership::find(tx, &self.organization.id, &self.user.id).await)
            .await?;
        found.ok_or_else(|| {
            Failure::not_found(format!(
                "{} does not belong to {}.",
                self.user.email.as_str(),
                self.organization.display_name
            ))
            .remedy("Make them a member: genkan user membership add")
        })
    }

    async fn print(&self, context: &mut Context) -> Result<(), Failure> {
        let view = MembershipView::new(&self.membership().await?, self.instance.now);
        context.console.print(&view, || {
            format!("{} is in {}\n", self.user.email.as_str(), view.line())
        })
    }
}

pub(super) async fn run(
    args: &MembershipArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let at = instance.stamp();
    match &args.verb {
        Verb::Add { which, roles } => {
            let place = MembershipTarget::of(which, instance).await?;
            refuse_unknown_roles(roles, Some(&place.organization.id), instance).await?;
            let joining = NewMember {
                roles,
                ..NewMember::new(&place.organization.id, &place.user.id, ProvisioningMethod::Cli)
            };
            instance
                .change(async |tx| membership::create(tx, at, &joining).await)
                .await?;
            place.print(context).await
        }
        Verb::Roles { which, roles } => {
            let place = MembershipTarget::of(which, instance).await?;
            place.membership().await?;
            let (organization_id, user_id) = (&place.organization.id, &place.user.id);
            refuse_unknown_roles(roles, Some(organization_id), instance).await?;
            instance
                .change(async |tx| membership::set_roles(tx, at, organization_id, user_id, roles).await)
                .await?;
            place.print(context).await
        }
        Verb::Deactivate { which } => set_active(which, false, instance, context).await,
        Verb::Activate { which } => set_active(which, true, instance, context).await,
        Verb::Remove { which, yes } => remove(which, *yes, instance, context).await,
    }
}

async fn set_active(
    which: &MembershipSelector,
    active: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let place = MembershipTarget::of(which, instance).await?;
    place.membership().await?;
    let (at, organization_id, user_id) = (instance.stamp(), &place.organization.id, &place.user.id);
    instance
        .change(async |tx| membership::set_active(tx, at, organization_id, user_id, active).await)
        .await?;
    place.print(context).await
}

async fn remove(
    which: &MembershipSelector,
    yes: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let place = MembershipTarget::of(which, instance).await?;
    place.membership().await?;
    let email = place.user.email.as_str();
    let question = format!(
        "take {email} out of {} and sign them out there",
        place.organization.display_name
    );
    context.console.confirm(&question, yes)?;
    let (at, organization_id, user_id) = (instance.stamp(), &place.organization.id, &place.user.id);
    instance
        .change(async |tx| membership::delete(tx, at, organization_id, user_id).await)
        .await?;
    let removed = Removal {
        user_id: user_id.to_string(),
        organization_id: organization_id.to_string(),
        removed: true,
    };
    context.console.print(&removed, || {
        format!("{email} does not belong to {organization_id} any more.\n")
    })
}
