//! The command line: one file per verb.

mod call;
mod catalogs;
mod console;
mod doctor;
mod failure;
mod grant;
mod init;
mod install;
mod list;
mod log;
mod marketplace;
mod policy;
mod printable;
mod reference;
mod remove;
mod secrets;
mod serve;
mod terminal;
mod update;
mod users;
mod version;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use console::Console;
pub use failure::Failure;
pub use reference::reference;

use crate::paths::Paths;

const EXAMPLES: &str = "\
Examples:
  openneko init
  openneko install @open-neko/plugin-scalekit
  openneko list
  openneko secrets set @open-neko/plugin-scalekit SCALEKIT_CLIENT_SECRET
  openneko doctor
  openneko serve

Files: openneko.plugins.json in the current directory lists the installed
plugins (OPENNEKO_PLUGINS_MANIFEST_PATH names another file). The folder
plugins/ beside it contains the packages (OPENNEKO_PLUGIN_INSTALL_DIR names
another folder). Secrets, marketplaces and the policy are in
~/.config/openneko.

Exit codes: 0 done, 1 failed, 2 used wrongly.";

/// Installs plugins, and signs people in through one of them. A plugin runs in
/// a sandbox and reaches only the hosts that its manifest declares.
#[derive(Debug, Parser)]
#[command(
    name = "openneko",
    version,
    disable_version_flag = true,
    after_help = EXAMPLES,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Has no effect; accepted for scripts of older versions
    #[arg(long, global = true)]
    local: bool,
    /// Print the version
    #[arg(long = "version", action = clap::ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Install(install::InstallArgs),
    Remove(remove::RemoveArgs),
    List(list::ListArgs),
    Update(update::UpdateArgs),
    Users(users::UsersArgs),
    Secrets(secrets::SecretsArgs),
    Marketplace(marketplace::MarketplaceArgs),
    Policy(policy::PolicyArgs),
    Grant(grant::GrantArgs),
    Revoke(grant::RevokeArgs),
    Serve(serve::ServeArgs),
    Doctor(doctor::DoctorArgs),
    Log(log::LogArgs),
    Call(call::CallArgs),
    Version(version::VersionArgs),
}

/// The environment of a command: input, output and options.
pub struct Context {
    pub console: Console,
    pub paths: Paths,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let result = Paths::from_env().map_err(Failure::from).and_then(|paths| {
        let mut context = Context {
            console: Console::of_process(),
            paths,
        };
        run(cli.command, &mut context).and_then(|()| context.console.finish())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Install(args) => install::run(&args, context),
        Command::Remove(args) => remove::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Update(args) => update::run(&args, context),
        Command::Users(args) => users::run(&args, context),
        Command::Secrets(args) => secrets::run(args, context),
        Command::Marketplace(args) => marketplace::run(&args, context),
        Command::Policy(args) => policy::run(&args, context),
        Command::Grant(args) => grant::grant(&args, context),
        Command::Revoke(args) => grant::revoke(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Log(args) => log::run(&args, context),
        Command::Call(args) => call::run(&args, context),
        Command::Version(args) => version::run(&args, context),
    }
}

/// Prints the output of clap: help, the version, or a mistake in the command line.
fn explain(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayVersion {
        // Printing fails only if nobody listens.
        let _ = writeln!(std::io::stdout(), "{}", version::VERSION);
        return ExitCode::SUCCESS;
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Runs downloads to their end.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// The present time, as it is written in files.
fn now() -> String {
    crate::clock::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
