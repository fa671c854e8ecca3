//! Grants: what a client may do for a user. All tokens that a client got from one login belong to one
//! grant, and end with it.

use genkan_db::{AppendTable, Tx, p};
use genkan_protocol::oauth::Scope;

use crate::event::{self, Entry, Kind};
use crate::proof::Proofs;
use crate::row::{Columns, json};
use crate::{ClientId, ConnectionId, Error, GrantId, OrganizationId, SessionId, Stamp, Timestamp, UserId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub client_id: ClientId,
    pub session_id: SessionId,
    pub user_id: UserId,
    /// The organization of its tokens, even if the session moves on.
    pub organization_id: Option<OrganizationId>,
    pub connection_id: Option<ConnectionId>,
    pub scope: Scope,
    pub nonce: Option<String>,
    /// When the person came back from their provider.
    pub authenticated_at: Timestamp,
    /// The proofs of the sign-in, and their times as the provider says.
    pub proofs: Proofs,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl Grant {
    /// The methods of authentication in tokens (OIDC Core §2, RFC 8176 §2). Clients read the connection
    /// from the first item.
    pub fn amr(&self) -> Vec<String> {
        let connection = self.connection_id.iter().map(ToString::to_string);
        let words = self.proofs.words().into_iter().map(str::to_owned);
        connection.chain(words).collect()
    }
}

/// The columns of a grant and of its session that [`read_live`] reads.
macro_rules! live_columns {
    () => {
        "g.id, g.client_id, g.session_id, g.user_id, g.organization_id, g.connection_id, g.scope, g.nonce,
         g.authenticated_at, g.proofs, g.auth_time, g.created_at, g.expires_at, g.revoked_at, s.status, s.idle_expires_at"
    };
}
pub(crate) use live_columns;

/// Reads a grant, unless it or its session has ended.
pub(crate) fn read_live(columns: &mut Columns<'_>, now: Timestamp) -> Result<Option<Grant>, Error> {
    let (id, client_id) = (columns.id()?, columns.id()?);
    let (session_id, user_id) = (columns.id()?, columns.id()?);
    let (organization_id, connection_id) = (columns.optional_id()?, columns.optional_id()?);
    let grant = Grant {
        id,
        client_id,
        session_id,
        user_id,
        organization_id,
        scope: columns.parsed("grants.scope", Scope::parse)?,
        nonce: columns.optional_text()?,
        authenticated_at: columns.time()?,
        proofs: Proofs::read(columns, "grants.proofs", connection_id.as_ref())?,
        connection_id,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        revoked_at: columns.optional_time()?,
    };
    let session_is_live = columns.text()? == "active" && now < columns.time()?;
    let is_live = session_is_live && grant.revoked_at.is_none() && now < grant.expires_at;
    Ok(is_live.then_some(grant))
}

/// Gives a client a grant. It is written before the commit, so this transaction does not find it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, grant: &Grant) -> Result<(), Error> {
    let scope = grant.scope.to_string();
    static GRANTS: AppendTable = AppendTable::new(
        "INSERT INTO grants (id, client_id, session_id, user_id, organization_id, connection_id, scope, nonce,
            authenticated_at, created_at, expires_at, revoked_at, proofs) VALUES",
        13,
    );
    tx.append(
        &GRANTS,
        p![
            &grant.id,
            &grant.client_id,
            &grant.session_id,
            &grant.user_id,
            grant.organization_id.as_ref(),
            grant.connection_id.as_ref(),
            &scope,
            grant.nonce.as_deref(),
            grant.authenticated_at.as_micros(),
            grant.created_at.as_micros(),
            grant.expires_at.as_micros(),
            grant.revoked_at.map(Timestamp::as_micros),
            &json(&grant.proofs),
        ],
    )?;
    event::record(tx, at, entry(Kind::GrantCreated, grant)).await
}

fn entry(kind: Kind, grant: &Grant) -> Entry<'_> {
    Entry::new(kind)
        .client(&grant.client_id)
        .user(&grant.user_id)
        .organization(grant.organization_id.as_ref())
        .session(&grant.session_id)
        .with("grant_id", grant.id.as_str())
}

/// Finds a grant that is valid at `now`: not revoked, not expired, and its session lives.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_live(tx: &mut Tx<'_>, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                live_columns!(),
                " FROM grants g JOIN sessions s ON s.id = g.session_id WHERE g.id = $1"
            ),
            p![id],
        )
        .await?;
    row.map_or(Ok(None), |row| read_live(&mut Columns::of(&row), now))
}

/// Revokes a grant, and with it all its tokens. Says whether it was not revoked before.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn revoke(tx: &mut Tx<'_>, at: Stamp<'_>, id: &GrantId) -> Result<bool, Error> {
    end(tx, at, id, Kind::GrantRevoked).await
}

/// Revokes a grant because one of its one-time tokens was presented twice. One of the two holders stole it
/// (RFC 9700 §4.14.2, RFC 6749 §4.1.2).
pub(crate) async fn revoke_replayed(tx: &mut Tx<'_>, at: Stamp<'_>, id: &GrantId) -> Result<bool, Error> {
    end(tx, at, id, Kind::GrantReplayed).await
}

async fn end(tx: &mut Tx<'_>, at: Stamp<'_>, id: &GrantId, kind: Kind) -> Result<bool, Error> {
    let row = tx
        .opt(
            "UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL
             RETURNING client_id, user_id, organization_id, session_id",
            p![id, at.now.as_micros()],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let mut columns = Columns::of(&row);
    let (client_id, user_id): (ClientId, UserId) = (columns.id()?, columns.id()?);
    let (organization_id, session_id): (Option<OrganizationId>, SessionId) =
        (columns.optional_id()?, columns.id()?);
    let entry = Entry::new(kind)
        .client(&client_id)
        .user(&user_id)
        .organization(organization_id.as_ref())
        .session(&session_id)
        .with("grant_id", id.as_str());
    event::record(tx, at, entry).await?;
    Ok(true)
}
