//! Whether people can enter an organization in other ways than through its own connection.
//!
//! If a company has a connection, the connection decides how its people sign in. This stays so after the
//! connection was deleted, because it may be made again. See `docs/decisions/proof.md`.

use genkan_db::{Tx, p};

use crate::event::shape::{self, organization_columns};
use crate::event::{self, Entry, Kind, Object};
use crate::row::Columns;
use crate::{Error, OrganizationId, Stamp};

/// Why there are no other ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosureReason {
    /// It has a connection, enabled or not.
    HasConnection,
    /// It had one, and no operator has allowed other ways since.
    HadConnection,
}

/// Says whether an organization is closed to other ways. One that does not exist is not.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn closed(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<Option<ClosureReason>, Error> {
    let row = tx
        .opt(
            "SELECT EXISTS (SELECT 1 FROM connections c WHERE c.organization_id = o.id), had_connection_at IS NOT NULL
               FROM organizations o WHERE o.id = $1",
            p![id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let (has, had) = (columns.bool()?, columns.bool()?);
    Ok(match (has, had) {
        (true, _) => Some(ClosureReason::HasConnection),
        (false, true) => Some(ClosureReason::HadConnection),
        (false, false) => None,
    })
}

/// Notes that a connection of the organization was enabled.
pub(crate) async fn close(tx: &mut Tx<'_>, at: Stamp<'_>, id: &OrganizationId) -> Result<(), Error> {
    tx.exec(
        "UPDATE organizations SET had_connection_at = $2 WHERE id = $1 AND had_connection_at IS NULL",
        p![id, at.now.as_micros()],
    )
    .await?;
    Ok(())
}

/// Allows other ways into an organization whose connection was deleted. Says whether that changed anything.
/// While it has a connection, only that one counts.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn allow(tx: &mut Tx<'_>, at: Stamp<'_>, id: &OrganizationId) -> Result<bool, Error> {
    let row = tx
        .opt(
            concat!(
                "UPDATE organizations SET had_connection_at = NULL
                  WHERE id = $1 AND had_connection_at IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.organization_id = organizations.id)
                  RETURNING ",
                organization_columns!("")
            ),
            p![id],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let object = Object::of(&shape::Organization::read(&mut Columns::of(&row))?);
    let entry = Entry::new(Kind::OrganizationUpdated).organization(id);
    event::record(tx, at, entry.with("other_ways_allowed", true).object(object)).await?;
    Ok(true)
}
