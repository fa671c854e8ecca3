//! The database of the web app, on SQLite or PostgreSQL.
//!
//! Functions take `&mut Tx<'_>`, so a handler decides what one transaction holds. If a
//! refusal changed something, it is an `Ok` outcome, because it must be committed.

pub mod arrival;
pub mod audit;
pub mod first_admin;
pub mod flow;
pub mod gate;
pub mod manage;
pub mod session;
pub mod switch;
pub mod user;

use std::time::{Duration, Instant};

use genkan_db::{Db, Error, Migration, Row, Tx, p};
use jiff::Timestamp;

use crate::web::random;

/// The schema, step by step. A step is never changed after a release.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "web",
        sql: include_str!("../../../migrations/0001_web.sql"),
    },
    Migration {
        version: 2,
        name: "first_admin_and_switch",
        sql: include_str!("../../../migrations/0002_first_admin_and_switch.sql"),
    },
    Migration {
        version: 3,
        name: "bytes",
        sql: include_str!("../../../migrations/0003_bytes.sql"),
    },
];

/// Opens `sqlite:<path>` or `postgres://…` and brings its schema up to date.
///
/// # Errors
///
/// If the database cannot be reached, or is newer than this program.
pub async fn open(url: &str, now: Timestamp) -> Result<Db, Error> {
    let db = Db::connect(url).await?;
    prepare(&db, now).await?;
    Ok(db)
}

/// Brings the schema of an open database up to date and makes the one organization.
///
/// # Errors
///
/// As [`open`].
pub async fn prepare(db: &Db, now: Timestamp) -> Result<(), Error> {
    db.migrate(MIGRATIONS).await?;
    let id = random::uuid();
    write(db, async |tx| {
        tx.exec(
            "INSERT INTO organization (id, name, is_only, created_at) VALUES ($1, 'My Workspace', TRUE, $2)
             ON CONFLICT DO NOTHING",
            p![&id, now.as_microsecond()],
        )
        .await
    })
    .await?;
    Ok(())
}

/// How often a transaction runs that meets a row of another one.
const TRIES: u32 = 8;

/// How long a transaction waits for its turn to write. The database itself gives up after
/// five seconds; a person who waits for a page rather waits than tries again.
const BUSY_FOR: Duration = Duration::from_secs(20);

/// Runs a transaction, and again if another one wrote first what it would write, or if
/// too many write at once.
///
/// Two first sign-ins of one person both see no row. The second one meets the unique
/// key, runs again, and finds the row.
///
/// # Errors
///
/// The last one.
pub async fn write<T>(
    db: &Db,
    f: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error> + Clone,
) -> Result<T, Error> {
    let mut tries = 1;
    let begun = Instant::now();
    loop {
        match db.tx(f.clone()).await {
            // Nothing is done: another one holds what this one needs.
            Err(Error::Busy(_)) if begun.elapsed() < BUSY_FOR => {
                let jitter = u64::from(random::bytes::<1>()[0]);
                tokio::time::sleep(Duration::from_millis(50 + jitter / 4)).await;
            }
            Err(Error::Conflict(_)) if tries < TRIES => {
                let jitter = u64::from(random::bytes::<1>()[0]);
                tokio::time::sleep(Duration::from_millis(u64::from(tries) * 5 + jitter / 8)).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Deletes useless rows: expired ones, and events older than `keep`.
///
/// # Errors
///
/// If the database fails.
pub async fn sweep(db: &Db, now: Timestamp, keep: Duration) -> Result<(), Error> {
    let oldest = before(now, keep).as_microsecond();
    let now = now.as_microsecond();
    db.tx(async |tx| {
        tx.exec("DELETE FROM sign_in_flow WHERE expires_at <= $1", p![now])
            .await?;
        tx.exec("DELETE FROM web_session WHERE expires_at <= $1", p![now])
            .await?;
        tx.exec("DELETE FROM sign_in_switch WHERE expires_at <= $1", p![now])
            .await?;
        tx.exec("DELETE FROM first_admin_word WHERE expires_at <= $1", p![now])
            .await?;
        tx.exec("DELETE FROM audit_event WHERE at < $1", p![oldest]).await
    })
    .await?;
    Ok(())
}

/// `span` after `at`, as far as the calendar goes.
pub(crate) fn after(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// `span` before `at`, as far as the calendar goes.
pub(crate) fn before(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// Reads a column that holds a moment.
fn moment(row: &Row, column: usize) -> Result<Timestamp, Error> {
    micros(row.get(column)?)
}

/// Reads a column that may hold a moment.
fn optional_moment(row: &Row, column: usize) -> Result<Option<Timestamp>, Error> {
    row.get::<Option<i64>>(column)?.map(micros).transpose()
}

fn micros(value: i64) -> Result<Timestamp, Error> {
    Timestamp::from_microsecond(value)
        .map_err(|_| Error::Database("a moment is beyond the calendar".to_owned()))
}
