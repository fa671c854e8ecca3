//! `genkan keys list|rotate|generate-instance-key`

mod signing;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::signing::RotateArgs;
use super::{Context, Failure};
use crate::config::InstanceKeyBytes;

/// Signing keys and the instance key
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the keys that tokens are signed with
    List,
    Rotate(RotateArgs),
    GenerateInstanceKey(GenerateArgs),
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  genkan keys generate-instance-key --output /etc/genkan/instance.key
  GENKAN_INSTANCE_KEY=$(genkan keys generate-instance-key)

Keep a copy apart from the backups of the database: who has both has every
secret in it, and who loses the key loses the signing keys and the secrets of
all connections.";

/// Make the key under which secrets are sealed in the database
#[derive(Debug, Args)]
#[command(after_help = GENERATE_EXAMPLES)]
struct GenerateArgs {
    /// Write it to this new file, which only its owner can read, in place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: &KeysArgs, context: &mut Context) -> Result<(), Failure> {
    match &args.verb {
        Verb::List => signing::list(context).await,
        Verb::Rotate(args) => signing::rotate(args, context).await,
        Verb::GenerateInstanceKey(args) => generate(args, context),
    }
}

fn generate(args: &GenerateArgs, context: &mut Context) -> Result<(), Failure> {
    let key = InstanceKeyBytes::generate();
    let Some(path) = &args.output else {
        context.console.write(&key.to_base64())?;
        return context.console.write("\n");
    };
    key.write_new_file(path).map_err(|error| {
        let failure = Failure::new(format!("{} cannot be written: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                failure.remedy("A key is never overwritten: what it sealed would be lost. Name a new file.")
            }
            _ => failure.remedy("Name a file in a folder that you may write to."),
        }
    })?;
    context.console.note(&format!(
        "Wrote {}. Keep a copy apart from the backups of the database.",
        path.display()
    ));
    Ok(())
}
