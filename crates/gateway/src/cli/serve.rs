//! `genkan serve`

use clap::Args;

use super::{Context, Failure, server_runtime};
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  genkan serve                      with ./genkan.toml
  genkan serve --config /etc/genkan/genkan.toml
  GENKAN_PUBLIC_URL=https://auth.example.com GENKAN_INSTANCE_KEY=… genkan serve

Every key of the configuration is also a variable. `genkan config check` finds
mistakes beforehand.";

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
