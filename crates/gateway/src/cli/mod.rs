//! The command line: one file per verb.

mod app;
mod attribute;
mod backup;
mod config;
mod connection;
mod dev;
mod directory;
mod doctor;
mod domain;
mod environment;
mod event;
mod import;
mod instance;
mod keys;
mod m2m;
mod mail;
mod migrate;
mod name;
mod org;
mod output;
mod pairs;
mod permission;
mod product;
mod reference;
mod role;
mod serve;
mod session;
mod target;
mod token;
mod trace;
mod user;
mod version;
mod which;

use std::pin::Pin;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use output::Console;
pub use reference::reference;
use target::Target;
use tokio::runtime::Runtime;

use crate::config::Environment;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  genkan dev                        try a gateway and a demo application
  genkan config check               find the mistakes in genkan.toml
  genkan serve                      run in production
  genkan org create --name \"Acme\" --domain acme.com
  genkan doctor                     find problems

Commands that read or change data open the database of the running server. If
there is a ./genkan.toml, it names the database. Otherwise the database is in
./genkan-data. Changes take effect at once.

Exit codes: 0 done, 1 failed, 2 used wrongly, 3 not found.";

/// The front door for B2B software: single sign-on for your applications, through the identity providers
/// of your customers.
#[derive(Debug, Parser)]
#[command(name = "genkan", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The configuration file of the instance (default: ./genkan.toml)
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<std::path::PathBuf>,
    /// The folder of a development instance (default: ./genkan-data)
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
    /// Print one JSON document instead of tables
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::DevArgs),
    Serve(serve::ServeArgs),
    App(app::AppArgs),
    M2m(m2m::M2mArgs),
    Org(org::OrgArgs),
    Domain(domain::DomainArgs),
    Connection(connection::ConnectionArgs),
    Directory(directory::DirectoryArgs),
    User(user::UserArgs),
    Session(session::SessionArgs),
    Import(import::ImportArgs),
    Token(token::TokenArgs),
    Role(role::RoleArgs),
    Permission(permission::PermissionArgs),
    Attribute(attribute::AttributeArgs),
    Environment(environment::EnvironmentArgs),
    Keys(keys::KeysArgs),
    Mail(mail::MailArgs),
    Backup(backup::BackupArgs),
    Migrate(migrate::MigrateArgs),
    Doctor(doctor::DoctorArgs),
    Config(config::ConfigArgs),
    Trace(trace::TraceArgs),
    Event(event::EventArgs),
    Version(version::VersionArgs),
}

/// The environment of a command: input, output and options.
struct Context {
    console: Console,
    environment: Environment,
    target: Target,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    genkan_web::listener::install_crypto_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails only if nobody reads it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let environment = Environment::of_process();
    let mut context = Context {
        console: Console::of_process(cli.global.json),
        target: Target::new(cli.global.config, cli.global.data_dir, &environment),
        environment,
    };
    let result = run(cli.command, &mut context).and_then(|()| context.console.finish());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command, context: &mut Context) -> Result<(), Failure> {
    match command {
        Command::Dev(args) => dev::run(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::App(args) => wait_for(app::run(&args, context)),
        Command::M2m(args) => wait_for(m2m::run(&args, context)),
        Command::Org(args) => wait_for(org::run(&args, context)),
        Command::Domain(args) => wait_for(domain::run(&args, context)),
        Command::Environment(args) => wait_for(environment::run(&args, context)),
        Command::Connection(args) => wait_for(connection::run(&args, context)),
        Command::Directory(args) => wait_for(directory::run(&args, context)),
        Command::User(args) => wait_for(user::run(&args, context)),
        Command::Session(args) => wait_for(session::run(&args, context)),
        Command::Import(args) => wait_for(import::run(&args, context)),
        Command::Token(args) => wait_for(token::run(&args, context)),
        Command::Role(args) => wait_for(role::run(&args, context)),
        Command::Permission(args) => wait_for(permission::run(&args, context)),
        Command::Attribute(args) => wait_for(attribute::run(&args, context)),
        Command::Keys(args) => wait_for(keys::run(&args, context)),
        Command::Mail(args) => wait_for(mail::run(&args, context)),
        Command::Backup(args) => wait_for(backup::run(&args, context)),
        Command::Migrate(args) => wait_for(migrate::run(&args, context)),
        Command::Doctor(args) => wait_for(doctor::run(&args, context)),
        Command::Config(args) => config::run(&args, context),
        Command::Trace(args) => wait_for(trace::run(&args, context)),
        Command::Event(args) => wait_for(event::run(&args, context)),
        Command::Version(args) => version::run(args, context),
    }
}

/// Runs a command that opens the database, on this thread.
///
/// Each command is boxed, so that the loops of the runtime are compiled once. Otherwise they contained
/// three copies of every command.
fn wait_for(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let command: Pin<Box<dyn Future<Output = _>>> = Box::pin(command);
    runtime(tokio::runtime::Builder::new_current_thread())?.block_on(command)
}

/// The runtime for a server.
fn server_runtime() -> Result<Runtime, Failure> {
    runtime(tokio::runtime::Builder::new_multi_thread())
}

fn runtime(mut builder: tokio::runtime::Builder) -> Result<Runtime, Failure> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::new(format!("The process cannot start its threads: {error}")))
}
