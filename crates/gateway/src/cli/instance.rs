//! Opens the database of an instance. A server may be running on it.

use std::io;
use std::path::Path;

use clap::Args;
use genkan_db::{Db, Tx};
use genkan_protocol::Timestamp;
use genkan_protocol::oauth::redirect_uri;
use genkan_store::domain::Claimant;
use genkan_store::environment::{self, Environment, Kind};
use genkan_store::id::Id;
use genkan_store::{Actor, Generator, InstanceKey, Page, Stamp};
use serde::Serialize;

use super::{Context, Failure};
use crate::config::Config;
use crate::server;

/// An instance that is set up.
pub(super) struct Instance {
    pub(super) config: Config,
    pub(super) environment: Environment,
    pub(super) now: Timestamp,
    pub(super) db: Db,
    ids: Generator,
}

impl Context {
    /// Opens the instance that the command line names.
    pub(super) async fn open(&self) -> Result<Instance, Failure> {
        let config = self.target.load(&self.environment)?;
        refuse_to_create(&config)?;
        let db = server::open_unchanged_database(&config).await?;
        let environment = db.read(async |tx| environment::find(tx).await).await?;
        let environment = environment.ok_or_else(|| {
            Failure::new("The database is empty: the instance was never started.")
                .remedy("Start it once with `genkan serve`, which sets it up.")
        })?;
        Ok(Instance {
            config,
            environment,
            now: server::now(),
            db,
            ids: Generator::random(),
        })
    }
}

/// It is unknown whether there is a database.
pub(super) fn unseen(path: &str, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("The database at {path} cannot be looked at: {error}."));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.remedy(
            "Run the command as the user that runs the instance, for example with `sudo -u USER`: this user may \
             not enter the folder.",
        ),
        _ => failure.remedy("Check the path, and the folders that it goes through."),
    }
}

/// A file that a command creates might belong to the wrong user.
pub(super) fn refuse_to_create(config: &Config) -> Result<(), Failure> {
    let url = config.database_url();
    let Some(path) = url.sqlite_path() else {
        return Ok(());
    };
    match std::fs::metadata(Path::new(path)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::new(format!("There is no database at {path} yet."))
                .remedy("Start the instance once with `genkan serve`, as the user that it will run as."))
        }
        Err(error) => Err(unseen(path, &error)),
    }
}

impl Instance {
    /// The claimant of a domain that the command line enters.
    pub(super) fn claimant(&self) -> Claimant {
        let is_development = self.environment.kind == Kind::Development;
        Claimant::with_credentials(is_development, self.config.domains.require_proof)
    }

    /// The time of the command, and the generator of new identifiers.
    pub(super) fn stamp(&self) -> Stamp<'_> {
        Stamp::new(&self.ids, self.now).by(Actor::Cli)
    }

    pub(super) async fn read<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, genkan_store::Error> + Clone,
    ) -> Result<T, Failure> {
        Ok(self.db.read(f).await?)
    }

    pub(super) async fn change<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, genkan_store::Error> + Clone,
    ) -> Result<T, Failure> {
        Ok(self.db.tx(f).await?)
    }

    /// As [`Instance::change`], but each statement sees what others have committed, see
    /// [`Db::tx_read_committed`].
    pub(super) async fn change_read_committed<T>(
        &self,
        f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, genkan_store::Error> + Clone,
    ) -> Result<T, Failure> {
        Ok(self.db.tx_read_committed(f).await?)
    }

    /// The key that seals secrets, if this database uses it.
    pub(super) async fn key(&self) -> Result<InstanceKey, Failure> {
        let key = server::instance_key(&self.config)?;
        let fits = self
            .read(async |tx| environment::is_sealed_under(tx, &key).await)
            .await?;
        if fits {
            return Ok(key);
        }
        Err(Failure::new("The instance key does not belong to this database.")
            .remedy("Name the key that the server has: instance_key_file or GENKAN_INSTANCE_KEY."))
    }

    /// The prefix of this instance's secrets, by which people and scanners recognise leaked ones.
    pub(super) fn secret_prefix(&self) -> &'static str {
        match self.environment.kind {
            Kind::Development => "test_",
            Kind::Production => "prd_",
        }
    }

    /// The rules for redirect URIs of this instance.
    pub(super) fn redirect_rules(&self) -> redirect_uri::Environment {
        match self.environment.kind {
            Kind::Development => redirect_uri::Environment::Development,
            Kind::Production => redirect_uri::Environment::Production,
        }
    }
}

/// Which part of a list to show.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// The most entries to show, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Continue after this entry, the last one of the previous page
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

impl PageArgs {
    /// The requested page, of identifiers of kind `I`.
    pub(super) fn page<I: Id>(&self) -> Result<Page<I>, Failure> {
        let after = self.after.as_deref().map(parse_id).transpose()?;
        Ok(match after {
            None => Page::first(self.limit),
            Some(id) => Page::after(self.limit, id),
        })
    }

    /// The start of the next page, if there may be one.
    pub(super) fn next<T>(&self, rows: &[T], id: impl Fn(&T) -> String) -> Option<String> {
        if rows.len() < self.limit as usize {
            None
        } else {
            rows.last().map(id)
        }
    }
}

/// Parses an identifier from the command line.
pub(super) fn parse_id<I: Id>(text: &str) -> Result<I, Failure> {
    I::parse(text).map_err(|_| {
        Failure::usage(format!("\"{text}\" is not an identifier of the right kind.")).remedy(format!(
            "Write {} and its digits, as the list shows it.",
            I::PREFIXES.join("…, ") + "…"
        ))
    })
}

/// The output of a deletion.
#[derive(Debug, Serialize)]
pub(super) struct Deletion {
    pub(super) id: String,
    pub(super) deleted: bool,
}

impl Deletion {
    pub(super) fn new(id: &impl ToString) -> Self {
        Self {
            id: id.to_string(),
            deleted: true,
        }
    }

    pub(super) fn text(&self) -> String {
        format!("Deleted {}.\n", self.id)
    }
}
