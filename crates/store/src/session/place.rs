//! What ends with a connection, a membership or an organization.
//!
//! A browser has one session, and a person may use it for several organizations and connections, one after
//! the other. Each grant stores where it began. If that place ends, its grants end with their tokens, and
//! their clients are told. If nothing else is left in the session, it ends, too. Otherwise it goes on, and
//! never claims to be at a place that has ended. See `docs/decisions/account-linking.md`.

use genkan_db::{Row, Tx, p};

use super::{Session, Status, end, find_held, hold_person};
use crate::proof::Proofs;
use crate::row::{Columns, json};
use crate::{
    ClientId, ConnectionId, Error, GrantId, OrganizationId, SessionId, Stamp, Timestamp, UserId,
    back_channel_logout, grant,
};

/// Where a grant or session began.
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    organization_id: Option<&'a OrganizationId>,
    /// The organization whose connection vouched for the person. It differs if they entered another
    /// organization with their session.
    vouching_id: Option<&'a OrganizationId>,
    connection_id: Option<&'a ConnectionId>,
}

/// The place that ends.
#[derive(Debug, Clone, Copy)]
enum EndedPlace<'a> {
    Connection(&'a ConnectionId),
    Organization(&'a OrganizationId),
    Member(&'a OrganizationId, &'a UserId),
}

impl EndedPlace<'_> {
    /// `user_id` is the user of the session. A place that was entered on the word of an organization's
    /// connection ends with that organization, too.
    fn covers(self, user_id: &UserId, began: Origin<'_>) -> bool {
        let is_of = |id| began.organization_id == Some(id) || began.vouching_id == Some(id);
        match self {
            Self::Connection(id) => began.connection_id == Some(id),
            Self::Organization(id) => is_of(id),
            Self::Member(id, member) => is_of(id) && user_id == member,
        }
    }

    fn covers_session(self, session: &Session) -> bool {
        let began = Origin {
            organization_id: session.organization_id.as_ref(),
            vouching_id: None,
            connection_id: session.connection_id.as_ref(),
        };
        self.covers(&session.user_id, began)
    }

    /// The active sessions at this place, and those with a valid grant from it.
    async fn sessions(self, tx: &mut Tx<'_>) -> Result<Vec<SessionId>, Error> {
        macro_rules! concerned {
            ($condition:literal) => {
                concerned!($condition, $condition)
            };
            ($of_session:literal, $of_grant:literal) => {
                concat!(
                    "SELECT id FROM sessions WHERE status = 'active' AND ",
                    $of_session,
                    " UNION SELECT session_id FROM grants WHERE revoked_at IS NULL AND ",
                    $of_grant
                )
            };
        }
        let rows = match self {
            Self::Connection(id) => tx.all(concerned!("connection_id = $1"), p![id]).await?,
            Self::Organization(id) => {
                tx.all(
                    concerned!(
                        "(organization_id = $1
                          OR connection_id IN (SELECT id FROM connections WHERE organization_id = $1))"
                    ),
                    p![id],
                )
                .await?
            }
            Self::Member(id, member) => {
                // The grants of a person are found by their sessions.
                tx.all(
                    concerned!(
                        "user_id = $2 AND (organization_id = $1
                          OR connection_id IN (SELECT id FROM connections WHERE organization_id = $1))",
                        "session_id IN (SELECT id FROM sessions WHERE user_id = $2) AND (organization_id = $1
                          OR connection_id IN (SELECT id FROM connections WHERE organization_id = $1))"
                    ),
                    p![id, member],
                )
                .await?
            }
        };
        rows.iter().map(|row| Columns::of(row).id()).collect()
    }
}

/// Ends what began in an organization. Returns the number of sessions concerned.
///
/// At READ COMMITTED (see [`genkan_db::Db::tx_read_committed`]) it misses nothing that begins at the same
/// time.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn end_all_for_organization(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
) -> Result<u64, Error> {
    if tx.locks() {
        // Connections are locked before organizations, as in a sign-in.
        for sql in [
            "SELECT id FROM connections WHERE organization_id = $1 ORDER BY id FOR UPDATE",
            "SELECT id FROM organizations WHERE id = $1 FOR UPDATE",
        ] {
            tx.all(sql, p![organization_id]).await?;
        }
    }
    end_all(tx, at, EndedPlace::Organization(organization_id)).await
}

/// Ends what began at a connection. Returns the number of sessions concerned.
///
/// At READ COMMITTED (see [`genkan_db::Db::tx_read_committed`]) it misses nothing that begins at the same
/// time.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn end_all_for_connection(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    connection_id: &ConnectionId,
) -> Result<u64, Error> {
    if tx.locks() {
        tx.opt(
            "SELECT id FROM connections WHERE id = $1 FOR UPDATE",
            p![connection_id],
        )
        .await?;
    }
    end_all(tx, at, EndedPlace::Connection(connection_id)).await
}

/// Ends what a user began in one organization. Returns the number of sessions concerned.
pub(crate) async fn end_all_of_member(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<u64, Error> {
    hold_person(tx, user_id).await?;
    end_all(tx, at, EndedPlace::Member(organization_id, user_id)).await
}

async fn end_all(tx: &mut Tx<'_>, at: Stamp<'_>, place: EndedPlace<'_>) -> Result<u64, Error> {
    let mut touched = 0;
    for id in place.sessions(tx).await? {
        touched += u64::from(end_one(tx, at, &id, place).await?);
    }
    Ok(touched)
}

/// The columns of a grant that matter here.
struct GrantOrigin {
    id: GrantId,
    client_id: ClientId,
    organization_id: Option<OrganizationId>,
    connection_id: Option<ConnectionId>,
    authenticated_at: Timestamp,
    proofs: Proofs,
    expires_at: Timestamp,
    is_revoked: bool,
    /// The organization of the connection.
    vouching_id: Option<OrganizationId>,
}

impl GrantOrigin {
    fn at(&self) -> Origin<'_> {
        Origin {
            organization_id: self.organization_id.as_ref(),
            vouching_id: self.vouching_id.as_ref(),
            connection_id: self.connection_id.as_ref(),
        }
    }
}

fn read_began(row: &Row) -> Result<GrantOrigin, Error> {
    let mut columns = Columns::of(row);
    let (id, client_id, organization_id) = (columns.id()?, columns.id()?, columns.optional_id()?);
    let connection_id = columns.optional_id()?;
    Ok(GrantOrigin {
        id,
        client_id,
        organization_id,
        authenticated_at: columns.time()?,
        proofs: Proofs::read(&mut columns, "grants.proofs", connection_id.as_ref())?,
        connection_id,
        expires_at: columns.time()?,
        is_revoked: columns.optional_time()?.is_some(),
        vouching_id: columns.optional_id()?,
    })
}

async fn end_one(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &SessionId,
    place: EndedPlace<'_>,
) -> Result<bool, Error> {
    let found = find_held(tx, id).await?;
    let Some(session) = found.filter(|session| session.status == Status::Active) else {
        return Ok(false);
    };
    let rows = tx
        .all(
            "SELECT g.id, g.client_id, g.organization_id, g.connection_id, g.authenticated_at, g.proofs, g.auth_time,
                    g.expires_at, g.revoked_at, c.organization_id
               FROM grants g LEFT JOIN connections c ON c.id = g.connection_id
              WHERE g.session_id = $1 ORDER BY g.created_at DESC, g.id DESC",
            p![id],
        )
        .await?;
    let began: Vec<GrantOrigin> = rows.iter().map(read_began).collect::<Result<_, _>>()?;
    let (there, elsewhere): (Vec<_>, Vec<_>) = began
        .into_iter()
        .partition(|grant| place.covers(&session.user_id, grant.at()));
    let left = elsewhere
        .into_iter()
        .find(|grant| !grant.is_revoked && at.now < grant.expires_at);
    let is_there = place.covers_session(&session);
    if is_there && left.is_none() {
        return end(tx, at, id, Status::Revoked).await;
    }
    // If a client's tokens were revoked, it still has a session of its own to end.
    let mut clients: Vec<ClientId> = there.iter().map(|grant| grant.client_id.clone()).collect();
    clients.sort_unstable();
    clients.dedup();
    for grant in there.iter().filter(|grant| !grant.is_revoked) {
        grant::revoke(tx, at, &grant.id).await?;
    }
    back_channel_logout::enqueue_for(tx, at, (id, &session.user_id), &clients).await?;
    if let Some(left) = left.filter(|_| is_there) {
        go_back(tx, &session, &left).await?;
    }
    Ok(true)
}

/// Moves the session back to the place of its newest valid grant, with the proofs and the lifetime of that
/// time.
async fn go_back(tx: &mut Tx<'_>, session: &Session, left: &GrantOrigin) -> Result<(), Error> {
    let expires_at = session.expires_at.min(left.expires_at);
    tx.exec(
        "UPDATE sessions SET organization_id = $2, connection_id = $3, authenticated_at = $4, expires_at = $5,
            idle_expires_at = $6, proofs = $7
          WHERE id = $1",
        p![
            &session.id,
            // The organization where they signed in, not one that they entered with the session.
            left.vouching_id.as_ref().or(left.organization_id.as_ref()),
            left.connection_id.as_ref(),
            left.authenticated_at.as_micros(),
            expires_at.as_micros(),
            session.idle_expires_at.min(expires_at).as_micros(),
            &json(&left.proofs),
        ],
    )
    .await?;
    Ok(())
}
