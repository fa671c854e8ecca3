//! Custom attributes of users: the register of those that connections read from identity providers.
//!
//! A connection names an attribute in its mapping as `custom.` and the key. The values are in
//! [`User::custom_attributes`](crate::user::User::custom_attributes) as text, and ID tokens have them in the
//! registered type. See `docs/guides/attributes.md`.

mod rules;
mod value;

use std::collections::BTreeMap;

use genkan_db::{Row, Tx, p};
use serde::Deserialize;

use crate::event::{self, Entry, Kind};
use crate::row::{Columns, words};
use crate::{ConnectionId, Error, Stamp, Timestamp, conflict, environment};

pub use rules::{check, is_key, is_reserved};
pub use value::{MAX_VALUE, Unfit, read_value, token_claims};

/// A connection's mapping writes this before the key of a registered attribute.
pub const PREFIX: &str = "custom.";

/// Our own attributes, which a mapping names as they are. Every other name is that of a registered attribute.
pub const OWN: [&str; 10] = [
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "picture",
    "locale",
    "groups",
    "roles",
];

/// The name of an attribute in the mapping of a connection.
pub fn name_in_mapping(key: &str) -> String {
    format!("{PREFIX}{key}")
}

/// The most attributes, because ID tokens contain them. A user has as many in the contract.
pub const MAX_ATTRIBUTES: i64 = 20;

words! {
    /// The type of the values in ID tokens.
    pub enum Datatype {
        String = "STRING",
        Number = "NUMBER",
        Bool = "BOOL",
        Array = "ARRAY",
        Object = "OBJECT",
    }
}

/// A registered attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAttribute {
    /// The name of the claim in tokens, and of the value at users. It never changes.
    pub key: String,
    /// The name for people.
    pub label: String,
    pub datatype: Datatype,
    /// Whether it is read at sign-in and is in tokens.
    pub enabled: bool,
    /// Whether a sign-in through a provider that does not send it is refused.
    pub required: bool,
    /// The claim that OIDC connections read if they name none themselves.
    pub oidc_claim: Option<String>,
    /// The attribute that SAML connections read if they name none themselves.
    pub saml_attribute: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

macro_rules! columns {
    () => {
        "key, label, datatype, enabled, required, oidc_claim, saml_attribute, created_at, updated_at"
    };
}

fn read(row: &Row) -> Result<UserAttribute, Error> {
    let mut columns = Columns::of(row);
    Ok(UserAttribute {
        key: columns.text()?,
        label: columns.text()?,
        datatype: columns.parsed("user_attributes.datatype", str::parse)?,
        enabled: columns.bool()?,
        required: columns.bool()?,
        oidc_claim: columns.optional_text()?,
        saml_attribute: columns.optional_text()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// Registers an attribute.
///
/// # Errors
///
/// - [`Error::Invalid`] if a value breaks a rule, see [`check`].
/// - [`conflict::USER_ATTRIBUTE`] if the key is registered, perhaps in other letters' case.
/// - [`conflict::USER_ATTRIBUTES`] if there are [`MAX_ATTRIBUTES`].
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, attribute: &UserAttribute) -> Result<(), Error> {
    check(attribute, None)?;
    // A receiver that reads names without regard to case would take one of two such claims for the other.
    let row = tx
        .opt(
            "SELECT key FROM user_attributes WHERE LOWER(key) = $1",
            p![&attribute.key.to_ascii_lowercase()],
        )
        .await?;
    if row.is_some() {
        return Err(Error::Conflict(conflict::USER_ATTRIBUTE));
    }
    let row = tx.opt("SELECT COUNT(*) FROM user_attributes", p![]).await?;
    let count = row.map_or(Ok(0), |row| Columns::of(&row).int())?;
    if count >= MAX_ATTRIBUTES {
        return Err(Error::Conflict(conflict::USER_ATTRIBUTES));
    }
    tx.exec(
        "INSERT INTO user_attributes (key, label, datatype, enabled, required, oidc_claim, saml_attribute,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        p![
            &attribute.key,
            &attribute.label,
            attribute.datatype.as_str(),
            attribute.enabled,
            attribute.required,
            attribute.oidc_claim.as_deref(),
            attribute.saml_attribute.as_deref(),
            attribute.created_at.as_micros(),
            attribute.updated_at.as_micros(),
        ],
    )
    .await?;
    record(tx, at, Kind::UserAttributeCreated, &attribute.key).await
}

/// Finds an attribute by its key.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, key: &str) -> Result<Option<UserAttribute>, Error> {
    let sql = concat!("SELECT ", columns!(), " FROM user_attributes WHERE key = $1");
    let row = tx.opt(sql, p![key]).await?;
    row.as_ref().map(read).transpose()
}

/// All attributes, by key.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<UserAttribute>, Error> {
    let sql = concat!("SELECT ", columns!(), " FROM user_attributes ORDER BY key");
    let rows = tx.all(sql, p![]).await?;
    rows.iter().map(read).collect()
}

/// Replaces everything but the key and the creation time. The values of users stay.
///
/// # Errors
///
/// - [`Error::Stale`] if it was deleted, or changed since it was read.
/// - [`Error::Invalid`] if a value breaks a rule, see [`check`].
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, attribute: &UserAttribute) -> Result<(), Error> {
    let before = find(tx, &attribute.key).await?.ok_or(Error::Stale)?;
    check(attribute, Some(&before))?;
    let changed = tx
        .exec(
            "UPDATE user_attributes SET label = $2, datatype = $3, enabled = $4, required = $5,
                oidc_claim = $6, saml_attribute = $7, updated_at = $8
              WHERE key = $1 AND updated_at = $9",
            p![
                &attribute.key,
                &attribute.label,
                attribute.datatype.as_str(),
                attribute.enabled,
                attribute.required,
                attribute.oidc_claim.as_deref(),
                attribute.saml_attribute.as_deref(),
                at.after(attribute.updated_at).as_micros(),
                attribute.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    record(tx, at, Kind::UserAttributeUpdated, &attribute.key).await
}

/// Why an attribute is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionOutcome {
    Deleted,
    /// These connections name it in their mapping. At most ten are listed.
    Mapped(Vec<ConnectionId>),
    /// There is no such attribute.
    Unknown,
}

/// Removes an attribute from the register, unless a connection names it. Users keep the value, but tokens do
/// not have it any more.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, key: &str) -> Result<DeletionOutcome, Error> {
    if find(tx, key).await?.is_none() {
        return Ok(DeletionOutcome::Unknown);
    }
    let mapped = connections_that_name(tx, key).await?;
    if !mapped.is_empty() {
        return Ok(DeletionOutcome::Mapped(mapped));
    }
    tx.exec("DELETE FROM user_attributes WHERE key = $1", p![key])
        .await?;
    record(tx, at, Kind::UserAttributeDeleted, key).await?;
    Ok(DeletionOutcome::Deleted)
}

/// The part of a connection's settings that names attributes.
#[derive(Deserialize)]
struct Mapping {
    #[serde(default)]
    attribute_mapping: BTreeMap<String, String>,
}

/// The first connections whose mapping names an attribute.
async fn connections_that_name(tx: &mut Tx<'_>, key: &str) -> Result<Vec<ConnectionId>, Error> {
    let name = name_in_mapping(key);
    // The pattern only narrows the search: `_` in a key stands for any character there.
    let pattern = format!("%\"{name}\":%");
    let rows = tx
        .all(
            "SELECT id, settings FROM connections WHERE settings LIKE $1 ORDER BY id",
            p![&pattern],
        )
        .await?;
    let mut named = Vec::new();
    for row in &rows {
        let mut columns = Columns::of(row);
        let id = columns.id()?;
        let settings: Mapping = columns.json("connections.settings")?;
        if settings.attribute_mapping.contains_key(&name) && named.len() < 10 {
            named.push(id);
        }
    }
    Ok(named)
}

/// `true` if a mapping names an attribute that is neither ours nor registered. No sign-in would read a misspelt
/// name (`emial`). A name that was in the mapping `before` stays until it is removed.
///
/// The contract's mapping has plain keys, so the key of a registered attribute counts with the prefix and without.
///
/// At READ COMMITTED an attribute may be deleted after this has found it. Such a name does no harm: sign-ins read
/// the attributes of the register, and none of them has it.
pub(crate) async fn names_unknown(
    tx: &mut Tx<'_>,
    mapping: &BTreeMap<String, String>,
    before: Option<&BTreeMap<String, String>>,
) -> Result<bool, Error> {
    for name in mapping.keys() {
        let is_kept = before.is_some_and(|before| before.contains_key(name));
        if is_kept || OWN.contains(&name.as_str()) {
            continue;
        }
        let key = name.strip_prefix(PREFIX).unwrap_or(name);
        if find(tx, key).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn record(tx: &mut Tx<'_>, at: Stamp<'_>, kind: Kind, key: &str) -> Result<(), Error> {
    event::record(tx, at, Entry::new(kind).with("key", key)).await?;
    environment::touch(tx).await
}
