//! The options for our secret at the identity provider.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use genkan_store::connection::{Edit, MAX_SECRET_BYTES, NewSecret};
use genkan_store::{InstanceKey, Secret};
use zeroize::Zeroizing;

use crate::cli::instance::Instance;
use crate::cli::{Context, Failure};

/// Enough to notice that it is too long, even with a line break.
const MOST_READ: u64 = MAX_SECRET_BYTES as u64 + 3;

#[derive(Debug, Args)]
#[group(id = "secret", multiple = false)]
pub(super) struct SecretArgs {
    /// A file that holds Genkan's secret at the provider
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Read the secret from standard input
    #[arg(long)]
    client_secret_stdin: bool,
    /// The secret itself; other users of this machine can see it in the list of processes
    #[arg(long, value_name = "SECRET")]
    client_secret: Option<String>,
}

impl SecretArgs {
    /// Reads the secret from where the options say. A final line break is removed.
    fn read(&self, context: &mut Context) -> Result<Secret, Failure> {
        let mut text = Zeroizing::new(String::new());
        if let Some(path) = &self.client_secret_file {
            let unreadable = |error| {
                Failure::new(format!("{} cannot be read: {error}", path.display()))
                    .remedy("Name a file that holds the secret and nothing else.")
            };
            let file = fs::File::open(path).map_err(unreadable)?;
            file.take(MOST_READ)
                .read_to_string(&mut text)
                .map_err(unreadable)?;
        } else if let Some(secret) = &self.client_secret {
            context.console.note(
                "warning: the secret on the command line can be seen in the list of processes and in the \
                 shell's history; prefer --client-secret-file or --client-secret-stdin",
            );
            text.push_str(secret);
        } else {
            io::stdin().take(MOST_READ).read_to_string(&mut text)?;
        }
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        Ok(Secret::from_presented(secret))
    }

    /// The key that seals the secret. `None` if no option sets one.
    pub(super) async fn key(&self, instance: &Instance) -> Result<Option<InstanceKey>, Failure> {
        match self.is_given() {
            true => instance.key().await.map(Some),
            false => Ok(None),
        }
    }

    /// The secret of the options, if there is a key for it.
    pub(super) fn entered<'k>(
        &self,
        key: Option<&'k InstanceKey>,
        context: &mut Context,
    ) -> Result<Edit<NewSecret<'k>>, Failure> {
        let Some(key) = key else { return Ok(Edit::Leave) };
        let secret = self.read(context)?;
        Ok(Edit::Set(NewSecret { secret, key }))
    }

    pub(super) fn is_given(&self) -> bool {
        self.client_secret_file.is_some() || self.client_secret_stdin || self.client_secret.is_some()
    }
}
