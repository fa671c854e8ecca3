//! How a membership ends.

use genkan_db::{Tx, p};

use super::find_with_object;
use crate::event::{self, Entry, Kind};
use crate::{Error, OrganizationId, Stamp, UserId, api_token, session, user};

/// Removes a user from an organization and ends their sessions, grants and API tokens in it. These stay
/// ended if the user comes back. Says whether they were a member.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<bool, Error> {
    user::hold(tx, user_id).await?;
    let Some((_, object)) = find_with_object(tx, organization_id, user_id).await? else {
        return Ok(false);
    };
    tx.exec(
        "DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2",
        p![organization_id, user_id],
    )
    .await?;
    end_access(tx, at, organization_id, user_id).await?;
    api_token::revoke_all_of_member(tx, at, organization_id, user_id).await?;
    let entry = Entry::new(Kind::UserOrganizationMembershipDeleted)
        .organization(organization_id)
        .user(user_id)
        .object(object);
    event::record(tx, at, entry).await?;
    Ok(true)
}

/// As [`delete`], and deletes the user as well if that was their last membership.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete_with_last(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<bool, Error> {
    if !delete(tx, at, organization_id, user_id).await? {
        return Ok(false);
    }
    let other = tx
        .opt(
            "SELECT organization_id FROM memberships WHERE user_id = $1 LIMIT 1",
            p![user_id],
        )
        .await?;
    if other.is_none() {
        user::delete(tx, at, user_id).await?;
    }
    Ok(true)
}

/// Ends the grants of a user in an organization. Their sessions end, too, if nothing else is left in them.
pub(super) async fn end_access(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<(), Error> {
    session::end_all_of_member(tx, at, organization_id, user_id).await?;
    Ok(())
}
