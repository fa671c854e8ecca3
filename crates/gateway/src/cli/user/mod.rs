//! `genkan user create|invite|resend|list|show|update|disable|enable|delete|membership …`

mod invite;
mod membership;
mod settings;
mod view;

use clap::{Args, Subcommand};
use genkan_db::Tx;
use genkan_protocol::EmailAddress;
use genkan_store::membership::{self as memberships, NewMember, ProvisioningMethod};
use genkan_store::user::{self, User};
use genkan_store::{Error, OrganizationId, UserId, role};
use serde::Serialize;

use self::view::UserView;
use crate::cli::instance::{Deletion, Instance, PageArgs};
use crate::cli::output::{table, yes_no};
use crate::cli::which;
use crate::cli::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan user create --email ada@acme.com --name \"Ada Lovelace\" \\
      --organization acme-17 --role admin
  genkan user invite grace@acme.com --organization acme-17
  genkan user list --organization acme-17
  genkan user update ada@acme.com --family-name King --external-id u-17
  genkan user disable ada@acme.com

A user is named by identifier or e-mail address. If an organization owns the
domain of their address, a person gets a user at their first sign-in. Create
the user yourself if your application must know the person before.";

/// Users: the people who sign in
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct UserArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a user
    Create(CreateArgs),
    /// Invite a person to an organization by mail
    Invite(invite::InviteArgs),
    /// Send an invitation again with a new link; the old link becomes invalid
    Resend(invite::ResendArgs),
    /// List users, newest first
    List {
        /// Only members of this organization, by identifier or external id
        #[arg(long)]
        organization: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a user with their organizations
    Show {
        /// The user, by identifier or e-mail address
        user: String,
    },
    /// Change a user; other settings stay
    Update(settings::UpdateArgs),
    /// Sign a user out everywhere and refuse their sign-ins
    Disable {
        /// The user, by identifier or e-mail address
        user: String,
    },
    /// Let a disabled user sign in again
    Enable {
        /// The user, by identifier or e-mail address
        user: String,
    },
    /// Delete a user with their sessions, memberships and identities; events about them are kept for their retention
    Delete {
        /// The user, by identifier or e-mail address
        user: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Manage the memberships of users in organizations
    Membership(membership::MembershipArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Their e-mail address
    #[arg(long, value_parser = parse_email)]
    email: EmailAddress,
    /// Make them a member of this organization, by identifier or external id
    #[arg(long)]
    organization: Option<String>,
    /// A role in the organization instead of the default one; may be repeated
    #[arg(long = "role", value_name = "ROLE", requires = "organization")]
    roles: Vec<String>,
    #[command(flatten)]
    settings: settings::SettingsArgs,
}

fn parse_email(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Listing {
    users: Vec<UserView>,
    next: Option<String>,
}

pub(in crate::cli) async fn run(args: &UserArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create(args) => create(args, &instance, context).await,
        Verb::Invite(args) => invite::invite(args, &instance, context).await,
        Verb::Resend(args) => invite::resend(args, &instance, context).await,
        Verb::List { organization, page } => list(organization.as_deref(), page, &instance, context).await,
        Verb::Show { user } => show(user, &instance, context).await,
        Verb::Update(args) => settings::update(args, &instance, context).await,
        Verb::Disable { user } => set_disabled(user, true, &instance, context).await,
        Verb::Enable { user } => set_disabled(user, false, &instance, context).await,
        Verb::Delete { user, yes } => delete(user, *yes, &instance, context).await,
        Verb::Membership(args) => membership::run(args, &instance, context).await,
    }
}

async fn create(args: &CreateArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let organization = match &args.organization {
        Some(text) => Some(which::organization(instance, text).await?),
        None => None,
    };
    let organization_id = organization.as_ref().map(|organization| &organization.id);
    refuse_unknown_roles(&args.roles, organization_id, instance).await?;
    let at = instance.stamp();
    let mut user = User::new(at.id(), args.email.clone(), at.now);
    args.settings.apply(&mut user);
    let memberships = instance
        .change(async |tx| {
            user::insert(tx, at, &user).await?;
            if let Some(organization) = &organization {
                let joining = NewMember {
                    roles: &args.roles,
                    ..NewMember::new(&organization.id, &user.id, ProvisioningMethod::Cli)
                };
                memberships::create(tx, at, &joining).await?;
            }
            memberships::list_for_user(tx, &user.id).await
        })
        .await?;
    let view = UserView::with_memberships(&user, &memberships, instance.now);
    context.console.print(&view, || view.text())
}

async fn refuse_unknown_roles(
    roles: &[String],
    organization_id: Option<&OrganizationId>,
    instance: &Instance,
) -> Result<(), Failure> {
    let known = instance
        .read(async |tx| role::list(tx, organization_id).await)
        .await?;
    match roles
        .iter()
        .find(|name| !known.iter().any(|role| role.name == **name))
    {
        None => Ok(()),
        Some(unknown) => {
            let names: Vec<_> = known.iter().map(|role| role.name.as_str()).collect();
            Err(Failure::not_found(format!("There is no role \"{unknown}\"."))
                .remedy(format!("The roles are {}.", names.join(", "))))
        }
    }
}

async fn list(
    organization: Option<&str>,
    args: &PageArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let page = args.page()?;
    let organization = match organization {
        Some(text) => Some(which::organization(instance, text).await?.id),
        None => None,
    };
    let users = instance
        .read(async |tx| match &organization {
            None => user::list(tx, &page).await,
            Some(organization) => {
                let mut users = Vec::new();
                for membership in memberships::list_for_organization(tx, organization, &page).await? {
                    users.extend(user::find(tx, &membership.user_id).await?);
                }
                Ok(users)
            }
        })
        .await?;
    let next = args.next(&users, |user| user.id.to_string());
    let listing = Listing {
        users: users.iter().map(UserView::new).collect(),
        next,
    };
    let row = |view: &UserView| {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            view.id.clone(),
            view.email.clone(),
            optional(&view.name),
            yes_no(view.disabled),
            optional(&view.last_login_at),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.users.iter().map(row).collect();
        table(
            ["USER", "E-MAIL", "NAME", "DISABLED", "LAST SIGN-IN"],
            &rows,
            "There are no users.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn show(text: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let user = find(instance, text).await?;
    let memberships = instance
        .read(async |tx| memberships::list_for_user(tx, &user.id).await)
        .await?;
    let view = UserView::with_memberships(&user, &memberships, instance.now);
    context.console.print(&view, || view.text())
}

async fn set_disabled(
    text: &str,
    disabled: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut user = find(instance, text).await?;
    let at = instance.stamp();
    instance
        .change(async |tx| user::set_disabled(tx, at, &user.id, disabled).await)
        .await?;
    user.disabled = disabled;
    let view = UserView::new(&user);
    let word = if disabled {
        "disabled and signed out"
    } else {
        "enabled"
    };
    context
        .console
        .print(&view, || format!("{} ({}) is {word}.\n", view.email, view.id))
}

async fn delete(text: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let user = find(instance, text).await?;
    let question = format!(
        "sign {} ({}) out everywhere and delete them",
        user.email.as_str(),
        user.id
    );
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| user::delete(tx, at, &user.id).await)
        .await?;
    let deleted = Deletion::new(&user.id);
    context.console.print(&deleted, || deleted.text())
}

/// The identifier of the user that the command line names. An identifier is not looked up, so that the
/// events of a deleted user can be listed.
pub(in crate::cli) async fn id_of(instance: &Instance, text: &str) -> Result<UserId, Failure> {
    match UserId::parse(text) {
        Ok(id) => Ok(id),
        Err(_) => Ok(find(instance, text).await?.id),
    }
}

/// The user that the command line names.
pub(in crate::cli) async fn find(instance: &Instance, text: &str) -> Result<User, Failure> {
    let found = instance.read(async |tx| look_up(tx, text).await).await?;
    found.ok_or_else(|| {
        Failure::not_found(format!("There is no user \"{text}\"."))
            .remedy("`genkan user list` shows those there are; name one by identifier or e-mail address.")
    })
}

async fn look_up(tx: &mut Tx<'_>, text: &str) -> Result<Option<User>, Error> {
    if let Ok(id) = UserId::parse(text) {
        return user::find(tx, &id).await;
    }
    match EmailAddress::parse(text) {
        Ok(email) => user::find_by_email(tx, &email).await,
        Err(_) => Ok(None),
    }
}
