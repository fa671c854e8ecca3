//! Whose people somebody is: the organization that has the domain of their
//! address may say how they are called, and no other.

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;

use super::vouch::{Vouched, speaks_for};
use crate::connection::Connection;
use crate::user::User;
use crate::{Error, OrganizationId, Timestamp, UserId, user};

/// Whether a user belongs to another organization than the connection's, or is
/// invited there. An invitation that has expired counts for nothing.
pub(super) async fn belongs_elsewhere(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user_id: &UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let own: Option<&OrganizationId> = connection.organization_id.as_ref();
    let row = tx
        .opt(
            "SELECT organization_id FROM memberships
              WHERE user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR organization_id <> $2)
                AND (status <> 'PENDING_INVITE' OR expires_at > $3) LIMIT 1",
            p![user_id, own, now.as_micros()],
        )
        .await?;
    Ok(row.is_some())
}

/// What of a profile a user takes over from a connection.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// The verified address that the user should have now.
    pub(super) email: Option<EmailAddress>,
    /// Name, picture and the like.
    pub(super) names: bool,
}

/// What a user takes over: nothing unless this organization is their home, which
/// means that the connection speaks for the address that they have, by a domain
/// that is proved if they belong elsewhere too.
///
/// An address changes only from one such address to another, and never to
/// somebody else's.
pub(super) async fn followed(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user: &User,
    vouched: Option<&Vouched>,
    now: Timestamp,
) -> Result<Followed, Error> {
    let Some(vouched) = vouched else {
        return Ok(Followed::default());
    };
    let Some(is_proved) = speaks_for(tx, connection, &user.email).await? else {
        return Ok(Followed::default());
    };
    let all_proved = is_proved && vouched.is_proved;
    if !all_proved && belongs_elsewhere(tx, connection, &user.id, now).await? {
        return Ok(Followed::default());
    }
    let is_same = vouched.email == user.email;
    let may_change = connection.sync_profile && user::find_by_email(tx, &vouched.email).await?.is_none();
    Ok(Followed {
        email: (is_same || may_change).then(|| vouched.email.clone()),
        names: connection.sync_profile,
    })
}
