//! The environment: the settings of the whole instance. There is one row.

use std::time::Duration;

use genkan_db::{Tx, p};

use crate::row::{Columns, secs, words};
use crate::seal::{InstanceKey, SealContext};
use crate::{EnvironmentId, Error, Timestamp, conflict};

words! {
    /// Whether development rules hold: loopback and wildcard redirects, plain HTTP.
    pub enum Kind {
        Development = "development",
        Production = "production",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub id: EnvironmentId,
    pub kind: Kind,
    /// Increases with every change of configuration. A cache with another number is out of date.
    pub generation: i64,
    /// For access tokens of people, unless their client has its own.
    pub access_token_lifetime: Duration,
    /// For clients that act for themselves (`client_credentials`).
    pub client_access_token_lifetime: Duration,
    /// How long a session may last, however busy it is.
    pub session_absolute: Duration,
    /// How long a session may be unused.
    pub session_idle: Duration,
    pub created_at: Timestamp,
}

const KEY_CHECK: &[u8] = b"genkan";

fn key_check_place(id: &EnvironmentId) -> SealContext<'_> {
    SealContext {
        column: "environment.key_check",
        id: id.as_str(),
    }
}

/// Creates the environment and notes which instance key belongs to it.
///
/// # Errors
///
/// [`conflict::ENVIRONMENT`] if there is one already.
pub async fn create(tx: &mut Tx<'_>, environment: &Environment, key: &InstanceKey) -> Result<(), Error> {
    if find(tx).await?.is_some() {
        return Err(Error::Conflict(conflict::ENVIRONMENT));
    }
    let key_check = key.seal(key_check_place(&environment.id), KEY_CHECK);
    tx.tell();
    tx.exec(
        "INSERT INTO environment (id, kind, key_check, generation, access_token_lifetime_secs,
            client_access_token_lifetime_secs, session_absolute_secs, session_idle_secs, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        p![
            &environment.id,
            environment.kind.as_str(),
            &key_check,
            environment.generation,
            secs(environment.access_token_lifetime),
            secs(environment.client_access_token_lifetime),
            secs(environment.session_absolute),
            secs(environment.session_idle),
            environment.created_at.as_micros(),
        ],
    )
    .await?;
    Ok(())
}

/// The environment, unless the database is new.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>) -> Result<Option<Environment>, Error> {
    let row = tx
        .opt(
            "SELECT id, kind, generation, access_token_lifetime_secs, client_access_token_lifetime_secs,
                session_absolute_secs, session_idle_secs, created_at
               FROM environment",
            p![],
        )
        .await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(Environment {
            id: columns.id()?,
            kind: columns.parsed("environment.kind", str::parse)?,
            generation: columns.int()?,
            access_token_lifetime: columns.seconds()?,
            client_access_token_lifetime: columns.seconds()?,
            session_absolute: columns.seconds()?,
            session_idle: columns.seconds()?,
            created_at: columns.time()?,
        })
    })
    .transpose()
}

/// The environment of an instance that was set up.
///
/// # Errors
///
/// [`Error::Stale`] if there is none yet.
pub async fn get(tx: &mut Tx<'_>) -> Result<Environment, Error> {
    find(tx).await?.ok_or(Error::Stale)
}

/// Whether the secrets of this database are sealed under `key`. It is checked at every start, so that a
/// wrong key shows before the first login.
///
/// # Errors
///
/// [`Error::Stale`] if there is no environment yet.
pub async fn is_sealed_under(tx: &mut Tx<'_>, key: &InstanceKey) -> Result<bool, Error> {
    let row = tx
        .opt("SELECT id, key_check FROM environment", p![])
        .await?
        .ok_or(Error::Stale)?;
    let mut columns = Columns::of(&row);
    let (id, key_check): (EnvironmentId, _) = (columns.id()?, columns.bytes()?);
    Ok(key
        .open(key_check_place(&id), &key_check)
        .is_ok_and(|text| text.as_slice() == KEY_CHECK))
}

/// Sets the lifetimes. They hold from now on.
///
/// # Errors
///
/// [`Error::Stale`] if there is no environment yet.
pub async fn update_lifetimes(tx: &mut Tx<'_>, environment: &Environment) -> Result<(), Error> {
    tx.tell();
    let changed = tx
        .exec(
            "UPDATE environment SET access_token_lifetime_secs = $2, client_access_token_lifetime_secs = $3,
                session_absolute_secs = $4, session_idle_secs = $5, generation = generation + 1
              WHERE id = $1",
            p![
                &environment.id,
                secs(environment.access_token_lifetime),
                secs(environment.client_access_token_lifetime),
                secs(environment.session_absolute),
                secs(environment.session_idle),
            ],
        )
        .await?;
    if changed == 0 { Err(Error::Stale) } else { Ok(()) }
}

/// Tells the caches of all nodes that the configuration has changed. The functions of this crate that
/// change clients, keys, organizations, domains, connections or roles call it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn touch(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.tell();
    tx.exec("UPDATE environment SET generation = generation + 1", p![])
        .await?;
    Ok(())
}

/// The number that caches compare. It is zero before there is an environment.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn generation(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let row = tx.opt("SELECT generation FROM environment", p![]).await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}
