//! Load generator, and what else a comparison needs: data to measure with,
//! cold starts, the bare signing rate. `bench/run` calls it; so may a person.

mod cold_start;
mod flow;
mod http;
mod load;
mod process;
mod saml;
mod seed;
mod sign;
mod target;

use clap::{Parser, Subcommand};

/// What stops a measurement: a sentence.
type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(about = "Measures an OpenID Provider from outside")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put load on a running server; prints one line of JSON
    Load(load::Args),
    /// Fill a Genkan database with clients, people and sessions, and write the target file
    Seed(seed::Args),
    /// Make the key and the metadata of the SAML provider that `load saml` plays
    SamlProvider(saml::Args),
    /// Time a server from its start to its first token; prints one line of JSON
    ColdStart(cold_start::Args),
    /// Measure how often one core signs with the library that Genkan uses; prints one line of JSON
    Sign(sign::Args),
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match Cli::parse().command {
        Command::Load(args) => runtime.block_on(tokio::task::LocalSet::new().run_until(load::run(args))),
        Command::Seed(args) => runtime.block_on(seed::run(args)),
        Command::SamlProvider(args) => saml::make(&args),
        Command::ColdStart(args) => runtime.block_on(cold_start::run(args)),
        Command::Sign(args) => sign::run(&args),
    }
}
