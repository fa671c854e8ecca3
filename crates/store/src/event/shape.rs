//! The stored form of each part of an object. The members are listed here, so that a new column of a table
//! never adds a secret.
//!
//! Times are microseconds since the Unix epoch, as everywhere in the store. The columns of a shape can be
//! used with `RETURNING`, so the statement of a change also returns its result.

use genkan_db::{Tx, p};
use serde::Serialize;
use serde_json::{Map, Value};

use super::object::{Part, Shape};
use crate::row::Columns;
use crate::{ConnectionId, Error, UserId};

/// Columns of one table, each after the table's name and a dot, if one is given.
macro_rules! columns {
    ($table:literal: $first:literal $(, $column:literal)* $(,)?) => {
        concat!($table, $first $(, ", ", $table, $column)*)
    };
}
pub(crate) use columns;

type Free = Map<String, Value>;

#[derive(Debug, Serialize)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) region: Option<String>,
    /// The enabled ones.
    pub(crate) features: Vec<String>,
    pub(crate) metadata: Free,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

macro_rules! organization_columns {
    ($table:literal) => {
        $crate::event::shape::columns!($table: "id", "display_name", "external_id", "region", "features", "metadata",
            "created_at", "updated_at")
    };
}
pub(crate) use organization_columns;

impl Shape for Organization {
    const PART: Part = Part::Organization;
}

impl Organization {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.text()?,
            display_name: columns.text()?,
            external_id: columns.optional_text()?,
            region: columns.optional_text()?,
            features: columns.json("organizations.features")?,
            metadata: columns.json("organizations.metadata")?,
            created_at: columns.int()?,
            updated_at: columns.int()?,
        })
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: Option<String>,
    pub(crate) given_name: Option<String>,
    pub(crate) family_name: Option<String>,
    pub(crate) picture: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) phone_number_verified: bool,
    pub(crate) preferred_username: Option<String>,
    pub(crate) gender: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) custom_attributes: Free,
    pub(crate) profile_metadata: Free,
    pub(crate) external_id: Option<String>,
    pub(crate) metadata: Free,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) last_login_at: Option<i64>,
}

macro_rules! user_columns {
    ($table:literal) => {
        $crate::event::shape::columns!($table: "id", "email", "email_verified", "name", "given_name", "family_name",
            "picture", "locale", "phone_number", "phone_number_verified", "preferred_username", "gender", "groups",
            "custom_attributes", "profile_metadata", "external_id", "metadata", "created_at", "updated_at",
            "last_login_at")
    };
}
pub(crate) use user_columns;

impl Shape for User {
    const PART: Part = Part::User;
}

impl User {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.text()?,
            email: columns.text()?,
            email_verified: columns.bool()?,
            name: columns.optional_text()?,
            given_name: columns.optional_text()?,
            family_name: columns.optional_text()?,
            picture: columns.optional_text()?,
            locale: columns.optional_text()?,
            phone_number: columns.optional_text()?,
            phone_number_verified: columns.bool()?,
            preferred_username: columns.optional_text()?,
            gender: columns.optional_text()?,
            groups: columns.json("users.groups")?,
            custom_attributes: columns.json("users.custom_attributes")?,
            profile_metadata: columns.json("users.profile_metadata")?,
            external_id: columns.optional_text()?,
            metadata: columns.json("users.metadata")?,
            created_at: columns.int()?,
            updated_at: columns.int()?,
            last_login_at: columns.optional_int()?,
        })
    }

    /// The present state in the database.
    pub(crate) async fn find(tx: &mut Tx<'_>, id: &UserId) -> Result<Option<Self>, Error> {
        let sql = concat!("SELECT ", user_columns!(""), " FROM users WHERE id = $1");
        let row = tx.opt(sql, p![id]).await?;
        row.map(|row| Self::read(&mut Columns::of(&row))).transpose()
    }
}

/// Without the settings, which no message contains.
#[derive(Debug, Serialize)]
pub(crate) struct Connection {
    id: String,
    organization_id: Option<String>,
    /// The protocol.
    kind: String,
    provider: String,
    name: String,
    pub(crate) enabled: bool,
    status: String,
    key_id: Option<String>,
    created_at: i64,
    updated_at: i64,
}

macro_rules! connection_columns {
    () => {
        "id, organization_id, kind, provider, name, enabled, status, key_id, created_at, updated_at"
    };
}
pub(crate) use connection_columns;

impl Shape for Connection {
    const PART: Part = Part::Connection;
}

impl Connection {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.text()?,
            organization_id: columns.optional_text()?,
            kind: columns.text()?,
            provider: columns.text()?,
            name: columns.text()?,
            enabled: columns.bool()?,
            status: columns.text()?,
            key_id: columns.optional_text()?,
            created_at: columns.int()?,
            updated_at: columns.int()?,
        })
    }

    /// The present state in the database.
    pub(crate) async fn find(tx: &mut Tx<'_>, id: &ConnectionId) -> Result<Option<Self>, Error> {
        let sql = concat!(
            "SELECT ",
            connection_columns!(),
            " FROM connections WHERE id = $1"
        );
        let row = tx.opt(sql, p![id]).await?;
        row.map(|row| Self::read(&mut Columns::of(&row))).transpose()
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Directory {
    id: String,
    organization_id: String,
    name: String,
    kind: String,
    provider: Option<String>,
    status: String,
    enabled: bool,
    created_at: i64,
    updated_at: i64,
}

macro_rules! directory_columns {
    () => {
        "id, organization_id, name, kind, provider, status, enabled, created_at, updated_at"
    };
}
pub(crate) use directory_columns;

impl Shape for Directory {
    const PART: Part = Part::Directory;
}

impl Directory {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.text()?,
            organization_id: columns.text()?,
            name: columns.text()?,
            kind: columns.text()?,
            provider: columns.optional_text()?,
            status: columns.text()?,
            enabled: columns.bool()?,
            created_at: columns.int()?,
            updated_at: columns.int()?,
        })
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Domain {
    pub(crate) id: String,
    pub(crate) organization_id: String,
    pub(crate) domain: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) method: String,
    /// The content of the TXT record, which is public.
    pub(crate) txt_value: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

macro_rules! domain_columns {
    () => {
        "id, organization_id, domain, kind, status, method, txt_value, created_at, updated_at"
    };
}
pub(crate) use domain_columns;

impl Shape for Domain {
    const PART: Part = Part::Domain;
}

impl Domain {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.text()?,
            organization_id: columns.text()?,
            domain: columns.text()?,
            kind: columns.text()?,
            status: columns.text()?,
            method: columns.text()?,
            txt_value: columns.text()?,
            created_at: columns.int()?,
            updated_at: columns.int()?,
        })
    }
}

/// Without its token, and without address and kind of the browser. The row of the session has these as long
/// as it exists.
#[derive(Debug, Serialize)]
pub(crate) struct Session<'a> {
    pub(crate) id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) organization_id: Option<&'a str>,
    pub(crate) connection_id: Option<&'a str>,
    pub(crate) status: &'static str,
    pub(crate) authenticated_at: i64,
    pub(crate) created_at: i64,
    pub(crate) last_active_at: i64,
    pub(crate) idle_expires_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) ended_at: Option<i64>,
}

impl Shape for Session<'_> {
    const PART: Part = Part::Session;
}

#[derive(Debug, Serialize)]
pub(crate) struct Membership<'a> {
    pub(crate) organization_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) status: &'static str,
    /// Names, sorted.
    pub(crate) roles: &'a [String],
    /// As the identity provider sent them.
    pub(crate) groups: &'a [String],
    pub(crate) metadata: &'a Free,
    pub(crate) inviter_email: Option<&'a str>,
    pub(crate) provisioning_method: Option<&'static str>,
    pub(crate) created_at: i64,
    pub(crate) accepted_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
}

impl Shape for Membership<'_> {
    const PART: Part = Part::Membership;
}

#[derive(Debug, Serialize)]
pub(crate) struct Role<'a> {
    pub(crate) id: &'a str,
    pub(crate) organization_id: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) description: &'a str,
    /// The name of its base role.
    pub(crate) extends: Option<&'a str>,
}

impl Shape for Role<'_> {
    const PART: Part = Part::Role;
}

#[derive(Debug, Serialize)]
pub(crate) struct Permission<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
}

impl Shape for Permission<'_> {
    const PART: Part = Part::Permission;
}

/// A person of a directory, with their groups there and the roles of these groups.
#[derive(Debug, Serialize)]
pub(crate) struct DirectoryUser<'a> {
    pub(crate) id: &'a str,
    pub(crate) directory_id: &'a str,
    pub(crate) user_name: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) emails: &'a [String],
    pub(crate) given_name: Option<&'a str>,
    pub(crate) family_name: Option<&'a str>,
    pub(crate) active: bool,
    pub(crate) raw_attributes: Free,
    pub(crate) groups: &'a [GroupName],
    pub(crate) roles: &'a [String],
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Debug, Serialize)]
pub(crate) struct GroupName {
    pub(crate) id: String,
    pub(crate) display_name: String,
}

impl Shape for DirectoryUser<'_> {
    const PART: Part = Part::DirectoryUser;
}

#[derive(Debug, Serialize)]
pub(crate) struct DirectoryGroup<'a> {
    pub(crate) id: &'a str,
    pub(crate) directory_id: &'a str,
    pub(crate) display_name: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) raw_attributes: Free,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Shape for DirectoryGroup<'_> {
    const PART: Part = Part::DirectoryGroup;
}

/// The data that a directory sent, without passwords. Some directories send a password although nobody asks
/// for it.
pub(crate) fn raw_attributes(detail: &Free) -> Free {
    detail
        .iter()
        .filter(|(name, _)| !name.to_ascii_lowercase().contains("password"))
        .map(|(name, value)| (name.clone(), without_passwords(value)))
        .collect()
}

fn without_passwords(value: &Value) -> Value {
    match value {
        Value::Object(fields) => raw_attributes(fields).into(),
        Value::Array(items) => items.iter().map(without_passwords).collect(),
        other => other.clone(),
    }
}
