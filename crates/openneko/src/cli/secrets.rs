//! `openneko secrets …`.

use std::io::{self, Read};

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::{Context, Failure};
use crate::secrets::{Change, Error, Secret, Store, is_key_name};

const EXAMPLES: &str = "\
Examples:
  openneko secrets set @open-neko/plugin-scalekit SCALEKIT_CLIENT_SECRET
  openneko secrets set @open-neko/plugin-scalekit SCALEKIT_CLIENT_SECRET --stdin < secret.txt
  openneko secrets list
  openneko secrets unset @open-neko/plugin-scalekit SCALEKIT_CLIENT_SECRET

Values are encrypted with the key in ~/.config/openneko/secret-key. The next
call of the plugin uses the new value. No restart is needed.";

/// Store, list and delete the secrets of plugins
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SecretsArgs {
    #[command(subcommand)]
    command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
enum SecretsCommand {
    List(ListArgs),
    Set(SetArgs),
    Unset(UnsetArgs),
}

/// List the stored secrets, without their values
#[derive(Debug, Args)]
struct ListArgs {
    /// Only secrets of this plugin
    plugin: Option<String>,
}

const SET_EXAMPLES: &str = "\
Examples:
  openneko secrets set @open-neko/plugin-scalekit SCALEKIT_CLIENT_SECRET
      asks for the value and does not show it
  vault read -field=secret sso | openneko secrets set @open-neko/plugin-scalekit SCALEKIT_CLIENT_SECRET --stdin
      reads the value; one newline at its end does not count";

/// Store or replace a secret
#[derive(Debug, Args)]
#[command(after_help = SET_EXAMPLES)]
struct SetArgs {
    /// The plugin's package name; the plugin need not be installed yet
    plugin: String,
    /// The name of the value: UPPER_SNAKE_CASE
    key: String,
    /// The value. Other users of this machine can see it while the command runs, so better omit it
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
    /// Read the value from standard input
    #[arg(long, conflicts_with = "value")]
    stdin: bool,
}

/// Delete a secret
#[derive(Debug, Args)]
struct UnsetArgs {
    /// The plugin's package name
    plugin: String,
    /// The name of the value
    key: String,
}

pub(super) fn run(args: SecretsArgs, context: &mut Context) -> Result<(), Failure> {
    match args.command {
        SecretsCommand::List(args) => list(&args, context),
        SecretsCommand::Set(args) => set(args, context),
        SecretsCommand::Unset(args) => unset(&args, context),
    }
}

fn list(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let mut plugins = Store::open(&context.paths)?.list()?;
    if let Some(wanted) = &args.plugin {
        plugins.retain(|plugin, _| plugin == wanted);
    }
    if plugins.is_empty() {
        return context.console.line("no secrets stored");
    }
    for (plugin, keys) in &plugins {
        context.console.line(plugin)?;
        for key in keys {
            context.console.line(&format!("  {key}"))?;
        }
    }
    Ok(())
}

fn set(args: SetArgs, context: &mut Context) -> Result<(), Failure> {
    let SetArgs {
        plugin,
        key,
        value,
        stdin,
    } = args;
    // Before anything is asked.
    if !is_key_name(&key) {
        return Err(Error::KeyName(key).into());
    }
    let value = match value {
        Some(value) => {
            context.console.note(
                "warning: a value on the command line is visible to other users and stays in the shell's \
                 history. Leave it out to be asked for it, or use --stdin",
            );
            Secret::new(value)
        }
        None if stdin => read_stdin()?,
        None if context.console.is_interactive() => {
            context.console.ask_hidden(&format!("{key} (hidden): "))?
        }
        None => {
            return Err(Failure::usage(
                "secrets set: value required when stdin is not a TTY (pass it as the third arg)\n\
                 Better, since nobody can see it: --stdin reads the value from standard input",
            ));
        }
    };
    let verb = match Store::open(&context.paths)?.set(&plugin, &key, value)? {
        Change::Set => "set",
        Change::Updated => "updated",
    };
    context.console.line(&format!("{verb} {plugin}/{key}"))
}

/// The whole standard input, without the newline at the end of files and of `echo`.
fn read_stdin() -> Result<Secret, Failure> {
    const MAX_BYTES: usize = 64 << 10;
    let mut value = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 4));
    io::stdin()
        .lock()
        .take(MAX_BYTES as u64 + 3)
        .read_to_end(&mut value)?;
    for end in [b'\n', b'\r'] {
        if value.last() == Some(&end) {
            value.pop();
        }
    }
    if value.len() > MAX_BYTES {
        return Err(Failure::new("the value is too long: 64 KiB is the most"));
    }
    let value = std::str::from_utf8(&value).map_err(|_| Failure::new("the value is not UTF-8"))?;
    Ok(Secret::new(value.to_owned()))
}

fn unset(args: &UnsetArgs, context: &mut Context) -> Result<(), Failure> {
    let UnsetArgs { plugin, key } = args;
    if Store::open(&context.paths)?.unset(plugin, key)? {
        context.console.line(&format!("unset {plugin}/{key}"))
    } else {
        context.console.line(&format!("{plugin}/{key} was not set"))
    }
}
