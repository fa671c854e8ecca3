//! `genkan serve`

use clap::Args;

use super::{Context, Failure, server_runtime};
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  genkan serve                      with ./genkan.toml
  genkan serve --config /etc/genkan/genkan.toml
  GENKAN_PUBLIC_URL=https://auth.example.com GENKAN_INSTANCE_KEY=… genkan serve

Each key of the configuration can also be set as an environment variable.
`genkan config check` finds mistakes before you start.";

/// Run in production
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {}

pub(super) fn run(ServeArgs {}: ServeArgs, context: &mut Context) -> Result<(), Failure> {
    let config = Config::load(context.target.config_file()?.as_deref(), &context.environment)?;
    config.check_files()?;
    let started = crate::logging::start(&config.log);
    started.map_err(|error| Failure::new(format!("Logging cannot start: {error}")))?;
    server_runtime()?.block_on(crate::serve::run(config))
}
