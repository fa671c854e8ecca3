//! Where our secret at the identity provider comes from.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use genkan_store::Secret;
use genkan_store::connection::{self, Connection};
use zeroize::Zeroizing;

use crate::cli::instance::Instance;
use crate::cli::{Context, Failure};

/// Longer than any provider's secret.
const MAX_SECRET_BYTES: u64 = 4096;

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
    /// The secret, from where the command line says. A final line break is not
    /// part of it; everything else is.
    fn read(&self, context: &mut Context) -> Result<Secret, Failure> {
        let mut text = Zeroizing::new(String::new());
        if let Some(path) = &self.client_secret_file {
            let unreadable = |error| {
                Failure::new(format!("{} cannot be read: {error}", path.display()))
                    .remedy("Name a file that holds the secret and nothing else.")
            };
            let file = fs::File::open(path).map_err(unreadable)?;
            file.take(MAX_SECRET_BYTES + 2)
                .read_to_string(&mut text)
                .map_err(unreadable)?;
        } else if let Some(secret) = &self.client_secret {
            context.console.note(
                "warning: the secret on the command line can be seen in the list of processes and in the \
                 shell's history; prefer --client-secret-file or --client-secret-stdin",
            );
            text.push_str(secret);
        } else {
            io::stdin().take(MAX_SECRET_BYTES + 2).read_to_string(&mut text)?;
        }
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() || secret.len() as u64 > MAX_SECRET_BYTES || secret.chars().any(char::is_control)
        {
            return Err(Failure::usage(
                "The client secret is empty, too long, or holds several lines.",
            ));
        }
        Ok(Secret::from_presented(secret))
    }

    /// The secret, sealed for `connection`; nothing if none was named.
    pub(super) async fn seal(
        &self,
        connection: &Connection,
        instance: &Instance,
        context: &mut Context,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if !self.is_given() {
            return Ok(None);
        }
        let (key, secret) = (instance.key().await?, self.read(context)?);
        Ok(Some(connection::seal_client_secret(
            &key,
            &connection.id,
            &secret,
        )))
    }

    pub(super) fn is_given(&self) -> bool {
        self.client_secret_file.is_some() || self.client_secret_stdin || self.client_secret.is_some()
    }
}
