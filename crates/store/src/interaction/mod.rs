//! A login in progress.
//!
//! "Interaction" is the standard's word: a request that cannot finish without
//! the person fails with `interaction_required` (OIDC Core §3.1.2.6).

mod stage;

use std::time::Duration;

use genkan_db::{Row, Tx, p};
use genkan_protocol::EmailAddress;
use genkan_protocol::oauth::AuthorizationRequest;
use serde::{Deserialize, Serialize};

use crate::admission::Claim;
use crate::auth_log::{self, Method};
use crate::connection::{self, Connection};
use crate::row::{Columns, json};
use crate::{
    ConnectionId, ConnectionTestId, Error, InteractionId, SecretHash, SessionId, Timestamp, upstream_request,
};

pub use stage::{Stage, Way};

/// How long a person may take, once they have taken a step.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How long an interaction lives in which nothing has happened. Anybody may
/// start one, so it does not stay for long.
pub const UNTOUCHED: Duration = Duration::from_secs(20 * 60);

/// How long an interaction lives whose browser was sent to a provider at once: as long
/// as the answer is waited for, and ten minutes to try again.
pub const AWAY: Duration = upstream_request::LIFETIME.saturating_add(Duration::from_secs(10 * 60));

/// How long what a provider proved may wait for the person's word. Afterwards
/// they go there again: who was authenticated an hour ago may be gone by now.
pub const HELD: Duration = Duration::from_secs(15 * 60);

/// How many one browser may have. Nobody has more tabs open in which they sign in.
/// What is over is replaced first, then what another site began and nobody has
/// come back with, then the oldest: links in the background push out nobody who
/// signs in.
pub const PER_BROWSER: i64 = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    pub id: InteractionId,
    /// The cookie of the browser that started it. Another browser cannot go on
    /// with it: a login link sent to a victim signs nobody in (login CSRF).
    pub browser: SecretHash,
    pub request: Request,
    /// Another site began it and chose where the person signs in, so they are
    /// asked before it counts.
    pub is_foreign: bool,
    pub stage: Stage,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What is to happen when the person is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// A client waits for a code.
    Authorize(Box<AuthorizationRequest>),
    /// An administrator tries a connection; nobody is signed in.
    TestConnection {
        connection_id: ConnectionId,
        test_id: ConnectionTestId,
    },
}

impl Interaction {
    /// Whether the person said themselves who they are, in a form of ours. A form
    /// that a link had filled in says what the link said.
    pub fn began_by_form(&self) -> bool {
        let typed = self.stage.way().and_then(Way::typed);
        let suggested = match &self.request {
            Request::Authorize(request) => request.login_hint.as_deref(),
            Request::TestConnection { .. } => None,
        };
        // What is typed is kept as an address is written, so a hint is compared as one: a link
        // could spell it in letters that mean the same.
        let is_suggested = |typed: &str| {
            suggested.is_some_and(|hint| match EmailAddress::parse(hint.trim()) {
                Ok(hint) => hint.as_str() == typed,
                Err(_) => hint.trim().eq_ignore_ascii_case(typed),
            })
        };
        typed.is_some_and(|typed| !is_suggested(typed))
    }
}

/// What an identity provider proved, while the person has not gone on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Held {
    // Earlier versions kept it under this name.
    #[serde(alias = "arrival")]
    pub claim: Claim,
    /// When they came back from it.
    pub arrived_at: Timestamp,
    /// When they authenticated there, as it says.
    #[serde(default)]
    pub auth_time: Option<Timestamp>,
}

/// Starts an interaction, and makes room for it; see [`PER_BROWSER`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, interaction: &Interaction) -> Result<(), Error> {
    tx.exec(
        "DELETE FROM interactions WHERE browser_hash = $1 AND id NOT IN
            (SELECT id FROM interactions WHERE browser_hash = $1
              ORDER BY CASE WHEN stage = $3 THEN 2 WHEN is_foreign AND arrival IS NULL THEN 1 ELSE 0 END, id DESC
              LIMIT $2)",
        p![
            &interaction.browser,
            PER_BROWSER - 1,
            &json(&Stage::Completed)
        ],
    )
    .await?;
    insert_first(tx, interaction).await
}

/// Starts the interaction of a browser that has never been here.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert_first(tx: &mut Tx<'_>, interaction: &Interaction) -> Result<(), Error> {
    let (request, stage) = (json(&interaction.request), json(&interaction.stage));
    let connection_id = interaction.stage.way().and_then(Way::connection_id);
    // What the log of sign-ins shows of it. What is no address is not kept: a hint
    // may hold anything.
    let (client_id, email) = match &interaction.request {
        Request::Authorize(request) => (
            Some(request.client_id.as_str()),
            request
                .login_hint
                .as_deref()
                .and_then(|hint| EmailAddress::parse(hint).ok()),
        ),
        Request::TestConnection { .. } => (None, None),
    };
    tx.exec(
        "INSERT INTO interactions (id, browser_hash, request, is_foreign, stage, created_at, expires_at,
            client_id, email, connection_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        p![
            &interaction.id,
            &interaction.browser,
            &request,
            interaction.is_foreign,
            &stage,
            interaction.created_at.as_micros(),
            interaction.expires_at.as_micros(),
            client_id,
            email.as_ref().map(EmailAddress::as_str),
            connection_id,
        ],
    )
    .await?;
    Ok(())
}

/// Finds an interaction that has not expired, whichever browser started it: for
/// those who look at it from outside, and never to go on with it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_open(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    now: Timestamp,
) -> Result<Option<Interaction>, Error> {
    let row = tx
        .opt(
            "SELECT id, browser_hash, request, is_foreign, stage, created_at, expires_at FROM interactions
              WHERE id = $1 AND expires_at > $2",
            p![id, now.as_micros()],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds an interaction that this browser started, also if its time is over: then
/// to tell where it belonged, and never to go on with it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_past(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    browser: &SecretHash,
) -> Result<Option<Interaction>, Error> {
    let row = tx
        .opt(
            "SELECT id, browser_hash, request, is_foreign, stage, created_at, expires_at FROM interactions
              WHERE id = $1 AND browser_hash = $2",
            p![id, browser],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The newest login that this browser took to a connection, as [`find_past`] finds it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn newest_at(
    tx: &mut Tx<'_>,
    browser: &SecretHash,
    connection_id: &ConnectionId,
) -> Result<Option<Interaction>, Error> {
    let row = tx
        .opt(
            "SELECT id, browser_hash, request, is_foreign, stage, created_at, expires_at FROM interactions
              WHERE browser_hash = $1 AND connection_id = $2 AND client_id IS NOT NULL
              ORDER BY id DESC LIMIT 1",
            p![browser, connection_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds an interaction that has not expired and that this browser started.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    browser: &SecretHash,
    now: Timestamp,
) -> Result<Option<Interaction>, Error> {
    let interaction = find_open(tx, id, now).await?;
    Ok(interaction.filter(|interaction| interaction.browser == *browser))
}

/// As [`find`], with a connection, if there is one of this identifier.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_with_connection(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    (browser, now): (&SecretHash, Timestamp),
    connection_id: &ConnectionId,
) -> Result<Option<(Interaction, Option<Connection>)>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT i.id, i.browser_hash, i.request, i.is_foreign, i.stage, i.created_at, i.expires_at,
                        c.id IS NOT NULL, ",
                connection::columns!("c."),
                " FROM interactions i LEFT JOIN connections c ON c.id = $2
                 WHERE i.id = $1 AND i.expires_at > $3"
            ),
            p![id, connection_id, now.as_micros()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let interaction = read_columns(&mut columns)?;
    let connection = match columns.bool()? {
        true => Some(connection::read_columns(&mut columns)?),
        false => None,
    };
    Ok(Some((interaction, connection)).filter(|(interaction, _)| interaction.browser == *browser))
}

fn read(row: &Row) -> Result<Interaction, Error> {
    read_columns(&mut Columns::of(row))
}

fn read_columns(columns: &mut Columns<'_>) -> Result<Interaction, Error> {
    Ok(Interaction {
        id: columns.id()?,
        browser: columns.hash("interactions.browser_hash")?,
        request: columns.json("interactions.request")?,
        is_foreign: columns.bool()?,
        stage: columns.json("interactions.stage")?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
    })
}

/// Keeps what a provider proved, until the person goes on. Nothing else is
/// written: an arrival that is never confirmed links, creates and ends nothing.
///
/// # Errors
///
/// [`Error::Stale`] as in [`advance`].
pub async fn hold(tx: &mut Tx<'_>, id: &InteractionId, from: &Stage, held: &Held) -> Result<(), Error> {
    // Nothing else lets anybody in yet.
    let connection_id = held.claim.proof.connection_id().ok_or(Error::Stale)?;
    let to = Stage::Arrived {
        connection_id: connection_id.clone(),
    };
    advance(tx, id, from, &to).await?;
    let held = json(held);
    tx.exec(
        "UPDATE interactions SET arrival = $2 WHERE id = $1",
        p![id, &held],
    )
    .await?;
    Ok(())
}

/// What was kept by [`hold`]. It counts once: [`advance`] from that stage
/// forgets it, and succeeds once.
///
/// # Errors
///
/// [`Error::Stale`] if nothing is kept.
pub async fn held(tx: &mut Tx<'_>, id: &InteractionId) -> Result<Held, Error> {
    let row = tx
        .opt("SELECT arrival FROM interactions WHERE id = $1", p![id])
        .await?;
    let row = row.ok_or(Error::Stale)?;
    let held = Columns::of(&row).optional_json("interactions.arrival")?;
    held.ok_or(Error::Stale)
}

/// Moves an interaction from the stage that was read to the next one. Of two
/// requests that do so at once (a double click, two tabs) one succeeds.
///
/// # Errors
///
/// [`Error::Stale`] if it has moved on or is gone. Then read it again.
pub async fn advance(tx: &mut Tx<'_>, id: &InteractionId, from: &Stage, to: &Stage) -> Result<(), Error> {
    move_on(tx, id, from, to).await?;
    match to {
        Stage::Authenticated { session_id } => auth_log::succeeded(tx, id, session_id, from.method()).await,
        Stage::At(_) => auth_log::tried_again(tx, id).await,
        Stage::Started | Stage::Identifying | Stage::Arrived { .. } | Stage::Completed => Ok(()),
    }
}

/// Ends an interaction whose person has just signed in with this session: what was
/// asked for is answered in the same transaction.
///
/// # Errors
///
/// [`Error::Stale`] as in [`advance`].
pub async fn complete(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    from: &Stage,
    session_id: &SessionId,
) -> Result<(), Error> {
    move_on(tx, id, from, &Stage::Completed).await?;
    auth_log::succeeded(tx, id, session_id, from.method()).await
}

/// As [`advance`], to the session that the person has, whoever else arrived: they stay
/// who they are.
///
/// # Errors
///
/// [`Error::Stale`] as in [`advance`].
pub async fn stay(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    from: &Stage,
    session_id: &SessionId,
) -> Result<(), Error> {
    let to = Stage::Authenticated {
        session_id: session_id.clone(),
    };
    move_on(tx, id, from, &to).await?;
    auth_log::succeeded(tx, id, session_id, Method::Session).await
}

async fn move_on(tx: &mut Tx<'_>, id: &InteractionId, from: &Stage, to: &Stage) -> Result<(), Error> {
    let (was, is) = (json(from), json(to));
    let way = to.way();
    let (connection_id, email) = (way.and_then(Way::connection_id), way.and_then(Way::typed));
    // A step was taken: now it may take as long as a person takes.
    let lifetime = i64::try_from(LIFETIME.as_micros()).unwrap_or(i64::MAX);
    let advanced = tx
        .exec(
            "UPDATE interactions SET stage = $3, connection_id = COALESCE($4, connection_id),
                email = COALESCE($5, email), expires_at = created_at + $6, arrival = NULL
              WHERE id = $1 AND stage = $2",
            p![id, &was, &is, connection_id, email, lifetime],
        )
        .await?;
    if advanced == 0 { Err(Error::Stale) } else { Ok(()) }
}
