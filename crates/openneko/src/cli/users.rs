//! `openneko users …`.

use clap::{Args, Subcommand, ValueEnum};
use genkan_db::Db;
use serde::Serialize;

use super::list::Output;
use super::{Context, Failure};
use crate::web::identity::is_address;
use crate::web::rules::Role;
use crate::web::settings::Flags;
use crate::web::store::manage::{self, Change, ChangeOrigin, ChangeOutcome};
use crate::web::store::user::{self, User};
use crate::web::{random, serve, store};

const EXAMPLES: &str = "\
Examples:
  openneko users list
  openneko users add ada@acme.com --role admin
  openneko users set-role ada@acme.com admin
  openneko users disable eve@acme.com
  openneko users enable eve@acme.com
  openneko users unlink ada@acme.com

The command changes the database of `openneko serve`, which may run meanwhile.
Changes take effect at once, also in open sessions. The last active admin stays
an admin.";

/// Manage the users of the web app and their roles
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct UsersArgs {
    /// sqlite:<path> or postgres://… [env: OPENNEKO_DATABASE_URL] [default: a file in the state directory]
    #[arg(long, value_name = "URL", global = true)]
    database_url: Option<String>,
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    List(ListArgs),
    Add(AddArgs),
    /// Sign a user out everywhere and refuse their sign-ins
    Disable(UserArg),
    /// Let a disabled user sign in again
    Enable(UserArg),
    SetRole(SetRoleArgs),
    /// Forget the identity of a user at the provider, for example after a change of the provider;
    /// the next sign-in with their verified address links the new identity
    Unlink(UserArg),
}

/// List the users
#[derive(Debug, Args)]
struct ListArgs {
    /// The format of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Add a user before their first sign-in
///
/// The provider must have verified the address, unless web.linkUnverifiedEmail is set.
#[derive(Debug, Args)]
struct AddArgs {
    email: String,
    #[arg(long, value_enum, default_value_t = RoleArg::Member)]
    role: RoleArg,
}

/// Make a user an admin or a member
#[derive(Debug, Args)]
struct SetRoleArgs {
    /// E-mail address or id
    user: String,
    #[arg(value_enum)]
    role: RoleArg,
}

#[derive(Debug, Args)]
struct UserArg {
    /// E-mail address or id
    user: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    Admin,
    Member,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Admin => Self::Admin,
            RoleArg::Member => Self::Member,
        }
    }
}

/// People listed at most.
const MAX_LISTED: u32 = 100_000;

pub(super) fn run(args: &UsersArgs, context: &mut Context) -> Result<(), Failure> {
    super::block_on(async {
        let flags = Flags {
            database_url: args.database_url.clone(),
            ..Flags::default()
        };
        let failed = |error: serve::Error| Failure::new(error.to_string());
        let settings = serve::settings(&context.paths, &flags).map_err(failed)?;
        let db = serve::open_unchanged(&context.paths, &settings)
            .await
            .map_err(failed)?;
        let done = match &args.command {
            UsersCommand::List(args) => list(&db, args.output, context).await,
            UsersCommand::Add(args) => add(&db, args, context).await,
            UsersCommand::Disable(args) => change(&db, &args.user, Change::Disable, context).await,
            UsersCommand::Enable(args) => change(&db, &args.user, Change::Enable, context).await,
            UsersCommand::SetRole(args) => {
                change(&db, &args.user, Change::SetRole(args.role.into()), context).await
            }
            UsersCommand::Unlink(args) => change(&db, &args.user, Change::Unlink, context).await,
        };
        db.close().await;
        done
    })
}

/// A user, for scripts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserView<'a> {
    id: &'a str,
    email: &'a str,
    name: Option<&'a str>,
    role: &'static str,
    organization: Option<&'a str>,
    groups: &'a [String],
    last_login_at: Option<String>,
    disabled_at: Option<String>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: &user.id,
            email: &user.email,
            name: user.name.as_deref(),
            role: user.role.as_str(),
            organization: user.provider_org_id.as_deref(),
            groups: &user.groups,
            last_login_at: user.last_login_at.map(|at| at.to_string()),
            disabled_at: user.disabled_at.map(|at| at.to_string()),
        }
    }
}

async fn list(db: &Db, output: Output, context: &mut Context) -> Result<(), Failure> {
    let users = db
        .read(async |tx| user::list(tx, MAX_LISTED).await)
        .await
        .map_err(database)?;
    if output == Output::Json {
        return context
            .console
            .json(&users.iter().map(UserView::from).collect::<Vec<_>>());
    }
    if users.is_empty() {
        return context.console.line("nobody has signed in yet");
    }
    for user in users {
        let name = user.name.map(|name| format!("  {name}")).unwrap_or_default();
        let seen = user.last_login_at.map_or("never signed in".to_owned(), |at| {
            format!("signed in {}", at.strftime("%Y-%m-%d %H:%M:%SZ"))
        });
        let disabled = if user.disabled_at.is_some() {
            "  [disabled]"
        } else {
            ""
        };
        let (email, role) = (&user.email, user.role.as_str());
        context
            .console
            .line(&format!("{email}  {role}{name}  {seen}{disabled}"))?;
    }
    Ok(())
}

async fn add(db: &Db, args: &AddArgs, context: &mut Context) -> Result<(), Failure> {
    let email = args.email.trim();
    if !is_address(email) {
        return Err(Failure::usage(format!(
            "users: {email:?} is not an e-mail address"
        )));
    }
    let (id, reference) = (user::new_id(), random::reference());
    let by = by_cli(&reference);
    let role = Role::from(args.role);
    let is_new = store::write(db, async |tx| manage::add(tx, &id, email, role, by).await)
        .await
        .map_err(database)?;
    if !is_new {
        return Err(Failure::new(format!(
            "{email} is there already: `openneko users list` shows everybody"
        )));
    }
    context
        .console
        .line(&format!("added {email} as {}", role.as_str()))
}

async fn change(db: &Db, who: &str, change: Change, context: &mut Context) -> Result<(), Failure> {
    let found = db
        .read(async |tx| match user::find_by_email(tx, who).await? {
            Some(user) => Ok(Some(user)),
            None => user::find(tx, who).await,
        })
        .await
        .map_err(database)?;
    let nobody = || {
        Failure::new(format!(
            "nobody is called {who}: `openneko users list` shows everybody"
        ))
    };
    let user = found.ok_or_else(nobody)?;
    let reference = random::reference();
    let by = by_cli(&reference);
    let changed = store::write(db, async |tx| manage::change(tx, &user.id, change, by).await)
        .await
        .map_err(database)?;
    let email = &user.email;
    let text = match (changed, change) {
        (ChangeOutcome::Yes, Change::Disable) => format!("disabled {email}"),
        (ChangeOutcome::Yes, Change::Enable) => format!("enabled {email}"),
        (ChangeOutcome::Yes, Change::SetRole(role)) => format!("{email} is {} now", role.as_str()),
        (ChangeOutcome::Yes, Change::Unlink) => format!("unlinked {email}"),
        (ChangeOutcome::Already, _) => format!("{email} was so already"),
        (ChangeOutcome::LastAdmin, _) => {
            return Err(Failure::new(format!(
                "{email} is the last admin: make somebody else one first, with `openneko users set-role`"
            )));
        }
        (ChangeOutcome::NoSuchUser, _) => return Err(nobody()),
    };
    context.console.line(&text)
}

fn by_cli(reference: &str) -> ChangeOrigin<'_> {
    ChangeOrigin {
        actor: "cli",
        reference,
        ip: None,
        at: crate::clock::now(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands over the error")]
fn database(error: genkan_db::Error) -> Failure {
    Failure::new(format!("the database failed: {error}"))
}
