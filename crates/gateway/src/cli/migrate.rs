//! `genkan migrate`

use clap::Args;
use genkan_store::MIGRATIONS;
use serde::Serialize;

use super::instance::refuse_to_create;
use super::{Context, Failure};
use crate::server;

const EXAMPLES: &str = "\
Examples:
  genkan migrate
  genkan migrate --config /etc/genkan/genkan.toml

`genkan serve` and `genkan dev` also update the schema when they start. No
other command does. Run this command before you start a new version on several
nodes, so that they need not wait for it. Servers may run meanwhile. Each step
waits at most two seconds for a table and is then tried again. Servers of an
older version continue to run, but cannot be restarted.";

/// Update the schema of the database to this version
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateArgs {}

#[derive(Serialize)]
struct SchemaVersion {
    /// The version that the schema has now.
    version: i64,
}

pub(super) async fn run(MigrateArgs {}: &MigrateArgs, context: &mut Context) -> Result<(), Failure> {
    let config = context.target.load(&context.environment)?;
    refuse_to_create(&config)?;
    let db = server::open_database(&config).await?;
    db.close().await;
    let migrated = SchemaVersion {
        version: MIGRATIONS.last().map_or(0, |migration| migration.version),
    };
    context.console.print(&migrated, || {
        format!("The schema has version {}.\n", migrated.version)
    })
}
