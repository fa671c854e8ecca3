//! People whom a directory has sent.

use genkan_db::{Row, Tx, p};
use serde_json::{Map, Value};

use super::{Directory, entry, synced};
use crate::event::{Object, shape};
use crate::page::page_rows;
use crate::row::{Columns, json};
use crate::{DirectoryGroupId, DirectoryId, DirectoryUserId, Error, Page, Stamp, Timestamp, conflict, event};

#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryUser {
    pub id: DirectoryUserId,
    pub directory_id: DirectoryId,
    pub profile: Profile,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a directory says about a person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Unique in the directory. Upper and lower case do not matter (RFC 7643 §4.1.1).
    pub user_name: String,
    /// The directory's own identifier of the person.
    pub external_id: Option<String>,
    /// The primary one first.
    pub emails: Vec<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    /// Whether the person may sign in.
    pub active: bool,
    /// All attributes, as the directory sent them.
    pub detail: Map<String, Value>,
}

macro_rules! columns {
    () => {
        "id, directory_id, user_name, external_id, emails, given_name, family_name, active, detail, created_at,
         updated_at"
    };
}

fn read(row: &Row) -> Result<DirectoryUser, Error> {
    let mut columns = Columns::of(row);
    Ok(DirectoryUser {
        id: columns.id()?,
        directory_id: columns.id()?,
        profile: Profile {
            user_name: columns.text()?,
            external_id: columns.optional_text()?,
            emails: columns.json("directory_users.emails")?,
            given_name: columns.optional_text()?,
            family_name: columns.optional_text()?,
            active: columns.bool()?,
            detail: columns.json("directory_users.detail")?,
        },
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

fn key(user_name: &str) -> String {
    user_name.to_lowercase()
}

/// Adds a person, or replaces the data of the person with that user name.
///
/// # Errors
///
/// [`Error::Stale`] if the directory is gone.
pub async fn upsert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    profile: &Profile,
) -> Result<DirectoryUser, Error> {
    match find_by_user_name(tx, &directory.id, &profile.user_name).await? {
        Some(known) => update(tx, at, directory, &known.id, profile).await,
        None => insert(tx, at, directory, profile).await,
    }
}

async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    profile: &Profile,
) -> Result<DirectoryUser, Error> {
    synced(tx, at, &directory.id).await?;
    let user = DirectoryUser {
        id: at.id(),
        directory_id: directory.id.clone(),
        profile: profile.clone(),
        created_at: at.now,
        updated_at: at.now,
    };
    tx.exec(
        "INSERT INTO directory_users (id, directory_id, user_name, user_name_key, external_id, email, emails,
            given_name, family_name, active, detail, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        p![
            &user.id,
            &user.directory_id,
            &profile.user_name,
            &key(&profile.user_name),
            profile.external_id.as_deref(),
            profile.emails.first().map(String::as_str),
            &json(&profile.emails),
            profile.given_name.as_deref(),
            profile.family_name.as_deref(),
            profile.active,
            &json(&profile.detail),
            at.now.as_micros(),
        ],
    )
    .await?;
    let memberships = Memberships::default();
    recorded(
        tx,
        at,
        event::Kind::DirectoryUserCreated,
        directory,
        (&user, memberships),
    )
    .await?;
    Ok(user)
}

/// Replaces the data of a person.
///
/// # Errors
///
/// - [`Error::Stale`] if the directory has no such person.
/// - [`conflict::DIRECTORY_USER_NAME`] if another person has the user name.
pub async fn update(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    id: &DirectoryUserId,
    profile: &Profile,
) -> Result<DirectoryUser, Error> {
    synced(tx, at, &directory.id).await?;
    let known = find(tx, &directory.id, id).await?.ok_or(Error::Stale)?;
    let namesake = find_by_user_name(tx, &directory.id, &profile.user_name).await?;
    if namesake.is_some_and(|other| other.id != *id) {
        return Err(Error::Conflict(conflict::DIRECTORY_USER_NAME));
    }
    // A directory sends everything at every sync. The same data is no change.
    if known.profile == *profile {
        return Ok(known);
    }
    let updated_at = at.after(known.updated_at);
    tx.exec(
        "UPDATE directory_users SET user_name = $2, user_name_key = $3, external_id = $4, email = $5,
            emails = $6, given_name = $7, family_name = $8, active = $9, detail = $10, updated_at = $11
          WHERE id = $1",
        p![
            id,
            &profile.user_name,
            &key(&profile.user_name),
            profile.external_id.as_deref(),
            profile.emails.first().map(String::as_str),
            &json(&profile.emails),
            profile.given_name.as_deref(),
            profile.family_name.as_deref(),
            profile.active,
            &json(&profile.detail),
            updated_at.as_micros(),
        ],
    )
    .await?;
    let user = DirectoryUser {
        profile: profile.clone(),
        updated_at,
        ..known
    };
    let memberships = memberships(tx, id).await?;
    recorded(
        tx,
        at,
        event::Kind::DirectoryUserUpdated,
        directory,
        (&user, memberships),
    )
    .await?;
    Ok(user)
}

/// Removes a person from a directory and its groups. Says whether there was one.
///
/// # Errors
///
/// [`Error::Stale`] if the directory is gone.
pub async fn delete(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    directory: &Directory,
    id: &DirectoryUserId,
) -> Result<bool, Error> {
    let memberships = memberships(tx, id).await?;
    let deleted = tx
        .opt(
            concat!(
                "DELETE FROM directory_users WHERE id = $1 AND directory_id = $2 RETURNING ",
                columns!()
            ),
            p![id, &directory.id],
        )
        .await?;
    let Some(row) = deleted else { return Ok(false) };
    let user = read(&row)?;
    synced(tx, at, &directory.id).await?;
    recorded(
        tx,
        at,
        event::Kind::DirectoryUserDeleted,
        directory,
        (&user, memberships),
    )
    .await?;
    Ok(true)
}

async fn recorded(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    kind: event::Kind,
    directory: &Directory,
    (user, memberships): (&DirectoryUser, Memberships),
) -> Result<(), Error> {
    let profile = &user.profile;
    let object = Object::of(&shape::DirectoryUser {
        id: user.id.as_str(),
        directory_id: user.directory_id.as_str(),
        user_name: &profile.user_name,
        external_id: profile.external_id.as_deref(),
        emails: &profile.emails,
        given_name: profile.given_name.as_deref(),
        family_name: profile.family_name.as_deref(),
        active: profile.active,
        raw_attributes: shape::raw_attributes(&profile.detail),
        groups: &memberships.groups,
        roles: &memberships.roles,
        created_at: user.created_at.as_micros(),
        updated_at: user.updated_at.as_micros(),
    });
    let entry = entry(kind, &directory.organization_id, &directory.id);
    let entry = entry.with("directory_user_id", user.id.as_str());
    event::record(tx, at, entry.object(object)).await
}

/// A person's groups, and the roles that these give.
#[derive(Default)]
struct Memberships {
    groups: Vec<shape::GroupName>,
    roles: Vec<String>,
}

/// The oldest groups, up to the number that an event holds.
async fn memberships(tx: &mut Tx<'_>, id: &DirectoryUserId) -> Result<Memberships, Error> {
    let rows = tx
        .all(
            "SELECT g.id, g.display_name, r.name FROM directory_group_members m
               JOIN directory_groups g ON g.id = m.group_id
               LEFT JOIN directory_group_roles a ON a.group_id = g.id
               LEFT JOIN roles r ON r.id = a.role_id
              WHERE m.user_id = $1 ORDER BY g.id, r.name LIMIT $2",
            p![id, i64::from(crate::MAX_LIMIT)],
        )
        .await?;
    let mut memberships = Memberships::default();
    for row in &rows {
        let mut columns = Columns::of(row);
        let group = shape::GroupName {
            id: columns.text()?,
            display_name: columns.text()?,
        };
        if memberships.groups.last().is_none_or(|last| last.id != group.id) {
            memberships.groups.push(group);
        }
        memberships.roles.extend(columns.optional_text()?);
    }
    memberships.roles.sort_unstable();
    memberships.roles.dedup();
    Ok(memberships)
}

/// Finds a person of a directory.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    id: &DirectoryUserId,
) -> Result<Option<DirectoryUser>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM directory_users WHERE id = $1 AND directory_id = $2"
            ),
            p![id, directory_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds a person of a directory by user name. Upper and lower case do not matter.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_user_name(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    user_name: &str,
) -> Result<Option<DirectoryUser>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM directory_users WHERE directory_id = $1 AND user_name_key = $2"
            ),
            p![directory_id, &key(user_name)],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Which people to list. `None` means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub group_id: Option<DirectoryGroupId>,
    /// Those that changed after this moment.
    pub updated_after: Option<Timestamp>,
}

/// The condition of the list and its count. A page uses `$1` and `$2`.
macro_rules! matching {
    () => {
        "directory_id = $3
         AND (CAST($4 AS BIGINT) IS NULL OR updated_at > $4)
         AND (CAST($5 AS TEXT) IS NULL OR EXISTS (
               SELECT 1 FROM directory_group_members m
                WHERE m.user_id = directory_users.id AND m.group_id = $5))"
    };
}

/// Lists the people of a directory, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    filter: &Filter,
    page: &Page<DirectoryUserId>,
) -> Result<Vec<DirectoryUser>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM directory_users WHERE ", matching!()),
        [
            directory_id,
            filter.updated_after.map(Timestamp::as_micros),
            filter.group_id.as_ref(),
        ]
    );
    rows.iter().map(read).collect()
}

/// Counts the people that [`list`] would list, up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(
    tx: &mut Tx<'_>,
    directory_id: &DirectoryId,
    filter: &Filter,
    limit: i64,
) -> Result<i64, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT COUNT(*) FROM (SELECT id FROM directory_users WHERE CAST($1 AS TEXT) IS NULL AND ",
                matching!(),
                " LIMIT $2) counted"
            ),
            p![
                None::<&str>,
                limit,
                directory_id,
                filter.updated_after.map(Timestamp::as_micros),
                filter.group_id.as_ref(),
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}
