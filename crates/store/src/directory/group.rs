//! Groups that a directory has sent, their members, and the roles that they give.

use genkan_db::{Row, Tx, p};
use serde_json::{Map, Value};

use super::{Directory, entry, synced};
use crate::event::{Object, shape};
use crate::page::page_rows;
use crate::row::{Columns, json};
use crate::{
    DirectoryGroupId, DirectoryId, DirectoryUserId, Error, OrganizationId, Page, RoleId, Stamp, Timestamp,
    event,
};

#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryGroup {
    pub id: DirectoryGroupId,
    pub directory_id: DirectoryId,
    pub profile: Profile,
    pub total_users: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a directory says about a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    pub display_name: String,
    /// The directory's own identifier of the group.
    pub external_id: Option<String>,
    /// All attributes, as the directory sent them.
    pub detail: Map<String, Value>,
}

macro_rules! columns {
    () => {
        "id, directory_id, display_name, external_id, detail,
         (SELECT COUNT(*) FROM directory_group_members m WHERE m.group_id = directory_groups.id),
         created_at, updated_at"
    };
}

fn read(row: &Row) -> Result<DirectoryGroup, Error> {
    let mut columns = Columns::of(row);
    Ok(DirectoryGroup {
        id: columns.id()?,
        directory_id: columns.id()?,
        profile: Profile {
            display_name: columns.text()?,
            external_id: columns.optional_text()?,
            detail: columns.json("directory_groups.detail")?,
        },
        total_users: u64::try_from(columns.int()?).unwrap_or(0),
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Adds a group. Two groups of a directory may have the same name.
///
/// # Errors
///
/// [`Error::Stale`] if the directory is gone.
pub async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    profile: &Profile,
) -> Result<DirectoryGroup, Error> {
    synced(tx, at, &directory.id).await?;
    let group = DirectoryGroup {
        id: at.id(),
        directory_id: directory.id.clone(),
        profile: profile.clone(),
        total_users: 0,
        created_at: at.now,
        updated_at: at.now,
    };
    tx.exec(
        "INSERT INTO directory_groups (id, directory_id, display_name, external_id, detail, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        p![
            &group.id,
            &group.directory_id,
            &profile.display_name,
            profile.external_id.as_deref(),
            &json(&profile.detail),
            at.now.as_micros(),
        ],
    )
    .await?;
    recorded(tx, at, event::Kind::DirectoryGroupCreated, directory, &group).await?;
    Ok(group)
}

/// Replaces the data of a group. Its members stay.
///
/// # Errors
///
/// [`Error::Stale`] if the directory has no such group.
pub async fn update(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    id: &DirectoryGroupId,
    profile: &Profile,
) -> Result<DirectoryGroup, Error> {
    synced(tx, at, &directory.id).await?;
    let known = find(tx, &directory.id, id).await?.ok_or(Error::Stale)?;
    if known.profile == *profile {
        return Ok(known);
    }
    let updated_at = at.after(known.updated_at);
    tx.exec(
        "UPDATE directory_groups SET display_name = $2, external_id = $3, detail = $4, updated_at = $5
          WHERE id = $1",
        p![
            id,
            &profile.display_name,
            profile.external_id.as_deref(),
            &json(&profile.detail),
            updated_at.as_micros(),
        ],
    )
    .await?;
    let group = DirectoryGroup {
        profile: profile.clone(),
        updated_at,
        ..known
    };
    recorded(tx, at, event::Kind::DirectoryGroupUpdated, directory, &group).await?;
    Ok(group)
}

/// Removes a group. Its members stay in the directory. Says whether there was one.
///
/// # Errors
///
/// [`Error::Stale`] if the directory is gone.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    id: &DirectoryGroupId,
) -> Result<bool, Error> {
    let Some(group) = find(tx, &directory.id, id).await? else {
        return Ok(false);
    };
    tx.exec("DELETE FROM directory_groups WHERE id = $1", p![id])
        .await?;
    synced(tx, at, &directory.id).await?;
    recorded(tx, at, event::Kind::DirectoryGroupDeleted, directory, &group).await?;
    Ok(true)
}

/// Adds a person to a group or removes them. Says whether that changed anything.
///
/// # Errors
///
/// [`Error::Stale`] if the directory has no such group or no such person.
pub async fn set_member(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    (group_id, user_id): (&DirectoryGroupId, &DirectoryUserId),
    is_member: bool,
) -> Result<bool, Error> {
    let group = find(tx, &directory.id, group_id).await?.ok_or(Error::Stale)?;
    super::user::find(tx, &directory.id, user_id)
        .await?
        .ok_or(Error::Stale)?;
    let sql = if is_member {
        "INSERT INTO directory_group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM directory_group_members WHERE group_id = $1 AND user_id = $2"
    };
    if tx.exec(sql, p![group_id, user_id]).await? == 0 {
        return Ok(false);
    }
    synced(tx, at, &directory.id).await?;
    let group = DirectoryGroup {
        updated_at: at.after(group.updated_at),
        ..group
    };
    tx.exec(
        "UPDATE directory_groups SET updated_at = $2 WHERE id = $1",
        p![group_id, group.updated_at.as_micros()],
    )
    .await?;
    recorded(tx, at, event::Kind::DirectoryGroupUpdated, directory, &group).await?;
    Ok(true)
}

async fn recorded(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    kind: event::Kind,
    directory: &Directory,
    group: &DirectoryGroup,
) -> Result<(), Error> {
    let profile = &group.profile;
    let object = Object::of(&shape::DirectoryGroup {
        id: group.id.as_str(),
        directory_id: group.directory_id.as_str(),
        display_name: &profile.display_name,
        external_id: profile.external_id.as_deref(),
        raw_attributes: shape::raw_attributes(&profile.detail),
        created_at: group.created_at.as_micros(),
        updated_at: group.updated_at.as_micros(),
    });
    let entry = entry(kind, &directory.organization_id, &directory.id);
    let entry = entry.with("directory_group_id", group.id.as_str());
    event::record(tx, at, entry.object(object)).await
}

/// Finds a group of a directory.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    id: &DirectoryGroupId,
) -> Result<Option<DirectoryGroup>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM directory_groups WHERE id = $1 AND directory_id = $2"
            ),
            p![id, directory_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The condition of the list and its count. A page uses `$1` and `$2`.
macro_rules! matching {
    () => {
        "directory_id = $3 AND (CAST($4 AS BIGINT) IS NULL OR updated_at > $4)"
    };
}

/// Lists the groups of a directory that changed after a moment, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    updated_after: Option<Timestamp>,
    page: &Page<DirectoryGroupId>,
) -> Result<Vec<DirectoryGroup>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!(
            "SELECT ",
            columns!(),
            " FROM directory_groups WHERE ",
            matching!()
        ),
        [directory_id, updated_after.map(Timestamp::as_micros),]
    );
    rows.iter().map(read).collect()
}

/// Counts the groups that [`list`] would list, up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    updated_after: Option<Timestamp>,
    limit: i64,
) -> Result<i64, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT COUNT(*) FROM (SELECT id FROM directory_groups WHERE CAST($1 AS TEXT) IS NULL AND ",
                matching!(),
                " LIMIT $2) counted"
            ),
            p![
                None::<&str>,
                limit,
                directory_id,
                updated_after.map(Timestamp::as_micros),
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// The groups of a person, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_user(tx: &mut Tx<'_>, user_id: &DirectoryUserId) -> Result<Vec<DirectoryGroup>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM directory_groups WHERE EXISTS (SELECT 1 FROM directory_group_members m
                    WHERE m.group_id = directory_groups.id AND m.user_id = $1) ORDER BY id"
            ),
            p![user_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// A role that a group gives to its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    pub group_id: DirectoryGroupId,
    pub role_id: RoleId,
    pub role_name: String,
}

/// The result of [`assign_roles`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignOutcome {
    Assigned,
    UnknownGroup(DirectoryGroupId),
}

/// Replaces the roles that the groups of a directory give. The caller knows that they are roles of the
/// organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn assign_roles(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    assignments: &[(DirectoryGroupId, RoleId)],
) -> Result<AssignOutcome, Error> {
    for (group_id, _) in assignments {
        if find(tx, &directory.id, group_id).await?.is_none() {
            return Ok(AssignOutcome::UnknownGroup(group_id.clone()));
        }
    }
    tx.exec(
        "DELETE FROM directory_group_roles WHERE group_id IN
            (SELECT id FROM directory_groups WHERE directory_id = $1)",
        p![&directory.id],
    )
    .await?;
    for (group_id, role_id) in assignments {
        tx.exec(
            "INSERT INTO directory_group_roles (group_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            p![group_id, role_id],
        )
        .await?;
    }
    let entry = entry(
        event::Kind::DirectoryUpdated,
        &directory.organization_id,
        &directory.id,
    );
    event::record(tx, at, entry.with("role_assignments", assignments.len())).await?;
    Ok(AssignOutcome::Assigned)
}

/// The roles that the groups of a directory give.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn role_assignments(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    directory_id: &DirectoryId,
) -> Result<Vec<RoleAssignment>, Error> {
    let rows = tx
        .all(
            "SELECT a.group_id, a.role_id, r.name FROM directory_group_roles a
               JOIN directory_groups g ON g.id = a.group_id
               JOIN directories d ON d.id = g.directory_id
               JOIN roles r ON r.id = a.role_id
              WHERE g.directory_id = $1 AND d.organization_id = $2 ORDER BY a.group_id, r.name",
            p![directory_id, organization_id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(RoleAssignment {
                group_id: columns.id()?,
                role_id: columns.id()?,
                role_name: columns.text()?,
            })
        })
        .collect()
}
