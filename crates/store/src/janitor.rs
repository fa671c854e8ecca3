//! The janitor: removes what has expired, so that the database stays flat
//! under constant load.
//!
//! Every job goes in small transactions with pauses between them, so that
//! nobody who signs in waits for it. Nodes may sweep at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use genkan_db::{Bulk, Db, p};

use crate::id::Generator;
use crate::stamp::{Actor, Stamp};
use crate::{Error, Timestamp, authorization_code, environment, interaction, session, signing_key};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a login that failed can be looked at.
pub const TRACES_KEPT: Duration = DAY.saturating_mul(30);
/// How long sessions that ended are listed.
pub const SESSIONS_KEPT: Duration = DAY.saturating_mul(30);
/// How long the log of sign-ins reaches back.
pub const AUTH_LOGS_KEPT: Duration = DAY.saturating_mul(90);
/// How long events are kept: a year and a month, for an audit of the year.
pub const EVENTS_KEPT: Duration = DAY.saturating_mul(400);

/// How many sessions end in one transaction: each one may have clients to tell.
const SESSIONS_AT_ONCE: u32 = 50;

/// One kind of row that expires: the text deletes at most `$2` rows whose time
/// came before `$1`, the oldest first.
struct Job {
    sql: &'static str,
    kept: Duration,
}

/// A table with one key and one column that says when a row may go.
macro_rules! job {
    ($table:literal, $key:literal, $column:literal, $kept:expr) => {
        Job {
            sql: concat!(
                "DELETE FROM ",
                $table,
                " WHERE ",
                $key,
                " IN (SELECT ",
                $key,
                " FROM ",
                $table,
                " WHERE ",
                $column,
                " < $1 ORDER BY ",
                $column,
                " LIMIT $2)"
            ),
            kept: $kept,
        }
    };
}

const JOBS: &[Job] = &[
    job!(
        "authorization_codes",
        "code_hash",
        "expires_at",
        authorization_code::REMEMBERED
    ),
    job!("refresh_tokens", "token_hash", "expires_at", Duration::ZERO),
    job!("revoked_access_tokens", "jti", "expires_at", Duration::ZERO),
    job!("upstream_requests", "state_hash", "expires_at", Duration::ZERO),
    job!("parked_answers", "state_hash", "expires_at", Duration::ZERO),
    job!("interactions", "id", "expires_at", Duration::ZERO),
    Job {
        sql: "DELETE FROM familiar_connections WHERE (browser_hash, connection_id, reason) IN
                (SELECT browser_hash, connection_id, reason FROM familiar_connections
                  WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        kept: Duration::ZERO,
    },
    job!("grants", "id", "expires_at", DAY),
    job!("sessions", "id", "ended_at", SESSIONS_KEPT),
    job!("login_traces", "id", "created_at", TRACES_KEPT),
    job!("connection_tests", "id", "created_at", DAY),
    // Begun, and nobody came back: as long as an interaction.
    Job {
        sql: "DELETE FROM connection_tests WHERE id IN (SELECT id FROM connection_tests
                WHERE status = 'PENDING' AND created_at < $1 ORDER BY created_at LIMIT $2)",
        kept: interaction::LIFETIME,
    },
    job!("portal_links", "id", "expires_at", DAY),
    job!("relink_permissions", "id", "expires_at", DAY),
    job!("deliveries", "id", "expires_at", DAY),
    job!("passwordless_requests", "request_hash", "expires_at", DAY),
    Job {
        sql:
            "DELETE FROM passwordless_failures WHERE (client_id, email) IN
                (SELECT client_id, email FROM passwordless_failures WHERE since < $1 ORDER BY since LIMIT $2)",
        kept: DAY,
    },
    job!("auth_logs", "id", "created_at", AUTH_LOGS_KEPT),
    job!("api_tokens", "id", "expires_at", Duration::ZERO),
    // `$1` is in microseconds, and a row counts for its minute only.
    Job {
        sql: "DELETE FROM anonymous_slices WHERE (source, minute) IN (SELECT source, minute FROM anonymous_slices
                WHERE minute < CAST($1 AS BIGINT) / 60000000 ORDER BY minute LIMIT $2)",
        kept: Duration::from_secs(60),
    },
    job!("nodes", "id", "seen_at", DAY),
    job!("events", "id", "occurred_at", EVENTS_KEPT),
];

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions whose time was over; their clients will be told.
    pub sessions_ended: u64,
    /// Rows that are gone, without those that went with them.
    pub rows_deleted: u64,
}

/// Ends the sessions whose time is over and removes what has expired at `now`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails; what was swept stays swept.
pub async fn sweep(db: &Db, ids: &Generator, now: Timestamp) -> Result<Swept, Error> {
    let mut swept = Swept {
        sessions_ended: end_sessions(db, Stamp::new(ids, now).by(Actor::Job)).await?,
        rows_deleted: 0,
    };
    for job in JOBS {
        swept.rows_deleted += delete_expired(db, job, now - job.kept).await?;
    }
    swept.rows_deleted += db
        .tx(async |tx| {
            let deleted = signing_key::delete_unpublished(tx, now).await?;
            if deleted > 0 {
                environment::touch(tx).await?;
            }
            Ok::<_, Error>(deleted)
        })
        .await?;
    Ok(swept)
}

async fn end_sessions(db: &Db, at: Stamp<'_>) -> Result<u64, Error> {
    let total = AtomicU64::new(0);
    db.bulk(async |tx| {
        let limit = u32::try_from(tx.chunk())
            .unwrap_or(SESSIONS_AT_ONCE)
            .min(SESSIONS_AT_ONCE);
        let ended = session::end_expired(tx, at, limit).await?;
        total.fetch_add(ended, Ordering::Relaxed);
        Ok::<_, Error>(if ended < u64::from(limit) {
            Bulk::Done
        } else {
            Bulk::More
        })
    })
    .await?;
    Ok(total.into_inner())
}

async fn delete_expired(db: &Db, job: &Job, before: Timestamp) -> Result<u64, Error> {
    let total = AtomicU64::new(0);
    db.bulk(async |tx| {
        let limit = tx.chunk();
        let deleted = tx.exec(job.sql, p![before.as_micros(), limit]).await?;
        total.fetch_add(deleted, Ordering::Relaxed);
        Ok::<_, Error>(if i64::try_from(deleted).is_ok_and(|deleted| deleted < limit) {
            Bulk::Done
        } else {
            Bulk::More
        })
    })
    .await?;
    Ok(total.into_inner())
}
