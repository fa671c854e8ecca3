//! `genkan role create|list|show|update|delete`

mod change;

use clap::{Args, Subcommand};
use genkan_db::Tx;
use genkan_store::organization::Organization;
use genkan_store::permission::{self, Permission};
use genkan_store::role::{self, Role};
use genkan_store::{Error, OrganizationId};
use serde::Serialize;

use super::instance::{Deletion, Instance};
use super::output::{details, table, time, yes_no};
use super::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan role create billing --display-name Billing --permission invoices:read
  genkan role create auditor --organization acme-17 --extends member
  genkan role list --organization acme-17
  genkan role update billing --extends member --default-member
  genkan role update billing --assignable-by-providers
  genkan role delete billing --reassign member

Without --organization a role belongs to the environment, and the members of
every organization can have it.";

/// Roles: the functions of members in an organization
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RoleArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a role
    Create(change::CreateArgs),
    /// List the roles of the environment, or those that members of an organization can have
    List(OwnerArgs),
    /// Show a role with its permissions
    Show {
        /// The name of the role
        role: String,
        #[command(flatten)]
        owner: OwnerArgs,
    },
    /// Change a role
    Update(change::UpdateArgs),
    /// Delete a role
    Delete {
        /// The name of the role
        role: String,
        #[command(flatten)]
        owner: OwnerArgs,
        /// The role that its members get instead
        #[arg(long, value_name = "ROLE")]
        reassign: Option<String>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

/// The owner of a role.
#[derive(Debug, Args)]
struct OwnerArgs {
    /// The organization's identifier or external id (default: the environment)
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
}

impl OwnerArgs {
    async fn find(&self, instance: &Instance) -> Result<Option<Organization>, Failure> {
        match &self.organization {
            Some(text) => which::organization(instance, text).await.map(Some),
            None => Ok(None),
        }
    }
}

fn id(organization: Option<&Organization>) -> Option<&OrganizationId> {
    organization.map(|organization| &organization.id)
}

#[derive(Serialize)]
struct RoleView {
    id: String,
    name: String,
    display_name: String,
    description: String,
    /// Null for a role of the environment.
    organization_id: Option<String>,
    extends: Option<String>,
    default_creator: bool,
    default_member: bool,
    /// Whether an identity provider may give it to the people of its organization.
    assignable_by_providers: bool,
    created_at: String,
    updated_at: String,
    /// The role's own permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    /// Including the permissions that it inherits.
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_permissions: Option<Vec<String>>,
}

impl RoleView {
    fn new(role: &Role) -> Self {
        Self {
            id: role.id.to_string(),
            name: role.name.clone(),
            display_name: role.display_name.clone(),
            description: role.description.clone(),
            organization_id: role.organization_id.as_ref().map(ToString::to_string),
            extends: role.base.as_ref().map(|base| base.name.clone()),
            default_creator: role.default_creator,
            default_member: role.default_member,
            assignable_by_providers: role.assignable_by_providers,
            created_at: time(role.created_at),
            updated_at: time(role.updated_at),
            permissions: None,
            effective_permissions: None,
        }
    }

    async fn read(
        tx: &mut Tx<'_>,
        organization_id: Option<&OrganizationId>,
        name: &str,
    ) -> Result<Option<Self>, Error> {
        let Some(role) = role::find(tx, organization_id, name).await? else {
            return Ok(None);
        };
        let names = |permissions: Vec<Permission>| permissions.into_iter().map(|held| held.name).collect();
        Ok(Some(Self {
            permissions: Some(names(permission::list_for_role(tx, &role.id).await?)),
            effective_permissions: Some(names(permission::list_effective(tx, &role.id).await?)),
            ..Self::new(&role)
        }))
    }

    /// The new members who get it, in few words.
    fn default(&self) -> &'static str {
        match (self.default_creator, self.default_member) {
            (true, true) => "all members",
            (true, false) => "first member",
            (false, true) => "later members",
            (false, false) => "",
        }
    }

    fn text(&self) -> String {
        let list =
            |names: &Option<Vec<String>>| names.iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        details(&[
            ("Role", self.name.clone()),
            ("Id", self.id.clone()),
            ("Display name", self.display_name.clone()),
            ("Description", self.description.clone()),
            ("Organization", self.organization_id.clone().unwrap_or_default()),
            ("Extends", self.extends.clone().unwrap_or_default()),
            ("First member gets it", yes_no(self.default_creator)),
            ("Later members get it", yes_no(self.default_member)),
            ("Providers may give it", yes_no(self.assignable_by_providers)),
            ("Permissions", list(&self.permissions)),
            ("With inherited ones", list(&self.effective_permissions)),
            ("Created", self.created_at.clone()),
        ])
    }
}

#[derive(Serialize)]
struct Listing {
    roles: Vec<RoleView>,
}

pub(super) async fn run(args: &RoleArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create(args) => change::create(args, &instance, context).await,
        Verb::List(owner) => list(owner, &instance, context).await,
        Verb::Show { role, owner } => show(role, owner, &instance, context).await,
        Verb::Update(args) => change::update(args, &instance, context).await,
        Verb::Delete {
            role,
            owner,
            reassign,
            yes,
        } => {
            let organization = owner.find(&instance).await?;
            let role = find_own(&instance, organization.as_ref(), role).await?;
            delete(&role, reassign.as_deref(), *yes, &instance, context).await
        }
    }
}

async fn list(owner: &OwnerArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let organization = owner.find(instance).await?;
    let roles = instance
        .read(async |tx| role::list(tx, id(organization.as_ref())).await)
        .await?;
    let listing = Listing {
        roles: roles.iter().map(RoleView::new).collect(),
    };
    let row = |view: &RoleView| {
        let owner = if view.organization_id.is_some() {
            "organization"
        } else {
            "environment"
        };
        [
            view.name.clone(),
            view.display_name.clone(),
            owner.to_owned(),
            view.extends.clone().unwrap_or_default(),
            view.default().to_owned(),
            if view.assignable_by_providers {
                "people, providers"
            } else {
                "people"
            }
            .to_owned(),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.roles.iter().map(row).collect();
        table(
            ["ROLE", "NAME", "OF THE", "EXTENDS", "DEFAULT FOR", "GIVEN BY"],
            &rows,
            "There are no roles.",
        )
    })
}

async fn show(
    name: &str,
    owner: &OwnerArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = owner.find(instance).await?;
    let view = instance
        .read(async |tx| RoleView::read(tx, id(organization.as_ref()), name).await)
        .await?
        .ok_or_else(|| unknown(name))?;
    context.console.print(&view, || view.text())
}

async fn delete(
    role: &Role,
    reassign: Option<&str>,
    yes: bool,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization_id = role.organization_id.as_ref();
    let replacement = match reassign {
        Some(name) => {
            let found = instance.read(async |tx| role::find(tx, organization_id, name).await);
            Some(found.await?.ok_or_else(|| unknown(name))?)
        }
        None => None,
    };
    let question = match reassign {
        Some(name) => format!("delete {} and give {name} to who has it", role.name),
        None => format!("delete {}", role.name),
    };
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| role::delete(tx, at, role, replacement.as_ref()).await)
        .await?;
    let deleted = Deletion::new(&role.id);
    context.console.print(&deleted, || deleted.text())
}

/// Finds a role that the owner may change.
async fn find_own(
    instance: &Instance,
    organization: Option<&Organization>,
    name: &str,
) -> Result<Role, Failure> {
    let found = instance
        .read(async |tx| role::find(tx, id(organization), name).await)
        .await?
        .ok_or_else(|| unknown(name))?;
    if found.organization_id.as_ref() == id(organization) {
        Ok(found)
    } else {
        Err(
            Failure::new(format!("The role {name} belongs to the environment."))
                .remedy("Leave --organization out to change it for everybody."),
        )
    }
}

/// The failure if there is no role with this name.
fn unknown(name: &str) -> Failure {
    Failure::not_found(format!("There is no role \"{name}\"."))
        .remedy("`genkan role list` shows those there are; an organization's own need --organization.")
}
