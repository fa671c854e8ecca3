//! The janitor deletes expired rows, so that the database does not grow under constant load.
//!
//! Each job works in small transactions with pauses between them, so no sign-in waits for it. Several nodes
//! may sweep at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use genkan_db::{Bulk, Db, p};

use crate::id::Generator;
use crate::stamp::{Actor, Stamp};
use crate::{Error, Timestamp, authorization_code, environment, event, interaction, session, signing_key};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long data is kept for people to look at. Data that a decision still needs is kept for as long as
/// needed, whatever these settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// All events without an [`event::Class`].
    pub events: Duration,
    /// Events of sign-ins and other activity.
    pub activity_events: Duration,
    /// Events of single tokens.
    pub token_events: Duration,
    /// The sign-in log.
    pub sign_in_log: Duration,
    /// Traces of failed sign-ins.
    pub failed_sign_ins: Duration,
    /// Sessions that ended.
    pub ended_sessions: Duration,
    /// Codes that were redeemed or have expired. For so long a replay is noticed, and revokes the tokens of
    /// the code.
    pub codes: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            // A year and a month, for a yearly audit.
            events: DAY * 400,
            activity_events: DAY * 90,
            token_events: DAY * 30,
            sign_in_log: DAY * 90,
            failed_sign_ins: DAY * 30,
            ended_sessions: DAY * 30,
            codes: authorization_code::REMEMBERED,
        }
    }
}

/// How many sessions end in one transaction, because each one may have clients to tell.
const SESSIONS_AT_ONCE: u32 = 50;

/// A job that takes longer logs its progress this often.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// A kind of row that expires. The text deletes at most `$2` rows that expired before `$1`, the oldest
/// first.
struct Job {
    what: &'static str,
    sql: &'static str,
    kept: fn(&Retention) -> Duration,
}

const fn no_longer(_: &Retention) -> Duration {
    Duration::ZERO
}

const fn a_day(_: &Retention) -> Duration {
    DAY
}

/// A table with one key, and one column with the time from which a row may be deleted.
macro_rules! job {
    ($table:literal, $key:literal, $column:literal, $kept:expr) => {
        Job {
            what: $table,
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
        |kept| kept.codes
    ),
    job!("revoked_access_tokens", "jti", "expires_at", no_longer),
    job!("upstream_requests", "state_hash", "expires_at", no_longer),
    job!("parked_answers", "state_hash", "expires_at", no_longer),
    Job {
        what: "saml_assertions",
        sql: "DELETE FROM saml_assertions WHERE (connection_id, assertion_hash) IN
                (SELECT connection_id, assertion_hash FROM saml_assertions
                  WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        kept: no_longer,
    },
    job!("interactions", "id", "expires_at", no_longer),
    Job {
        what: "familiar_connections",
        sql: "DELETE FROM familiar_connections WHERE (browser_hash, connection_id, reason) IN
                (SELECT browser_hash, connection_id, reason FROM familiar_connections
                  WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        kept: no_longer,
    },
    job!("connection_keys", "id", "ends_at", no_longer),
    // Tokens expire with their grants, and are found by them. They go first, in steps of their own: a grant can
    // have thousands, which would otherwise go with it in one step.
    Job {
        what: "refresh_tokens",
        sql: "DELETE FROM refresh_tokens WHERE token_hash IN
                (SELECT t.token_hash FROM grants g JOIN refresh_tokens t ON t.grant_id = g.id
                  WHERE g.expires_at < $1 ORDER BY g.expires_at LIMIT $2)",
        kept: a_day,
    },
    job!("grants", "id", "expires_at", a_day),
    job!("sessions", "id", "ended_at", |kept| kept.ended_sessions),
    // An answer that nobody signed goes with its trace. Other traces stay longer than their messages.
    Job {
        what: "login_traces",
        sql: "DELETE FROM login_traces WHERE id IN
                (SELECT t.id FROM login_messages m JOIN login_traces t ON t.id = m.trace_id
                  WHERE m.expires_at < $1 AND m.expires_at <= t.created_at + 86400000000
                  ORDER BY m.expires_at LIMIT $2)",
        kept: no_longer,
    },
    job!("login_messages", "trace_id", "expires_at", no_longer),
    job!("login_traces", "id", "created_at", |kept| kept.failed_sign_ins),
    job!("connection_tests", "id", "created_at", a_day),
    // Tests that were begun and never finished. They live as long as an interaction.
    Job {
        what: "connection_tests",
        sql: "DELETE FROM connection_tests WHERE id IN (SELECT id FROM connection_tests
                WHERE status = 'PENDING' AND created_at < $1 ORDER BY created_at LIMIT $2)",
        kept: |_| interaction::LIFETIME,
    },
    job!("portal_links", "id", "expires_at", a_day),
    job!("relink_permissions", "id", "expires_at", a_day),
    job!("deliveries", "id", "expires_at", a_day),
    job!("passwordless_requests", "request_hash", "expires_at", a_day),
    Job {
        what: "passwordless_failures",
        sql:
            "DELETE FROM passwordless_failures WHERE (client_id, email) IN
                (SELECT client_id, email FROM passwordless_failures WHERE since < $1 ORDER BY since LIMIT $2)",
        kept: a_day,
    },
    job!("auth_logs", "id", "created_at", |kept| kept.sign_in_log),
    job!("api_tokens", "id", "expires_at", no_longer),
    // `$1` is in microseconds, and a row is about one minute.
    Job {
        what: "anonymous_slices",
        sql: "DELETE FROM anonymous_slices WHERE (source, minute) IN (SELECT source, minute FROM anonymous_slices
                WHERE minute < CAST($1 AS BIGINT) / 60000000 ORDER BY minute LIMIT $2)",
        kept: |_| Duration::from_secs(60),
    },
    job!("nodes", "id", "seen_at", a_day),
    job!("events", "id", "occurred_at", |kept| kept.events),
];

/// The result of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Sessions that expired. Their clients will be told.
    pub sessions_ended: u64,
    /// Deleted rows, without those that were deleted by a cascade.
    pub rows_deleted: u64,
}

/// Ends the sessions that have expired, and deletes the rows that have expired at `now`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails. Rows that were deleted before stay deleted.
pub async fn sweep(db: &Db, ids: &Generator, now: Timestamp, kept: &Retention) -> Result<SweepReport, Error> {
    let mut swept = SweepReport {
        sessions_ended: end_sessions(db, Stamp::new(ids, now).by(Actor::Job)).await?,
        rows_deleted: 0,
    };
    for job in JOBS {
        swept.rows_deleted += delete_expired(db, job, now - (job.kept)(kept)).await?;
    }
    for (class, kept) in [
        (event::Class::Activity, kept.activity_events),
        (event::Class::Token, kept.token_events),
    ] {
        swept.rows_deleted += delete_events(db, class, now - kept).await?;
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
    let progress = Progress::new(job.what);
    db.bulk(async |tx| {
        let limit = tx.chunk();
        let deleted = tx.exec(job.sql, p![before.as_micros(), limit]).await?;
        progress.add(deleted);
        Ok::<_, Error>(if i64::try_from(deleted).is_ok_and(|deleted| deleted < limit) {
            Bulk::Done
        } else {
            Bulk::More
        })
    })
    .await?;
    Ok(progress.total())
}

/// Deletes the events of a class from before `before`. They lie among events that stay. So it stores how
/// far they are deleted: reading all the others every minute would cost more than deleting.
async fn delete_events(db: &Db, class: event::Class, before: Timestamp) -> Result<u64, Error> {
    let progress = Progress::new(class.as_str());
    db.bulk(async |tx| {
        let (deleted, more) = event::delete_before(tx, class, before, tx.chunk()).await?;
        progress.add(deleted);
        Ok::<_, Error>(if more { Bulk::More } else { Bulk::Done })
    })
    .await?;
    Ok(progress.total())
}

/// The progress of one job.
struct Progress {
    what: &'static str,
    total: AtomicU64,
    started: Instant,
    /// How often it has reported.
    reports: AtomicU64,
}

impl Progress {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            total: AtomicU64::new(0),
            started: Instant::now(),
            reports: AtomicU64::new(0),
        }
    }

    fn add(&self, deleted: u64) {
        let total = self.total.fetch_add(deleted, Ordering::Relaxed) + deleted;
        let due = self.started.elapsed().as_secs() / REPORT_EVERY.as_secs();
        if self.reports.swap(due, Ordering::Relaxed) < due {
            tracing::info!(
                what = self.what,
                deleted = total,
                "deleting what is kept no longer"
            );
        }
    }

    fn total(self) -> u64 {
        let total = self.total.into_inner();
        if self.reports.into_inner() > 0 {
            tracing::info!(
                what = self.what,
                deleted = total,
                "deleted what is kept no longer"
            );
        }
        total
    }
}
