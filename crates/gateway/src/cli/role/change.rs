//! The options of a role, for its creation and for changes.

use clap::Args;
use genkan_db::Tx;
use genkan_store::mistake::Fault;
use genkan_store::permission::{self, Permission};
use genkan_store::role::{self, Base, NewRole, Role};
use genkan_store::{Error, OrganizationId};

use super::{OwnerArgs, RoleView, find_own, id, unknown};
use crate::cli::instance::Instance;
use crate::cli::permission::{parse_description, unknown as unknown_permission};
use crate::cli::{Context, Failure};

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The name, as in tokens: letters, digits and underscores; it cannot be changed
    #[arg(value_parser = parse_name)]
    name: String,
    #[command(flatten)]
    owner: OwnerArgs,
    /// The display name
    #[arg(long, value_name = "NAME", value_parser = parse_display_name)]
    display_name: String,
    /// A description for the people who assign it
    #[arg(long, default_value = "", value_parser = parse_description)]
    description: String,
    /// A role whose permissions it has, too
    #[arg(long, value_name = "ROLE")]
    extends: Option<String>,
    /// A permission of the role; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Let identity providers give it to the people of their organizations (a provider can always give its
    /// organization's own roles)
    #[arg(long, conflicts_with = "organization", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    assignable_by_providers: Option<bool>,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// The name of the role
    role: String,
    #[command(flatten)]
    owner: OwnerArgs,
    /// The display name
    #[arg(long, value_name = "NAME", value_parser = parse_display_name)]
    display_name: Option<String>,
    /// A description for the people who assign it
    #[arg(long, value_parser = parse_description)]
    description: Option<String>,
    /// A role whose permissions it has, too; empty for none
    #[arg(long, value_name = "ROLE")]
    extends: Option<String>,
    /// A permission of the role; may be repeated. The new list replaces the old one, and a single empty value clears it
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Let identity providers give it; =false takes it back at the next sign-in
    #[arg(long, conflicts_with = "organization", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    assignable_by_providers: Option<bool>,
    /// Give it to the first member of an organization
    #[arg(long, conflicts_with = "organization")]
    default_creator: bool,
    /// Give it to later members
    #[arg(long)]
    default_member: bool,
}

fn parse_name(text: &str) -> Result<String, String> {
    if role::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("write at most 64 letters, digits and underscores".to_owned())
    }
}

fn parse_display_name(text: &str) -> Result<String, String> {
    match role::check_display_name(text.trim()) {
        Ok(()) => Ok(text.trim().to_owned()),
        Err(Fault::TooLong { most }) => Err(format!("it is longer than {most} characters")),
        Err(fault) => Err(format!("it {fault}")),
    }
}

pub(super) async fn create(
    args: &CreateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = args.owner.find(instance).await?;
    let organization_id = id(organization.as_ref());
    let at = instance.stamp();
    let role_id = at.id();
    let view = instance
        .db
        .tx(async |tx| -> Result<_, Failure> {
            let base = match &args.extends {
                Some(name) => Some(find(tx, organization_id, name).await?),
                None => None,
            };
            let permissions = find_permissions(tx, &args.permissions).await?;
            let role = NewRole {
                id: role_id,
                organization_id,
                name: &args.name,
                display_name: &args.display_name,
                description: &args.description,
                assignable_by_providers: args.assignable_by_providers.unwrap_or_default(),
                base: base.as_ref(),
                permissions: &permissions,
            };
            role::insert(tx, at, &role).await?;
            let role = find(tx, organization_id, &args.name).await?;
            view(tx, &role, organization_id).await
        })
        .await?;
    context.console.print(&view, || view.text())
}

pub(super) async fn update(
    args: &UpdateArgs,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let organization = args.owner.find(instance).await?;
    let organization_id = id(organization.as_ref());
    let is_content_given = args.display_name.is_some()
        || args.description.is_some()
        || args.extends.is_some()
        || args.assignable_by_providers.is_some()
        || !args.permissions.is_empty();
    // An organization may make a role of the environment its default, but cannot change the role.
    let role = if is_content_given || organization.is_none() {
        find_own(instance, organization.as_ref(), &args.role).await?
    } else {
        let found = instance.read(async |tx| role::find(tx, organization_id, &args.role).await);
        found.await?.ok_or_else(|| unknown(&args.role))?
    };
    let at = instance.stamp();
    let view = instance
        .db
        .tx(async |tx| -> Result<_, Failure> {
            if is_content_given {
                let permissions = find_permissions(tx, &args.permissions).await?;
                let permissions = (!args.permissions.is_empty()).then_some(permissions.as_slice());
                let changed = args.apply(tx, role.clone()).await?;
                role::update(tx, at, &changed, permissions).await?;
            }
            if args.default_creator {
                role::set_default_creator(tx, at, &role).await?;
            }
            match organization_id {
                Some(id) if args.default_member => role::set_organization_default(tx, at, id, &role).await?,
                None if args.default_member => role::set_default_member(tx, at, &role).await?,
                _ => {}
            }
            view(tx, &role, organization_id).await
        })
        .await?;
    context.console.print(&view, || view.text())
}

impl UpdateArgs {
    /// Makes the changes of the command line.
    async fn apply(&self, tx: &mut Tx<'_>, mut role: Role) -> Result<Role, Failure> {
        if let Some(name) = &self.display_name {
            role.display_name.clone_from(name);
        }
        if let Some(description) = &self.description {
            role.description.clone_from(description);
        }
        if let Some(assignable) = self.assignable_by_providers {
            role.assignable_by_providers = assignable;
        }
        match self.extends.as_deref() {
            None => {}
            Some("") => role.base = None,
            Some(name) => {
                let base = find(tx, role.organization_id.as_ref(), name).await?;
                role.base = Some(Base::from(&base));
            }
        }
        Ok(role)
    }
}

async fn view(
    tx: &mut Tx<'_>,
    role: &Role,
    organization_id: Option<&OrganizationId>,
) -> Result<RoleView, Failure> {
    let view = RoleView::read(tx, organization_id, &role.name).await?;
    view.ok_or_else(|| Error::Stale.into())
}

async fn find(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    name: &str,
) -> Result<Role, Failure> {
    let found = role::find(tx, organization_id, name).await?;
    found.ok_or_else(|| unknown(name))
}

async fn find_permissions(tx: &mut Tx<'_>, names: &[String]) -> Result<Vec<Permission>, Failure> {
    if matches!(names, [name] if name.is_empty()) {
        return Ok(Vec::new());
    }
    permission::find_all(tx, names)
        .await?
        .map_err(|name| unknown_permission(&name))
}
