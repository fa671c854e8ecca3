//! Which role may extend which other role.

use genkan_db::{Tx, p};

use crate::row::Columns;
use crate::{Error, OrganizationId, RoleId, conflict};

/// The most roles in a chain of roles that extend each other, including both ends.
pub const MAX_DEPTH: i64 = 10;

/// Refuses a base that the role cannot have.
///
/// # Errors
///
/// [`conflict::ROLE_BASE`] if it is gone or belongs to another organization, [`conflict::ROLE_CYCLE`] and
/// [`conflict::ROLE_DEPTH`].
pub(super) async fn check(
    tx: &mut Tx<'_>,
    role_id: &RoleId,
    organization_id: Option<&OrganizationId>,
    base_id: &RoleId,
) -> Result<(), Error> {
    let visible = tx
        .opt(
            "SELECT id FROM roles WHERE id = $1 AND (organization_id IS NULL OR organization_id = $2)",
            p![base_id, organization_id],
        )
        .await?;
    if visible.is_none() {
        return Err(Error::Conflict(conflict::ROLE_BASE));
    }
    let above = tx
        .opt(
            // UNION, not UNION ALL, so that it ends even if there is a circle.
            "WITH RECURSIVE chain (id) AS (
               SELECT id FROM roles WHERE id = $1
               UNION
               SELECT r.extends_id FROM chain c JOIN roles r ON r.id = c.id WHERE r.extends_id IS NOT NULL)
             SELECT COUNT(*), SUM(CASE WHEN id = $2 THEN 1 ELSE 0 END) FROM chain",
            p![base_id, role_id],
        )
        .await?
        .ok_or(Error::Stale)?;
    let mut columns = Columns::of(&above);
    let (bases, is_itself_among_them) = (columns.int()?, columns.int()? > 0);
    if is_itself_among_them {
        return Err(Error::Conflict(conflict::ROLE_CYCLE));
    }
    if bases + height(tx, role_id).await? > MAX_DEPTH {
        return Err(Error::Conflict(conflict::ROLE_DEPTH));
    }
    Ok(())
}

/// The length of the longest chain from this role to those that extend it, including itself.
async fn height(tx: &mut Tx<'_>, role_id: &RoleId) -> Result<i64, Error> {
    let row = tx
        .opt(
            // From the table and not from the parameter, because both halves need the same collation.
            "WITH RECURSIVE below (id, depth) AS (
               SELECT id, CAST(1 AS BIGINT) FROM roles WHERE id = $1
               UNION
               SELECT r.id, b.depth + 1 FROM below b JOIN roles r ON r.extends_id = b.id WHERE b.depth < $2)
             SELECT COALESCE(MAX(depth), 1) FROM below",
            p![role_id, MAX_DEPTH],
        )
        .await?;
    row.map_or(Ok(1), |row| Columns::of(&row).int())
}
