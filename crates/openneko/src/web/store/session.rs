//! Signed-in browsers.
//!
//! The cookie's format is fixed (`<userId>.<exp>.<mac>`) and names only the user and
//! the end. The row beside it makes sign-out, disabling and the idle limit work.

use std::time::Duration;

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

use super::user::{self, User, columns};
use super::{after, before, moment};

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From the sign-in, also if it is in use.
    pub absolute: Duration,
    /// From the last use.
    pub idle: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            absolute: Duration::from_secs(12 * 3600),
            idle: Duration::from_secs(4 * 3600),
        }
    }
}

/// A live session and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub user: User,
    pub last_active_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The address and name of a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Browser {
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Sessions of one person that may begin within one second.
const SLOTS: i64 = 128;

/// Activity is written at most this often: otherwise a busy session would cost a write
/// at every request.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// The whole second at which a session that begins now ends. No other session of this
/// user has or had the same.
///
/// Two sessions that end in the same second would have the same cookie, so one could
/// not end without the other. A later session ends a second earlier. `None` if too
/// many begin at once.
///
/// # Errors
///
/// If the database fails.
pub async fn free_expiry(
    tx: &mut Tx<'_>,
    user_id: &str,
    now: Timestamp,
    absolute: Duration,
) -> Result<Option<i64>, Error> {
    let latest = after(now, absolute).as_second();
    let rows = tx
        .all(
            "SELECT expires_at FROM web_session WHERE user_id = $1 AND expires_at > $2 AND expires_at <= $3",
            p![user_id, (latest - SLOTS) * 1_000_000, latest * 1_000_000],
        )
        .await?;
    let taken: Vec<i64> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    Ok((latest - SLOTS + 1..=latest)
        .rev()
        .find(|second| !taken.contains(&(second * 1_000_000))))
}

/// A session to start.
#[derive(Debug, Clone, Copy)]
pub struct NewSession<'a> {
    pub cookie_hash: &'a [u8; 32],
    pub user_id: &'a str,
    /// From [`free_expiry`], in whole seconds since 1970.
    pub expires_at_secs: i64,
    pub idle: Duration,
    pub browser: &'a Browser,
}

/// Starts a session.
///
/// # Errors
///
/// If the database fails.
pub async fn start(tx: &mut Tx<'_>, new: NewSession<'_>, now: Timestamp) -> Result<(), Error> {
    let expires_at = new.expires_at_secs * 1_000_000;
    tx.exec(
        "INSERT INTO web_session
            (cookie_hash, user_id, created_at, last_active_at, idle_expires_at, expires_at, ip, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, $6, $7)",
        p![
            new.cookie_hash,
            new.user_id,
            now.as_microsecond(),
            after(now, new.idle).as_microsecond().min(expires_at),
            expires_at,
            new.browser.ip.as_deref(),
            new.browser.user_agent.as_deref(),
        ],
    )
    .await?;
    Ok(())
}

/// Finds the session of a cookie, if it is live and its user is active.
///
/// # Errors
///
/// If the database fails.
pub async fn find_live(
    tx: &mut Tx<'_>,
    cookie_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Session>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!("u."),
                ", s.last_active_at, s.expires_at
                   FROM web_session s JOIN app_user u ON u.id = s.user_id
                  WHERE s.cookie_hash = $1 AND s.ended_at IS NULL AND u.disabled_at IS NULL
                    AND s.idle_expires_at > $2 AND s.expires_at > $2"
            ),
            p![cookie_hash, now.as_microsecond()],
        )
        .await?;
    row.map(|row| {
        Ok(Session {
            user: user::read(&row)?,
            last_active_at: moment(&row, 11)?,
            expires_at: moment(&row, 12)?,
        })
    })
    .transpose()
}

impl Session {
    /// Whether its use must be written now.
    pub fn is_touch_due(&self, now: Timestamp, idle: Duration) -> bool {
        self.last_active_at <= before(now, TOUCH_EVERY.min(idle / 10))
    }
}

/// Extends a session that was just used. If it ended meanwhile, it stays ended.
///
/// # Errors
///
/// If the database fails.
pub async fn touch(
    tx: &mut Tx<'_>,
    cookie_hash: &[u8; 32],
    idle: Duration,
    now: Timestamp,
) -> Result<(), Error> {
    tx.exec(
        "UPDATE web_session SET last_active_at = $2,
            idle_expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END
          WHERE cookie_hash = $1 AND ended_at IS NULL AND idle_expires_at > $2",
        p![
            cookie_hash,
            now.as_microsecond(),
            after(now, idle).as_microsecond()
        ],
    )
    .await?;
    Ok(())
}

/// Ends a session; returns its user if it was live.
///
/// # Errors
///
/// If the database fails.
pub async fn end(tx: &mut Tx<'_>, cookie_hash: &[u8; 32], now: Timestamp) -> Result<Option<String>, Error> {
    let row = tx
        .opt(
            "UPDATE web_session SET ended_at = $2 WHERE cookie_hash = $1 AND ended_at IS NULL RETURNING user_id",
            p![cookie_hash, now.as_microsecond()],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Ends all sessions of a user.
///
/// # Errors
///
/// If the database fails.
pub async fn end_all(tx: &mut Tx<'_>, user_id: &str, now: Timestamp) -> Result<(), Error> {
    tx.exec(
        "UPDATE web_session SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL",
        p![user_id, now.as_microsecond()],
    )
    .await?;
    Ok(())
}
