//! `genkan backup`

use std::path::PathBuf;

use clap::Args;
use genkan_db::Engine;
use serde::Serialize;

use super::{Context, Failure};
use crate::failure::chain;

const EXAMPLES: &str = "\
Examples:
  genkan backup --output /backup/genkan-$(date +%F).db

The server may run meanwhile. To restore the copy, stop the server, remove
genkan.db-wal and genkan.db-shm, replace genkan.db by the copy, and start the
server. The copy is useless without the instance key. Keep the key elsewhere.
Use the tools of PostgreSQL to back up a PostgreSQL database.";

/// Write a consistent copy of the embedded database
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackupArgs {
    /// The new file, which only its owner can read
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Backup {
    path: String,
    bytes: u64,
}

pub(super) async fn run(args: &BackupArgs, context: &mut Context) -> Result<(), Failure> {
    let instance = context.open().await?;
    if instance.db.engine() == Engine::Postgres {
        return Err(Failure::new("This instance lives in PostgreSQL.")
            .remedy("Back it up with pg_dump, or with the backups of its host."));
    }
    instance.db.backup(&args.output).await.map_err(|error| {
        Failure::new(chain(&error)).remedy("Name a new file in a folder that you may write to.")
    })?;
    let bytes = std::fs::metadata(&args.output)?.len();
    let backup = Backup {
        path: args.output.display().to_string(),
        bytes,
    };
    context.console.print(&backup, || {
        format!("Wrote {} ({} KiB).\n", backup.path, backup.bytes / 1024)
    })
}
