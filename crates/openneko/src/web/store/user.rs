//! Users: people who have signed in, or may.

use genkan_db::{Error, Row, Tx, p};
use jiff::Timestamp;

use super::{moment, optional_moment};
use crate::web::identity::email_key;
use crate::web::random;
use crate::web::rules::Role;

/// A row of `app_user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `usr_` and 12 characters.
    pub id: String,
    /// The plugin that vouches for `sub`.
    pub provider: Option<String>,
    pub sub: Option<String>,
    pub email: String,
    pub name: Option<String>,
    pub role: Role,
    /// The organization that the provider named at the last sign-in.
    pub provider_org_id: Option<String>,
    pub groups: Vec<String>,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
}

macro_rules! columns {
    ($table:literal) => {
        concat!(
            $table,
            "id, ",
            $table,
            "provider, ",
            $table,
            "sub, ",
            $table,
            "email, ",
            $table,
            "name, ",
            $table,
            "role, ",
            $table,
            "provider_org_id, ",
            $table,
            "group_names, ",
            $table,
            "created_at, ",
            $table,
            "last_login_at, ",
            $table,
            "disabled_at"
        )
    };
}
pub(super) use columns;

/// Reads [`columns!`].
pub(super) fn read(row: &Row) -> Result<User, Error> {
    let role: String = row.get(5)?;
    let groups: String = row.get(7)?;
    Ok(User {
        id: row.get(0)?,
        provider: row.get(1)?,
        sub: row.get(2)?,
        email: row.get(3)?,
        name: row.get(4)?,
        role: Role::parse(&role)
            .ok_or_else(|| Error::Database("app_user.role holds an unknown word".to_owned()))?,
        provider_org_id: row.get(6)?,
        groups: serde_json::from_str(&groups)
            .map_err(|_| Error::Database("app_user.group_names is no list".to_owned()))?,
        created_at: moment(row, 8)?,
        last_login_at: optional_moment(row, 9)?,
        disabled_at: optional_moment(row, 10)?,
    })
}

/// A new identifier: without a dot, because the session cookie is split at dots.
pub fn new_id() -> String {
    format!("usr_{}", random::token::<9>())
}

/// Finds a user by id.
///
/// # Errors
///
/// If the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(""), " FROM app_user WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds a user by address, in any case.
///
/// # Errors
///
/// If the database fails.
pub async fn find_by_email(tx: &mut Tx<'_>, email: &str) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(""), " FROM app_user WHERE email_key = $1"),
            p![&email_key(email)],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// All users by address, at most `limit`.
///
/// # Errors
///
/// If the database fails.
pub async fn list(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<User>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(""),
                " FROM app_user ORDER BY email_key LIMIT $1"
            ),
            p![limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// How many other active admins there are.
pub(super) async fn other_admins(tx: &mut Tx<'_>, id: &str) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*) FROM app_user WHERE role = 'admin' AND disabled_at IS NULL AND id <> $1",
            p![id],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get(0))
}
