//! Sessions: signed-in browsers, shared by all clients of the environment.
//!
//! Source: OIDC Core §2 (`auth_time`), OIDC Back-Channel Logout 1.0 §2.1 (`sid`).

mod browser;
mod end;
mod facts;
mod last_use;
mod list;
mod place;

use std::time::Duration;

use genkan_db::{Row, Tx, p};

use crate::event::shape::{self, user_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::proof::Proofs;
use crate::row::{Columns, held, json, words};
use crate::session_policy;
pub use crate::session_policy::Lifetimes;
use crate::{ConnectionId, Error, OrganizationId, SecretHash, SessionId, Stamp, Timestamp, UserId, conflict};

pub use browser::{BrowserSessions, find_of_browser};
pub use end::{end, end_all_for_user, end_expired, hold_person};
pub use facts::SessionFacts;
use facts::session_facts_columns;
pub(crate) use last_use::last_use_columns;
pub use last_use::{LastUse, last_use, touch};
pub use list::{Client, Filter, clients_of, count_for_user, list_for_user};
pub(crate) use place::end_all_of_member;
pub use place::{end_all_for_connection, end_all_for_organization};

words! {
    /// Whether a session lives, and if not, how it ended.
    pub enum Status {
        Active = "active",
        /// By an operator, or because its user was disabled or deleted.
        Revoked = "revoked",
        /// By the person.
        Logout = "logout",
        /// By its age, or because it was not used.
        Expired = "expired",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    /// The organization that the person signed in to.
    pub organization_id: Option<OrganizationId>,
    pub connection_id: Option<ConnectionId>,
    pub status: Status,
    /// When the person last came back from their provider.
    pub authenticated_at: Timestamp,
    /// The proofs of that sign-in and their times, never later than `authenticated_at`.
    pub proofs: Proofs,
    pub created_at: Timestamp,
    pub last_active_at: Timestamp,
    /// Never later than `expires_at`, so this column alone decides whether the session lives.
    pub idle_expires_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// A person's sign-in, after they have proved who they are.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// A new identifier to start a session, or that of a living session to rejoin it.
    pub session_id: SessionId,
    pub user_id: UserId,
    pub organization_id: Option<OrganizationId>,
    pub connection_id: Option<ConnectionId>,
    /// The proofs, and their times as the provider says.
    pub proofs: Proofs,
    /// The cookie of the browser that began it, which has one session at a time.
    pub browser: Option<SecretHash>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

macro_rules! columns {
    () => {
        "id, user_id, organization_id, connection_id, status, authenticated_at, created_at, last_active_at,
         idle_expires_at, expires_at, ended_at, ip, user_agent, proofs, auth_time"
    };
}
use columns;

fn read(row: &Row) -> Result<Session, Error> {
    read_columns(&mut Columns::of(row))
}

fn read_columns(columns: &mut Columns<'_>) -> Result<Session, Error> {
    let (id, user_id, organization_id) = (columns.id()?, columns.id()?, columns.optional_id()?);
    let connection_id = columns.optional_id()?;
    Ok(Session {
        id,
        user_id,
        organization_id,
        status: columns.parsed("sessions.status", str::parse)?,
        authenticated_at: columns.time()?,
        created_at: columns.time()?,
        last_active_at: columns.time()?,
        idle_expires_at: columns.time()?,
        expires_at: columns.time()?,
        ended_at: columns.optional_time()?,
        ip: columns.optional_text()?,
        user_agent: columns.optional_text()?,
        proofs: Proofs::read(columns, "sessions.proofs", connection_id.as_ref())?,
        connection_id,
    })
}

impl Session {
    /// Whether the person proved who they are at most `max_age` ago. If the time is unknown, they did not
    /// (OIDC Core §3.1.2.1, §3.1.3.7 step 13).
    pub fn proved_within(&self, max_age: Duration, now: Timestamp) -> bool {
        self.proofs.auth_time().is_some_and(|at| now.since(at) <= max_age)
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status_at(now) == Status::Active
    }

    /// The stored form for an event.
    fn shape(&self) -> shape::Session<'_> {
        shape::Session {
            id: self.id.as_str(),
            user_id: self.user_id.as_str(),
            organization_id: self.organization_id.as_ref().map(OrganizationId::as_str),
            connection_id: self.connection_id.as_ref().map(ConnectionId::as_str),
            status: self.status.as_str(),
            authenticated_at: self.authenticated_at.as_micros(),
            created_at: self.created_at.as_micros(),
            last_active_at: self.last_active_at.as_micros(),
            idle_expires_at: self.idle_expires_at.as_micros(),
            expires_at: self.expires_at.as_micros(),
            ended_at: self.ended_at.map(Timestamp::as_micros),
        }
    }

    /// The status at `now`. A session expires by itself, and its row is updated later.
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status {
            Status::Active if self.idle_expires_at <= now => Status::Expired,
            status => status,
        }
    }
}

/// Starts a session whose cookie has the hash `token`, and records the login.
///
/// `lifetimes` are the application's. The organization's own policy may shorten them.
///
/// # Errors
///
/// As [`start_under`].
pub async fn start(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    sign_in: &SignIn,
    token: &SecretHash,
    lifetimes: Lifetimes,
) -> Result<Session, Error> {
    let policy = session_policy::find_held(tx, sign_in.organization_id.as_ref()).await?;
    start_under(tx, at, sign_in, token, lifetimes.shortened_by(policy.as_ref())).await
}

/// As [`start`], if the organization's policy was read already and has shortened `lifetimes`.
///
/// # Errors
///
/// [`conflict::SESSION_OF_BROWSER`] if the browser has an active one; see [`find_of_browser`].
pub async fn start_under(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    sign_in: &SignIn,
    token: &SecretHash,
    lifetimes: Lifetimes,
) -> Result<Session, Error> {
    let expires_at = at.now + lifetimes.absolute;
    let session = Session {
        id: sign_in.session_id.clone(),
        user_id: sign_in.user_id.clone(),
        organization_id: sign_in.organization_id.clone(),
        connection_id: sign_in.connection_id.clone(),
        status: Status::Active,
        authenticated_at: at.now,
        proofs: sign_in.proofs.arrived_at(at.now),
        created_at: at.now,
        last_active_at: at.now,
        idle_expires_at: expires_at.min(at.now + lifetimes.idle),
        expires_at,
        ended_at: None,
        ip: sign_in.ip.clone(),
        user_agent: sign_in.user_agent.clone(),
    };
    // It waits for one that begins in the same browser just now: that is committed first, or is none.
    let started = tx.exec(
        "INSERT INTO sessions (id, token_hash, user_id, organization_id, connection_id, status, authenticated_at,
            created_at, last_active_at, idle_expires_at, expires_at, ip, user_agent, proofs, browser_hash)
         VALUES ($1, $2, $3, $4, $5, 'active', $6, $6, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (browser_hash) WHERE status = 'active' AND browser_hash IS NOT NULL DO NOTHING",
        p![
            &session.id,
            token,
            &session.user_id,
            session.organization_id.as_ref(),
            session.connection_id.as_ref(),
            at.now.as_micros(),
            session.idle_expires_at.as_micros(),
            session.expires_at.as_micros(),
            session.ip.as_deref(),
            session.user_agent.as_deref(),
            &json(&session.proofs),
            sign_in.browser.as_ref(),
        ],
    )
    .await?;
    if started == 0 {
        return Err(Error::Conflict(conflict::SESSION_OF_BROWSER));
    }
    record_login(tx, at, &session).await?;
    Ok(session)
}

/// The same person has signed in again in a browser with a session.
///
/// The session gets a new cookie and the lifetime of a new session. So a cookie that was planted or stolen
/// before the sign-in is worth nothing afterwards.
///
/// # Errors
///
/// [`Error::Stale`] if the session has ended, or belongs to another user;
/// [`conflict::SESSION_OF_BROWSER`] if the browser has another active one.
pub async fn rejoin(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    sign_in: &SignIn,
    token: &SecretHash,
    lifetimes: Lifetimes,
) -> Result<Session, Error> {
    let policy = session_policy::find_held(tx, sign_in.organization_id.as_ref()).await?;
    let lifetimes = lifetimes.shortened_by(policy.as_ref());
    // Grants of other organizations stay in this session, so their policies hold, too.
    let idle = session_policy::strictest_idle(
        tx,
        &sign_in.session_id,
        sign_in.organization_id.as_ref(),
        lifetimes.idle,
        at.now,
    )
    .await?;
    let expires_at = at.now + lifetimes.absolute;
    let idle_expires_at = expires_at.min(at.now + idle);
    let row = tx
        .opt(
            concat!(
                "UPDATE sessions SET token_hash = $3, organization_id = $4, connection_id = $5,
                    authenticated_at = $6, last_active_at = $6, idle_expires_at = $7, expires_at = $8, ip = $9,
                    user_agent = $10, proofs = $11, browser_hash = COALESCE($12, browser_hash)
                  WHERE id = $1 AND user_id = $2 AND status = 'active' AND idle_expires_at > $6
                  RETURNING ",
                columns!()
            ),
            p![
                &sign_in.session_id,
                &sign_in.user_id,
                token,
                sign_in.organization_id.as_ref(),
                sign_in.connection_id.as_ref(),
                at.now.as_micros(),
                idle_expires_at.as_micros(),
                expires_at.as_micros(),
                sign_in.ip.as_deref(),
                sign_in.user_agent.as_deref(),
                &json(&sign_in.proofs.arrived_at(at.now)),
                sign_in.browser.as_ref(),
            ],
        )
        .await
        .map_err(|error| match error {
            genkan_db::Error::Conflict(_) => Error::Conflict(conflict::SESSION_OF_BROWSER),
            error => error.into(),
        })?;
    let session = read(&row.ok_or(Error::Stale)?)?;
    record_login(tx, at, &session).await?;
    Ok(session)
}

async fn record_login(tx: &mut Tx<'_>, at: Stamp<'_>, session: &Session) -> Result<(), Error> {
    let user = touch_login(tx, &session.user_id, at.now).await?;
    let entry = Entry::new(Kind::UserLogin)
        .user(&session.user_id)
        .organization(session.organization_id.as_ref())
        .session(&session.id)
        .connection(session.connection_id.as_ref())
        .object(Object::of(&user).and(&session.shape()));
    event::record(tx, at, entry).await
}

/// Finds a session, even if it has ended.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &SessionId) -> Result<Option<Session>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM sessions WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// As [`find`], and locks it. Until this transaction is over, it neither ends nor changes its organization.
async fn find_held(tx: &mut Tx<'_>, id: &SessionId) -> Result<Option<Session>, Error> {
    let sql = held!(
        tx,
        "FOR NO KEY UPDATE",
        "SELECT ",
        columns!(),
        " FROM sessions WHERE id = $1"
    );
    let row = tx.opt(sql, p![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Finds a session that lives at `now`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_live(tx: &mut Tx<'_>, id: &SessionId, now: Timestamp) -> Result<Option<Session>, Error> {
    Ok(find(tx, id).await?.filter(|session| session.is_live(now)))
}

/// Finds the living session of a cookie.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_live_by_token(
    tx: &mut Tx<'_>,
    token: &SecretHash,
    now: Timestamp,
) -> Result<Option<Session>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM sessions WHERE token_hash = $1"),
            p![token],
        )
        .await?;
    let session = row.as_ref().map(read).transpose()?;
    Ok(session.filter(|session| session.is_live(now)))
}

/// The facts for the sign-in log, if a session lives and is still in the same organization as when it was
/// read. A new grant must not belong to an organization whose part of the session has ended meanwhile.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_still(
    tx: &mut Tx<'_>,
    session: &Session,
    now: Timestamp,
) -> Result<Option<SessionFacts>, Error> {
    let sql = held!(
        tx,
        "FOR NO KEY UPDATE",
        "SELECT ",
        columns!(),
        ", ",
        session_facts_columns!(),
        " FROM sessions WHERE id = $1"
    );
    let Some(row) = tx.opt(sql, p![&session.id]).await? else {
        return Ok(None);
    };
    let mut columns = Columns::of(&row);
    let current = read_columns(&mut columns)?;
    let is_still = current.is_live(now)
        && current.user_id == session.user_id
        && current.organization_id == session.organization_id
        && current.connection_id == session.connection_id;
    let facts = SessionFacts::read(&mut columns)?;
    Ok(is_still.then_some(facts))
}

/// Whether a session may give a client a code. While its connection is disabled, the provider may not be
/// trustworthy. So only clients with a live grant of the connection go on.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn gives_to(
    tx: &mut Tx<'_>,
    session: &Session,
    client_id: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(connection_id) = &session.connection_id else {
        return Ok(true);
    };
    let row = tx
        .opt(
            "SELECT c.id FROM connections c
              WHERE c.id = $1 AND (c.enabled OR EXISTS (
                    SELECT 1 FROM grants g
                     WHERE g.session_id = $2 AND g.client_id = $3 AND g.connection_id = c.id
                       AND g.revoked_at IS NULL AND g.expires_at > $4))",
            p![connection_id, &session.id, client_id, now.as_micros()],
        )
        .await?;
    Ok(row.is_some())
}

/// Stores when the person signed in. Returns the user after that.
async fn touch_login(tx: &mut Tx<'_>, id: &UserId, now: Timestamp) -> Result<shape::User, Error> {
    let row = tx
        .opt(
            concat!(
                "UPDATE users SET last_login_at = $2 WHERE id = $1 RETURNING ",
                user_columns!("")
            ),
            p![id, now.as_micros()],
        )
        .await?
        .ok_or(Error::Stale)?;
    shape::User::read(&mut Columns::of(&row))
}
