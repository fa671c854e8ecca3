//! The default roles of new members.

use genkan_db::{Tx, p};

use super::{Role, read, select};
use crate::event::{self, Entry, Kind};
use crate::{Error, OrganizationId, Stamp, UserId, environment};

macro_rules! of_first_member {
    () => {
        "r.organization_id IS NULL AND r.default_creator"
    };
}

macro_rules! of_later_member {
    () => {
        "(r.organization_id IS NULL OR r.organization_id = $1)
         AND CASE WHEN d.member_role_id IS NULL THEN r.default_member ELSE d.member_role_id = r.id END"
    };
}

/// The default roles of a new member of an organization: those of a creator for the first member, those of
/// a member for all others.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn defaults(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    is_first_member: bool,
) -> Result<Vec<Role>, Error> {
    let sql = if is_first_member {
        select!(of_first_member!())
    } else {
        select!(of_later_member!())
    };
    let rows = tx.all(sql, p![organization_id]).await?;
    rows.iter().map(read).collect()
}

/// Gives the roles of [`defaults`] to a new member.
pub(crate) async fn give_defaults(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
    is_first_member: bool,
) -> Result<(), Error> {
    macro_rules! give {
        ($condition:expr) => {
            concat!(
                "INSERT INTO membership_roles (organization_id, user_id, role_id, by_provider)
                 SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), r.id, FALSE FROM roles r
                   LEFT JOIN organization_default_roles d ON d.organization_id = $1
                  WHERE ",
                $condition
            )
        };
    }
    let sql = if is_first_member {
        give!(of_first_member!())
    } else {
        give!(of_later_member!())
    };
    tx.exec(sql, p![organization_id, user_id]).await?;
    Ok(())
}

/// Makes a role of the environment the default of first members.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_default_creator(tx: &mut Tx<'_>, at: Stamp<'_>, role: &Role) -> Result<(), Error> {
    let changed = tx
        .exec(
            "UPDATE roles SET default_creator = (id = $1)
              WHERE organization_id IS NULL AND default_creator <> (id = $1)",
            p![&role.id],
        )
        .await?;
    record(tx, at, (changed, role, None), "default_creator").await
}

/// Makes a role of the environment the default of later members, in organizations that have no default of
/// their own.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_default_member(tx: &mut Tx<'_>, at: Stamp<'_>, role: &Role) -> Result<(), Error> {
    let changed = tx
        .exec(
            "UPDATE roles SET default_member = (id = $1)
              WHERE organization_id IS NULL AND default_member <> (id = $1)",
            p![&role.id],
        )
        .await?;
    record(tx, at, (changed, role, None), "default_member").await
}

/// Makes a role the default of later members in one organization.
///
/// # Errors
///
/// [`Error::Stale`] if its members cannot have the role.
pub async fn set_organization_default(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    role: &Role,
) -> Result<(), Error> {
    let changed = tx
        .exec(
            "INSERT INTO organization_default_roles (organization_id, member_role_id)
             SELECT CAST($1 AS TEXT), id FROM roles
              WHERE id = $2 AND (organization_id IS NULL OR organization_id = $1)
             ON CONFLICT (organization_id) DO UPDATE SET member_role_id = excluded.member_role_id",
            p![organization_id, &role.id],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    record(tx, at, (changed, role, Some(organization_id)), "default_member").await
}

async fn record(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    (changed, role, organization_id): (u64, &Role, Option<&OrganizationId>),
    what: &str,
) -> Result<(), Error> {
    if changed == 0 {
        return Ok(());
    }
    let entry = Entry::new(Kind::RoleUpdated).organization(organization_id);
    let entry = entry
        .with("role_id", role.id.as_str())
        .with("name", role.name.as_str());
    event::record(tx, at, entry.with(what, true).object(role.object())).await?;
    environment::touch(tx).await
}
