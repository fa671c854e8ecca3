//! Reads what the store knows about a person who arrives through a connection, and locks it until the
//! sign-in is over.
//!
//! The locks are taken in one order everywhere: connection, person, organization. See
//! `docs/decisions/isolation.md`.

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;

use crate::connection::{self, Connection};
use crate::domain::Owner;
use crate::membership::{self, Membership};
use crate::row::{Columns, held};
use crate::session_policy::SessionPolicy;
use crate::user::{self, User};
use crate::{ConnectionId, Error, OrganizationId, UserId};

/// The connection, and the person whom it knows by this subject.
///
/// The person is locked, so that nobody else decides about them meanwhile. Code that ends their sessions
/// locks them, too.
pub(super) async fn by_subject(
    tx: &mut Tx<'_>,
    connection_id: &ConnectionId,
    subject: &str,
) -> Result<(Option<Connection>, Option<User>), Error> {
    // The person is locked before the identity, as in the code that deletes an identity.
    let sql = held!(
        tx,
        "FOR KEY SHARE OF c FOR NO KEY UPDATE OF u, i",
        "SELECT ",
        connection::columns!("c."),
        ", ",
        user::columns!(),
        " FROM identities i
          JOIN connections c ON c.id = i.connection_id
          JOIN users u ON u.id = i.user_id
         WHERE i.connection_id = $1 AND i.subject = $2"
    );
    let Some(row) = tx.opt(sql, p![connection_id, subject]).await? else {
        return Ok((connection::find_held(tx, connection_id).await?, None));
    };
    let mut columns = Columns::of(&row);
    let connection = connection::read_columns(&mut columns)?;
    Ok((Some(connection), Some(user::read_columns(&mut columns)?)))
}

/// The facts about the organization of a connection.
pub(super) struct OrganizationFacts {
    /// Whether it owns the domain of the address, and whether that is proved.
    pub(super) owner: Option<Owner>,
    /// Whether the connection signs in this domain.
    pub(super) signs_in: bool,
    /// The person's membership, without its roles.
    pub(super) membership: Option<Membership>,
    pub(super) policy: Option<SessionPolicy>,
}

/// Reads what an organization has to do with an address and a locked person.
pub(super) async fn company(
    tx: &mut Tx<'_>,
    connection: &Connection,
    organization_id: &OrganizationId,
    (email, user_id): (Option<&EmailAddress>, Option<&UserId>),
) -> Result<Option<OrganizationFacts>, Error> {
    // Locked, so that a change of the organization's session policy waits for the session that begins here.
    let sql = held!(
        tx,
        "FOR KEY SHARE OF o",
        "SELECT o.session_policy, d.id IS NOT NULL, d.proved_at IS NOT NULL,
                NOT CAST($4 AS BOOLEAN) OR EXISTS (
                  SELECT 1 FROM connection_domains a JOIN domains x ON x.id = a.domain_id
                   WHERE a.connection_id = $3 AND x.domain = d.domain),
                m.user_id IS NOT NULL, ",
        membership::bare_columns!(),
        " FROM organizations o
          LEFT JOIN domains d ON d.organization_id = o.id AND d.domain = $5
                             AND d.kind = 'ORGANIZATION_DOMAIN' AND d.status = 'VERIFIED'
          LEFT JOIN memberships m ON m.organization_id = o.id AND m.user_id = $2
         WHERE o.id = $1"
    );
    let domain = email.map(|email| email.domain().as_str());
    let row = tx
        .opt(
            sql,
            p![
                organization_id,
                user_id,
                &connection.id,
                connection.assigned_domains_only,
                domain
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let policy = columns.optional_json("organizations.session_policy")?;
    let (is_owner, is_proved, signs_in) = (columns.bool()?, columns.bool()?, columns.bool()?);
    Ok(Some(OrganizationFacts {
        owner: is_owner.then(|| Owner {
            organization_id: organization_id.clone(),
            is_proved,
        }),
        signs_in,
        membership: match columns.bool()? {
            true => Some(membership::read_bare(&mut columns)?),
            false => None,
        },
        policy,
    }))
}
