//! `genkan permission create|list|update|delete`

use clap::{Args, Subcommand};
use genkan_store::permission::{self, Permission};
use genkan_store::{Error, PermissionId};
use serde::Serialize;

use super::instance::{Deletion, Instance, PageArgs};
use super::output::{table, time};
use super::{Context, Failure};

const EXAMPLES: &str = "\
Examples:
  genkan permission create invoices:read --description \"Sees invoices\"
  genkan role update member --permission invoices:read
  genkan permission list
  genkan permission delete invoices:read

Access tokens contain the names of the permissions of a person's roles. Your
application decides what a permission means.";

/// Permissions: the rights that roles give
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PermissionArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a permission
    Create {
        /// The name, as in tokens: letters, digits, underscores and colons
        #[arg(value_parser = parse_name)]
        name: String,
        /// A description for the people who manage roles
        #[arg(long, default_value = "", value_parser = parse_description)]
        description: String,
    },
    /// List permissions, newest first
    List(PageArgs),
    /// Change a permission; its roles keep it
    Update {
        /// The name of the permission
        permission: String,
        /// The new name
        #[arg(long, value_parser = parse_name)]
        name: Option<String>,
        /// A description for the people who manage roles
        #[arg(long, value_parser = parse_description)]
        description: Option<String>,
    },
    /// Delete a permission and remove it from every role
    Delete {
        /// The name of the permission
        permission: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

fn parse_name(text: &str) -> Result<String, String> {
    if permission::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("write at most 64 letters, digits, underscores and colons".to_owned())
    }
}

/// A text for people.
pub(super) fn parse_description(text: &str) -> Result<String, String> {
    if text.chars().count() > 2_000 {
        return Err("it is longer than 2000 characters".to_owned());
    }
    Ok(text.trim().to_owned())
}

#[derive(Serialize)]
struct PermissionView {
    id: String,
    name: String,
    description: String,
    created_at: String,
    updated_at: String,
}

impl From<&Permission> for PermissionView {
    fn from(permission: &Permission) -> Self {
        Self {
            id: permission.id.to_string(),
            name: permission.name.clone(),
            description: permission.description.clone(),
            created_at: time(permission.created_at),
            updated_at: time(permission.updated_at),
        }
    }
}

#[derive(Serialize)]
struct Listing {
    permissions: Vec<PermissionView>,
    next: Option<String>,
}

pub(super) async fn run(args: &PermissionArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    match &args.verb {
        Verb::Create { name, description } => create(name, description, &instance, context).await,
        Verb::List(page) => list(page, &instance, context).await,
        Verb::Update {
            permission,
            name,
            description,
        } => {
            let found = find(&instance, permission).await?;
            let changed = Permission {
                name: name.clone().unwrap_or_else(|| found.name.clone()),
                description: description.clone().unwrap_or_else(|| found.description.clone()),
                ..found
            };
            update(&changed, &instance, context).await
        }
        Verb::Delete { permission, yes } => delete(permission, *yes, &instance, context).await,
    }
}

async fn create(
    name: &str,
    description: &str,
    instance: &Instance,
    context: &mut Context,
) -> Result<(), Failure> {
    let at = instance.stamp();
    let permission = Permission {
        id: at.id(),
        name: name.to_owned(),
        description: description.to_owned(),
        created_at: at.now,
        updated_at: at.now,
    };
    instance
        .change(async |tx| permission::insert(tx, at, &permission).await)
        .await?;
    let view = PermissionView::from(&permission);
    context
        .console
        .print(&view, || format!("Created {} ({}).\n", view.name, view.id))
}

async fn list(args: &PageArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let page = args.page::<PermissionId>()?;
    let permissions = instance
        .read(async |tx| permission::list(tx, &page).await)
        .await?;
    let listing = Listing {
        next: args.next(&permissions, |permission| permission.id.to_string()),
        permissions: permissions.iter().map(PermissionView::from).collect(),
    };
    let row = |view: &PermissionView| {
        [
            view.name.clone(),
            view.description.clone(),
            view.id.clone(),
            view.created_at.clone(),
        ]
    };
    context.console.print(&listing, || {
        let rows: Vec<_> = listing.permissions.iter().map(row).collect();
        table(
            ["PERMISSION", "DESCRIPTION", "ID", "CREATED"],
            &rows,
            "There are no permissions.",
        )
    })?;
    context.console.tell_next(listing.next.as_deref());
    Ok(())
}

async fn update(permission: &Permission, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let at = instance.stamp();
    let updated = instance
        .change(async |tx| {
            permission::update(tx, at, permission).await?;
            permission::find(tx, &permission.name).await?.ok_or(Error::Stale)
        })
        .await?;
    let view = PermissionView::from(&updated);
    context
        .console
        .print(&view, || format!("Changed {} ({}).\n", view.name, view.id))
}

async fn delete(name: &str, yes: bool, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let permission = find(instance, name).await?;
    let question = format!("delete {} and take it from every role", permission.name);
    context.console.confirm(&question, yes)?;
    let at = instance.stamp();
    instance
        .change(async |tx| permission::delete(tx, at, &permission).await)
        .await?;
    let deleted = Deletion::new(&permission.id);
    context.console.print(&deleted, || deleted.text())
}

async fn find(instance: &Instance, name: &str) -> Result<Permission, Failure> {
    let found = instance.read(async |tx| permission::find(tx, name).await).await?;
    found.ok_or_else(|| unknown(name))
}

/// No permission has this name.
pub(super) fn unknown(name: &str) -> Failure {
    Failure::not_found(format!("There is no permission \"{name}\"."))
        .remedy("`genkan permission list` shows those there are.")
}
