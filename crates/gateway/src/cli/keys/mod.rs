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
    /// List the keys that sign tokens
    List,
    Rotate(RotateArgs),
    GenerateInstanceKey(GenerateArgs),
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  genkan keys generate-instance-key --output /etc/genkan/instance.key
  GENKAN_INSTANCE_KEY=$(genkan keys generate-instance-key)

Keep a copy of the key, but not beside the backups of the database. With both,
anybody can read every secret in the database. Without the key, the signing
keys and the secrets of all connections are lost.";

/// Generate the key that seals the secrets in the database
#[derive(Debug, Args)]
#[command(after_help = GENERATE_EXAMPLES)]
struct GenerateArgs {
    /// Write it to this new file, which only its owner can read, instead of standard output
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
