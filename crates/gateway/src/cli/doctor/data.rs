//! Checks the database, the instance key, the signing keys and the disk.

use std::io;
use std::path::Path;
use std::time::Duration;

use genkan_db::{Db, p};
use genkan_protocol::jose::Algorithm;
use genkan_store::environment::{self, Environment};
use genkan_store::node::{self, Clock};
use genkan_store::{InstanceKey, MIGRATIONS, signing_key};

use super::Findings;
use crate::cli::output::time;
use crate::config::Config;
use crate::failure::chain;
use crate::server;

const DATABASE: &str = "Database";
const INSTANCE_KEY: &str = "Instance key";
const SIGNING_KEYS: &str = "Signing keys";
const DISK: &str = "Disk";
const CLOCK: &str = "Database clock";

/// A signing key should be rotated after this time.
const OLD_KEY: Duration = Duration::from_secs(400 * 86_400);

/// The data of a database that is in order, for further checks.
pub(super) struct Data {
    pub(super) db: Db,
    pub(super) environment: Environment,
    pub(super) instance_key: InstanceKey,
}

/// Checks the database. `None` if it cannot be checked further.
pub(super) async fn examine(config: &Config, findings: &mut Findings) -> Option<Data> {
    let url = config.database_url();
    if let Some(path) = url.sqlite_path() {
        match std::fs::metadata(Path::new(path)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                findings.fail(
                    DATABASE,
                    format!("there is no database at {path}"),
                    "Start the instance once: it makes one.",
                );
                return None;
            }
            Err(error) => {
                findings.fail(
                    DATABASE,
                    format!("{path} cannot be looked at: {error}"),
                    "Run `genkan doctor` as the user that runs the instance.",
                );
                return None;
            }
        }
        disk(Path::new(path), findings);
    }
    let db = match Db::connect(url.expose()).await {
        Ok(db) => db,
        Err(error) => {
            findings.fail(
                DATABASE,
                error.to_string(),
                "Check database.url, and whether the database runs.",
            );
            return None;
        }
    };
    if !schema(&db, findings).await {
        return None;
    }
    let found = match db.read(async |tx| environment::find(tx).await).await {
        Ok(found) => found,
        Err(error) => {
            findings.fail(
                DATABASE,
                chain(&error),
                "Restore the database from a backup if it is damaged.",
            );
            return None;
        }
    };
    let Some(environment) = found else {
        findings.fail(
            DATABASE,
            "the database is empty",
            "Start the instance once: it sets the database up.",
        );
        return None;
    };
    findings.ok(
        DATABASE,
        format!("{url} holds a {} environment", environment.kind),
    );
    clock(&db, findings).await;
    let instance_key = instance_key(config, &db, findings).await?;
    signing_keys(&db, &instance_key, findings).await;
    Some(Data {
        db,
        environment,
        instance_key,
    })
}

/// Whether the schema has the version of this program.
async fn schema(db: &Db, findings: &mut Findings) -> bool {
    let newest = MIGRATIONS.last().map_or(0, |migration| migration.version);
    let read = db
        .read(async |tx| -> Result<i64, genkan_db::Error> {
            let row = tx
                .opt("SELECT CAST(MAX(version) AS BIGINT) FROM schema_migrations", p![])
                .await?;
            Ok(row
                .map(|row| row.get::<Option<i64>>(0))
                .transpose()?
                .flatten()
                .unwrap_or(0))
        })
        .await;
    match read {
        Ok(version) if version == newest => true,
        Ok(version) if version > newest => {
            let message = format!("the schema has version {version}, this program knows {newest}");
            findings.fail(
                DATABASE,
                message,
                "Use the version of genkan that the server has, or a newer one.",
            );
            false
        }
        // If there is no table, nobody has set the database up. If it is older, the server has not started
        // since the upgrade.
        Ok(_) | Err(genkan_db::Error::Database(_)) => {
            let message = format!("the schema is older than version {newest}");
            findings.fail(
                DATABASE,
                message,
                "Run `genkan migrate`, or start the server of this version: either brings the schema up to date.",
            );
            false
        }
        Err(error) => {
            findings.fail(
                DATABASE,
                error.to_string(),
                "Check whether the database runs and lets this user in.",
            );
            false
        }
    }
}

/// Compares the clock of this machine with the database's.
async fn clock(db: &Db, findings: &mut Findings) {
    const REMEDY: &str = "See that both machines are synchronized, by chrony or systemd-timesyncd. A node that is off \
                          by 30 seconds signs nobody in while others are right.";
    let before = server::now();
    // A failing database is reported already. SQLite uses the clock of this machine.
    let Ok(Some(database)) = db.clock().await else {
        return;
    };
    let ours = i64::midpoint(before.as_micros(), server::now().as_micros());
    let ahead = ours.saturating_sub(database);
    let (millis, side) = (
        ahead.unsigned_abs() / 1000,
        if ahead < 0 { "behind" } else { "ahead of" },
    );
    let message = format!("this machine is {millis} ms {side} the database");
    match node::judge(ahead, &[0]) {
        Clock::Right => findings.ok(CLOCK, message),
        Clock::Warn => findings.warn(CLOCK, message, REMEDY),
        Clock::Off => findings.fail(CLOCK, message, REMEDY),
    }
}

async fn instance_key(config: &Config, db: &Db, findings: &mut Findings) -> Option<InstanceKey> {
    // If its file cannot be read, another check reports that.
    let key = server::instance_key(config).ok()?;
    match db
        .read(async |tx| environment::is_sealed_under(tx, &key).await)
        .await
    {
        Ok(true) => {
            findings.ok(INSTANCE_KEY, "belongs to this database");
            Some(key)
        }
        Ok(false) => {
            findings.fail(
                INSTANCE_KEY,
                "does not belong to this database: nothing that is sealed in it can be read",
                "Name the key that the database was set up with, from your copy.",
            );
            None
        }
        Err(error) => {
            findings.fail(INSTANCE_KEY, chain(&error), "See the database above.");
            None
        }
    }
}

async fn signing_keys(db: &Db, instance_key: &InstanceKey, findings: &mut Findings) {
    let now = server::now();
    let keys = match db.read(async |tx| signing_key::list(tx, now).await).await {
        Ok(keys) => keys,
        Err(error) => {
            findings.fail(SIGNING_KEYS, chain(&error), "See the database above.");
            return;
        }
    };
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let Some(key) = signing_key::signing_at(&keys, algorithm, now) else {
            findings.fail(
                SIGNING_KEYS,
                format!("no {algorithm} key signs now"),
                format!("genkan keys rotate --alg {algorithm} --publish-lead 0s"),
            );
            continue;
        };
        if key.open_private_key(instance_key).is_err() {
            findings.fail(
                SIGNING_KEYS,
                format!("the {algorithm} key {} cannot be opened", key.id),
                format!("genkan keys rotate --alg {algorithm} --publish-lead 0s"),
            );
        } else if now.since(key.signs_from) > OLD_KEY {
            findings.warn(
                SIGNING_KEYS,
                format!(
                    "the {algorithm} key {} signs since {}",
                    key.id,
                    time(key.signs_from)
                ),
                format!("genkan keys rotate --alg {algorithm}"),
            );
        } else {
            findings.ok(SIGNING_KEYS, format!("{} signs with {algorithm}", key.id));
        }
    }
}

/// Checks the space for the SQLite file, because a full disk stops every sign-in.
fn disk(file: &Path, findings: &mut Findings) {
    const LITTLE: u64 = 1 << 30;
    const NONE: u64 = 100 << 20;
    const REMEDY: &str = "Make room, or move data_dir to a larger disk.";
    let Some(free) = free_bytes(file) else {
        return;
    };
    let message = format!("{} MiB are free for {}", free >> 20, file.display());
    match free {
        0..NONE => findings.fail(DISK, message, REMEDY),
        NONE..LITTLE => findings.warn(DISK, message, REMEDY),
        _ => findings.ok(DISK, message),
    }
}

#[cfg(unix)]
fn free_bytes(file: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(file).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_file: &Path) -> Option<u64> {
    None
}
