//! API tokens: opaque tokens that an application gives to its customers. If somebody presents one, the
//! application asks us about it.
//!
//! A token is valid if it has not expired, its organization exists, and its user, if it has one, is an
//! active member who may sign in.

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_db::{Row, Tx, p};

use crate::event::{self, Entry, Kind};
use crate::page::page_rows;
use crate::role::role_names;
use crate::row::{Columns, json, lines};
use crate::{ApiTokenId, Error, OrganizationId, Page, Secret, SecretHash, Stamp, Timestamp, UserId};

/// The precision of [`ApiToken::last_used_at`].
pub const USE_IS_NOTED_EVERY: Duration = Duration::from_mins(1);

/// The longest description.
pub const MAX_DESCRIPTION_CHARS: usize = 255;
const MAX_CLAIMS: usize = 20;
const MAX_CLAIM_KEY_CHARS: usize = 30;
const MAX_CLAIM_VALUE_CHARS: usize = 256;

/// Checks the claims of a token before they are written.
///
/// # Errors
///
/// A sentence without its full stop, for the author of the claims.
pub fn check_claims(claims: &BTreeMap<String, String>) -> Result<(), &'static str> {
    let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    if claims.len() > MAX_CLAIMS {
        return Err("a token has 20 claims at most");
    }
    if claims
        .iter()
        .all(|(key, value)| fits(key, MAX_CLAIM_KEY_CHARS) && fits(value, MAX_CLAIM_VALUE_CHARS))
    {
        Ok(())
    } else {
        Err("a claim has a key of 1 to 30 characters and a value of 1 to 256")
    }
}

/// A token. Its value is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub id: ApiTokenId,
    /// The last four characters, by which people tell tokens apart.
    pub suffix: String,
    pub organization_id: OrganizationId,
    /// `None`: it stands for the whole organization.
    pub user_id: Option<UserId>,
    pub custom_claims: BTreeMap<String, String>,
    pub description: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// A valid token, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveToken {
    pub token: ApiToken,
    pub organization_external_id: Option<String>,
    pub user_external_id: Option<String>,
    pub email: Option<String>,
    /// The names of the user's roles in the organization, sorted.
    pub roles: Vec<String>,
}

/// The name of a token: its value or its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Id(ApiTokenId),
    Value(SecretHash),
}

impl Key {
    /// Reads what somebody presented. After its prefix an identifier has digits alone, and no value has
    /// that form.
    pub fn parse(text: &str) -> Self {
        ApiTokenId::parse(text).map_or_else(|_| Self::Value(Secret::from_presented(text).sha256()), Self::Id)
    }

    const fn id(&self) -> Option<&ApiTokenId> {
        match self {
            Self::Id(id) => Some(id),
            Self::Value(_) => None,
        }
    }

    const fn hash(&self) -> Option<&SecretHash> {
        match self {
            Self::Id(_) => None,
            Self::Value(hash) => Some(hash),
        }
    }
}

macro_rules! columns {
    () => {
        concat!(
            "t.id, t.suffix, t.organization_id, t.user_id, t.custom_claims, t.description, t.created_at,
             t.updated_at, t.expires_at, t.last_used_at, o.external_id, u.external_id, u.email, ",
            role_names!()
        )
    };
}

/// The tokens that are valid at the moment in the named parameter.
macro_rules! live_tokens {
    ($now:literal) => {
        concat!(
            " FROM api_tokens t
              JOIN organizations o ON o.id = t.organization_id
              LEFT JOIN users u ON u.id = t.user_id
              LEFT JOIN memberships m
                ON m.organization_id = t.organization_id AND m.user_id = t.user_id AND m.status = 'ACTIVE'
             WHERE (t.expires_at IS NULL OR t.expires_at > ",
            $now,
            ") AND (t.user_id IS NULL OR (m.user_id IS NOT NULL AND NOT u.disabled))"
        )
    };
}

macro_rules! of_filter {
    ($organization:literal, $user:literal) => {
        concat!(
            " AND t.organization_id = ",
            $organization,
            " AND (CAST(",
            $user,
            " AS TEXT) IS NULL OR t.user_id = ",
            $user,
            ")"
        )
    };
}

fn read(row: &Row) -> Result<LiveToken, Error> {
    let mut columns = Columns::of(row);
    Ok(LiveToken {
        token: ApiToken {
            id: columns.id()?,
            suffix: columns.text()?,
            organization_id: columns.id()?,
            user_id: columns.optional_id()?,
            custom_claims: columns.json("api_tokens.custom_claims")?,
            description: columns.optional_text()?,
            created_at: columns.time()?,
            updated_at: columns.time()?,
            expires_at: columns.optional_time()?,
            last_used_at: columns.optional_time()?,
        },
        organization_external_id: columns.optional_text()?,
        user_external_id: columns.optional_text()?,
        email: columns.optional_text()?,
        roles: lines(columns.optional_text()?),
    })
}

fn entry(kind: Kind, token: &ApiToken) -> Entry<'_> {
    Entry::new(kind)
        .organization(&token.organization_id)
        .user(token.user_id.as_ref())
        .with("token_id", token.id.as_str())
}

/// Adds a token whose value has this hash.
///
/// # Errors
///
/// [`Error::Stale`] unless its organization exists and its user is an active member of it.
pub async fn insert(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    token: &ApiToken,
    hash: &SecretHash,
) -> Result<(), Error> {
    let custom_claims = json(&token.custom_claims);
    let added = tx
        .exec(
            "INSERT INTO api_tokens (id, token_hash, suffix, organization_id, user_id, custom_claims, description,
                created_at, updated_at, expires_at, last_used_at)
             SELECT $1, $2, $3, o.id, $5, $6, $7, $8, $9, $10, $11 FROM organizations o
              WHERE o.id = $4 AND (CAST($5 AS TEXT) IS NULL OR EXISTS
                (SELECT 1 FROM memberships m
                  WHERE m.organization_id = o.id AND m.user_id = $5 AND m.status = 'ACTIVE'))",
            p![
                &token.id,
                hash,
                &token.suffix,
                &token.organization_id,
                token.user_id.as_ref(),
                &custom_claims,
                token.description.as_deref(),
                token.created_at.as_micros(),
                token.updated_at.as_micros(),
                token.expires_at.map(Timestamp::as_micros),
                token.last_used_at.map(Timestamp::as_micros),
            ],
        )
        .await?;
    if added == 0 {
        return Err(Error::Stale);
    }
    event::record(tx, at, entry(Kind::ApiTokenCreated, token)).await
}

/// The token, if it is valid at `now`.
///
/// A value is looked up by its hash, so the timing says nothing about other values.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_live(tx: &mut Tx<'_>, key: &Key, now: Timestamp) -> Result<Option<LiveToken>, Error> {
    let row = match key {
        Key::Id(id) => {
            tx.opt(
                concat!("SELECT ", columns!(), live_tokens!("$2"), " AND t.id = $1"),
                p![id, now.as_micros()],
            )
            .await?
        }
        Key::Value(hash) => {
            tx.opt(
                concat!(
                    "SELECT ",
                    columns!(),
                    live_tokens!("$2"),
                    " AND t.token_hash = $1"
                ),
                p![hash, now.as_micros()],
            )
            .await?
        }
    };
    row.as_ref().map(read).transpose()
}

/// Which tokens to list.
#[derive(Debug, Clone)]
pub struct Filter {
    pub organization_id: OrganizationId,
    /// Only those of this user.
    pub user_id: Option<UserId>,
}

/// Lists the tokens that are valid at `now`, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &Filter,
    now: Timestamp,
    page: &Page<ApiTokenId>,
) -> Result<Vec<LiveToken>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), live_tokens!("$3"), of_filter!("$4", "$5")),
        [now.as_micros(), &filter.organization_id, filter.user_id.as_ref()],
        "t.id"
    );
    rows.iter().map(read).collect()
}

/// The number of tokens that [`list`] would give without its page. Counts up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, filter: &Filter, now: Timestamp, limit: i64) -> Result<i64, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT COUNT(*) FROM (SELECT 1",
                live_tokens!("$1"),
                of_filter!("$2", "$3"),
                " LIMIT $4) AS rows"
            ),
            p![
                now.as_micros(),
                &filter.organization_id,
                filter.user_id.as_ref(),
                limit
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// Whether any token exists.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn exist(tx: &mut Tx<'_>) -> Result<bool, Error> {
    Ok(tx.opt("SELECT 1 FROM api_tokens LIMIT 1", p![]).await?.is_some())
}

/// Replaces the claims and the description.
///
/// # Errors
///
/// [`Error::Stale`] if it was revoked, or changed since it was read.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, token: &ApiToken) -> Result<(), Error> {
    let custom_claims = json(&token.custom_claims);
    let changed = tx
        .exec(
            "UPDATE api_tokens SET custom_claims = $2, description = $3, updated_at = $4
              WHERE id = $1 AND updated_at = $5",
            p![
                &token.id,
                &custom_claims,
                token.description.as_deref(),
                at.after(token.updated_at).as_micros(),
                token.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    event::record(tx, at, entry(Kind::ApiTokenUpdated, token)).await
}

/// Notes that a token was used, once in [`USE_IS_NOTED_EVERY`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn note_use(tx: &mut Tx<'_>, id: &ApiTokenId, now: Timestamp) -> Result<(), Error> {
    tx.exec(
        "UPDATE api_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)",
        p![id, now.as_micros(), (now - USE_IS_NOTED_EVERY).as_micros()],
    )
    .await?;
    Ok(())
}

/// Revokes a token. Says whether there was one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn revoke(tx: &mut Tx<'_>, at: Stamp<'_>, key: &Key) -> Result<bool, Error> {
    let row = tx
        .opt(
            "DELETE FROM api_tokens WHERE id = $1 OR token_hash = $2 RETURNING id, organization_id, user_id",
            p![key.id(), key.hash()],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    record_revoked(tx, at, &row).await?;
    Ok(true)
}

/// Revokes the tokens that stand for a member of an organization.
pub(crate) async fn revoke_all_of_member(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    user_id: &UserId,
) -> Result<(), Error> {
    let rows = tx
        .all(
            "DELETE FROM api_tokens WHERE organization_id = $1 AND user_id = $2
             RETURNING id, organization_id, user_id",
            p![organization_id, user_id],
        )
        .await?;
    for row in &rows {
        record_revoked(tx, at, row).await?;
    }
    Ok(())
}

async fn record_revoked(tx: &mut Tx<'_>, at: Stamp<'_>, row: &Row) -> Result<(), Error> {
    let mut columns = Columns::of(row);
    let (id, organization_id, user_id): (ApiTokenId, OrganizationId, Option<UserId>) =
        (columns.id()?, columns.id()?, columns.optional_id()?);
    let entry = Entry::new(Kind::ApiTokenRevoked)
        .organization(&organization_id)
        .user(user_id.as_ref())
        .with("token_id", id.as_str());
    event::record(tx, at, entry).await
}
