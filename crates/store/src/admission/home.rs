//! The home of a user: the organization that has the domain of their address. Only the home may change
//! their name.

use genkan_db::{Tx, p};
use genkan_protocol::EmailAddress;

use super::vouch::{VouchedAddress, speaks_for};
use crate::connection::Connection;
use crate::user::User;
use crate::{Error, OrganizationId, UserId, user};

/// Whether a user has something of their own: a membership elsewhere, an invitation elsewhere (open or
/// not), an identity at another organization's connection, a passkey, or a mailbox that they proved. If so,
/// an organization that has merely claimed the domain of their address does not reach them.
///
/// There are two exceptions. If one of the organization's connections knows the user already, it reaches
/// them. And a proved mailbox does not keep out an organization to which they agreed to belong: they
/// accepted its invitation at this address, the operator made them its member, or they were created as its
/// member.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn has_own(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    user_id: &UserId,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "SELECT u.id FROM users u WHERE u.id = $1 AND (
               EXISTS (SELECT 1 FROM memberships m
                        WHERE m.user_id = u.id
                          AND (CAST($2 AS TEXT) IS NULL OR m.organization_id <> $2))
               OR EXISTS (SELECT 1 FROM identities i JOIN connections c ON c.id = i.connection_id
                           WHERE i.user_id = u.id
                             AND (CAST($2 AS TEXT) IS NULL OR c.organization_id IS NULL
                                  OR c.organization_id <> $2))
               OR (NOT EXISTS (SELECT 1 FROM identities i JOIN connections c ON c.id = i.connection_id
                                WHERE i.user_id = u.id AND c.organization_id = $2)
                   AND (EXISTS (SELECT 1 FROM webauthn_credentials w WHERE w.user_id = u.id)
                        OR (u.email_proved_at IS NOT NULL AND NOT EXISTS (
                              SELECT 1 FROM memberships m
                                LEFT JOIN invitations v
                                  ON v.organization_id = m.organization_id AND v.user_id = m.user_id
                               WHERE m.user_id = u.id AND m.organization_id = $2
                                 AND (m.provisioning_method = 'CLI'
                                      OR (m.status = 'ACTIVE' AND m.created_at <= u.created_at)
                                      OR (v.accepted_at IS NOT NULL AND v.email = u.email)))))))",
            p![user_id, organization_id],
        )
        .await?;
    Ok(row.is_some())
}

/// The parts of a profile that a user takes over from a connection.
#[derive(Debug, Default)]
pub(super) struct ProfileUpdate {
    /// The verified address that the user should have now.
    pub(super) email: Option<EmailAddress>,
    /// Name, picture and the like.
    pub(super) names: bool,
}

/// What a user takes over from a connection. It is nothing unless its organization is their home: the
/// connection vouches for their present address, by a proved domain if they have something of their own.
///
/// An address changes only from one proved domain of the home to another, and never to another user's
/// address. Otherwise an organization could claim a domain and carry people out of it.
pub(super) async fn followed(
    tx: &mut Tx<'_>,
    connection: &Connection,
    user: &User,
    vouched: Option<&VouchedAddress>,
) -> Result<ProfileUpdate, Error> {
    let Some(vouched) = vouched else {
        return Ok(ProfileUpdate::default());
    };
    let Some(is_proved) = speaks_for(tx, connection, &user.email).await? else {
        return Ok(ProfileUpdate::default());
    };
    let all_proved = is_proved && vouched.is_proved;
    if !all_proved && has_own(tx, connection.organization_id.as_ref(), &user.id).await? {
        return Ok(ProfileUpdate::default());
    }
    let is_same = vouched.email == user.email;
    let may_change =
        all_proved && connection.sync_profile && user::find_by_email(tx, &vouched.email).await?.is_none();
    Ok(ProfileUpdate {
        email: (is_same || may_change).then(|| vouched.email.clone()),
        names: connection.sync_profile,
    })
}
