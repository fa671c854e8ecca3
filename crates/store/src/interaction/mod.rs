//! A login in progress.
//!
//! "Interaction" is the standard's word: a request that cannot finish without
//! the person fails with `interaction_required` (OIDC Core §3.1.2.6).

mod stage;

use std::time::Duration;

use genkan_db::{AppendTable, Row, Tx, p};
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

/// The lifetime of an interaction after the person has taken a step.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The lifetime of an interaction in which nothing has happened. Anybody may start one, so it is short.
pub const UNTOUCHED: Duration = Duration::from_secs(20 * 60);

/// The lifetime of an interaction whose browser was sent to a provider at once: the time for the answer,
/// and ten minutes to try again.
pub const AWAY: Duration = upstream_request::LIFETIME.saturating_add(Duration::from_secs(10 * 60));

/// How long a proof may wait until the person confirms it. Afterwards they must go to the provider again,
/// because another person may sit at the browser by then.
pub const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The most interactions of one browser, which is more than anybody has sign-in tabs. To make room, expired
/// ones are replaced first, then those that another site began and from which nobody came back, then the
/// oldest. So links in the background cannot displace a person's sign-in.
pub const PER_BROWSER: i64 = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    pub id: InteractionId,
    /// The cookie of the browser that started it. Another browser cannot continue it, so a login link that
    /// was sent to a victim signs nobody in (login CSRF).
    pub browser: SecretHash,
    pub request: Request,
    /// Another site began it and chose where the person signs in. So the person is asked before it counts.
    pub is_foreign: bool,
    pub stage: Stage,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The purpose of the sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// A client waits for a code.
    Authorize(Box<AuthorizationRequest>),
    /// An administrator tests a connection. Nobody is signed in.
    TestConnection {
        connection_id: ConnectionId,
        test_id: ConnectionTestId,
    },
}

impl Interaction {
    /// Whether the person themselves entered who they are, in a form of ours. If a link filled in the form,
    /// only the link said it.
    pub fn began_by_form(&self) -> bool {
        let typed = self.stage.way().and_then(Way::typed);
        let suggested = match &self.request {
            Request::Authorize(request) => request.login_hint.as_deref(),
            Request::TestConnection { .. } => None,
        };
        // The typed text is stored as a normalized address. The hint is compared in the same form, because
        // a link could spell it with other letters.
        let is_suggested = |typed: &str| {
            suggested.is_some_and(|hint| match EmailAddress::parse(hint.trim()) {
                Ok(hint) => hint.as_str() == typed,
                Err(_) => hint.trim().eq_ignore_ascii_case(typed),
            })
        };
        typed.is_some_and(|typed| !is_suggested(typed))
    }
}

/// The proof of an identity provider. It counts once the person has confirmed it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PendingProof {
    // Earlier versions stored it under this name.
    #[serde(alias = "arrival")]
    pub claim: Claim,
    /// When the person came back from the provider.
    pub arrived_at: Timestamp,
    /// When they authenticated there, as the provider says.
    #[serde(default)]
    pub auth_time: Option<Timestamp>,
    /// When their session at the provider ends, if the provider says so. The proof counts no longer.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
}

/// Starts an interaction, and makes room for it, see [`PER_BROWSER`].
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

/// Starts the first interaction of a browser.
///
/// The row waits for the commit, so this transaction does not find it unless it flushes.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert_first(tx: &mut Tx<'_>, interaction: &Interaction) -> Result<(), Error> {
    let (request, stage) = (json(&interaction.request), json(&interaction.stage));
    let connection_id = interaction.stage.way().and_then(Way::connection_id);
    // The e-mail address that the sign-in log shows. A hint may hold anything, and is stored only if it is
    // an address.
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
    static INTERACTIONS: AppendTable = AppendTable::new(
        "INSERT INTO interactions (id, browser_hash, request, is_foreign, stage, created_at, expires_at,
            client_id, email, connection_id) VALUES",
        10,
    );
    tx.append(
        &INTERACTIONS,
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
    )?;
    Ok(())
}

/// Finds an interaction that has not expired, of any browser. Use it to look at one from outside, never to
/// continue it.
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

/// Finds an interaction that this browser started, even if it has expired. Use it to find where it
/// belonged, never to continue it.
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

/// The newest interaction that led this browser to a connection, as [`find_past`] finds it.
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

/// Stores a proof until the person confirms it. Nothing else is written: without a confirmation no user is
/// linked or created, and no session ends.
///
/// # Errors
///
/// [`Error::Stale`] as in [`advance`].
pub async fn hold(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    from: &Stage,
    proof: &PendingProof,
) -> Result<(), Error> {
    // No page accepts other proofs yet.
    let connection_id = proof.claim.proof.connection_id().ok_or(Error::Stale)?;
    let to = Stage::Arrived {
        connection_id: connection_id.clone(),
    };
    advance(tx, id, from, &to).await?;
    let proof = json(proof);
    tx.exec(
        "UPDATE interactions SET arrival = $2 WHERE id = $1",
        p![id, &proof],
    )
    .await?;
    Ok(())
}

/// The proof that [`hold`] stored. It counts once: [`advance`] from that stage deletes it, and succeeds
/// once.
///
/// # Errors
///
/// [`Error::Stale`] if nothing is stored.
pub async fn pending_proof(tx: &mut Tx<'_>, id: &InteractionId) -> Result<PendingProof, Error> {
    let row = tx
        .opt("SELECT arrival FROM interactions WHERE id = $1", p![id])
        .await?;
    let row = row.ok_or(Error::Stale)?;
    let pending = Columns::of(&row).optional_json("interactions.arrival")?;
    pending.ok_or(Error::Stale)
}

/// Moves an interaction from the stage that was read to the next one. If two requests do so at once (a
/// double click, two tabs), one succeeds.
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

/// Ends an interaction whose person has just signed in with this session. The same transaction answers the
/// request.
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

/// As [`advance`], to the session that the person had before. A proof of another person is discarded.
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
    // The person has taken a step, so they get the full time.
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
