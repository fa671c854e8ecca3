//! The limit of an organization's members.

use genkan_db::{Tx, p};

use crate::event::shape::{self, organization_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::row::Columns;
use crate::{Error, OrganizationId, Stamp};

/// How many members and invited people the organization may have. `None` if there is no limit, or no such
/// organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<Option<u32>, Error> {
    let row = tx
        .opt(
            "SELECT COALESCE(max_allowed_users, -1) FROM organizations WHERE id = $1",
            p![id],
        )
        .await?;
    let limit = row.map_or(Ok(-1), |row| Columns::of(&row).int())?;
    Ok(u32::try_from(limit).ok())
}

/// Sets the limit, or removes it. Present members stay, even if they are more.
///
/// # Errors
///
/// [`Error::Stale`] if there is no such organization.
pub async fn set(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &OrganizationId,
    limit: Option<u32>,
) -> Result<(), Error> {
    let row = tx
        .opt(
            concat!(
                "UPDATE organizations SET max_allowed_users = $2 WHERE id = $1 RETURNING ",
                organization_columns!("")
            ),
            p![id, limit],
        )
        .await?
        .ok_or(Error::Stale)?;
    let object = Object::of(&shape::Organization::read(&mut Columns::of(&row))?);
    let entry = Entry::new(Kind::OrganizationUpdated)
        .organization(id)
        .object(object);
    event::record(tx, at, entry.with("max_allowed_users", limit)).await
}
