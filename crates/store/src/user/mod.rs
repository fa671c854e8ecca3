//! Users: people, one for each e-mail address.

mod rules;

use genkan_db::{Row, Tx, p};
use genkan_protocol::EmailAddress;
use serde_json::{Map, Value};

use crate::any_of::{self, any_of};
use crate::event::{self, Entry, Kind};
use crate::page::page_rows;
use crate::row::{Columns, held, json};
use crate::search::Words;
use crate::{Error, Page, Stamp, Timestamp, UserId, conflict, search, session};

pub use rules::check;
pub(crate) use rules::{is_fit, is_fit_address, set_attribute};

#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub id: UserId,
    pub email: EmailAddress,
    pub email_verified: bool,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub picture: Option<String>,
    pub locale: Option<String>,
    pub phone_number: Option<String>,
    pub phone_number_verified: bool,
    pub preferred_username: Option<String>,
    pub gender: Option<String>,
    /// The groups that the application gave them. Groups of an identity provider belong to the membership.
    pub groups: Vec<String>,
    pub custom_attributes: Map<String, Value>,
    /// Stored with the profile, besides `metadata`.
    pub profile_metadata: Map<String, Value>,
    /// The application's identifier of them.
    pub external_id: Option<String>,
    pub metadata: Map<String, Value>,
    /// A disabled user cannot sign in and has no living session.
    pub disabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "u.id, u.email, u.email_verified, u.name, u.given_name, u.family_name, u.picture, u.locale,
         u.phone_number, u.phone_number_verified, u.preferred_username, u.gender, u.groups, u.custom_attributes,
         u.profile_metadata, u.external_id, u.metadata, u.disabled, u.created_at, u.updated_at, u.last_login_at"
    };
}
pub(crate) use columns;

pub(crate) fn read(row: &Row) -> Result<User, Error> {
    read_columns(&mut Columns::of(row))
}

/// Reads what [`columns`] selects.
pub(crate) fn read_columns(columns: &mut Columns<'_>) -> Result<User, Error> {
    Ok(User {
        id: columns.id()?,
        email: columns.parsed("users.email", EmailAddress::parse)?,
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
        disabled: columns.bool()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        last_login_at: columns.optional_time()?,
    })
}

impl User {
    /// A user with nothing but an address.
    pub fn new(id: UserId, email: EmailAddress, now: Timestamp) -> Self {
        Self {
            id,
            email,
            email_verified: false,
            name: None,
            given_name: None,
            family_name: None,
            picture: None,
            locale: None,
            phone_number: None,
            phone_number_verified: false,
            preferred_username: None,
            gender: None,
            groups: Vec::new(),
            custom_attributes: Map::new(),
            profile_metadata: Map::new(),
            external_id: None,
            metadata: Map::new(),
            disabled: false,
            created_at: now,
            updated_at: now,
            last_login_at: None,
        }
    }

    /// The name to greet with: the full name, else the known parts of it.
    pub fn display_name(&self) -> Option<String> {
        self.name
            .clone()
            .or_else(|| match (&self.given_name, &self.family_name) {
                (Some(given), Some(family)) => Some(format!("{given} {family}")),
                (Some(one), None) | (None, Some(one)) => Some(one.clone()),
                (None, None) => None,
            })
    }
}

/// The columns of a user that are JSON.
pub(crate) struct ProfileTexts {
    pub(crate) groups: String,
    pub(crate) custom_attributes: String,
    pub(crate) profile_metadata: String,
    pub(crate) metadata: String,
}

impl ProfileTexts {
    pub(crate) fn of(user: &User) -> Self {
        Self {
            groups: json(&user.groups),
            custom_attributes: json(&user.custom_attributes),
            profile_metadata: json(&user.profile_metadata),
            metadata: json(&user.metadata),
        }
    }
}

/// Adds a user.
///
/// # Errors
///
/// - [`Error::Invalid`] if they break a rule, see [`check`].
/// - [`conflict::USER_EMAIL`] or [`conflict::USER_EXTERNAL_ID`] if that is used already.
pub async fn insert(tx: &mut Tx<'_>, at: Stamp<'_>, user: &User) -> Result<(), Error> {
    rules::check(user, None)?;
    let profile = ProfileTexts::of(user);
    let inserted = tx.exec(
        "INSERT INTO users (id, email, email_verified, name, given_name, family_name, picture, locale, phone_number,
            phone_number_verified, preferred_username, gender, groups, custom_attributes, profile_metadata,
            external_id, metadata, disabled, created_at, updated_at, last_login_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         ON CONFLICT DO NOTHING",
        p![
            &user.id,
            user.email.as_str(),
            user.email_verified,
            user.name.as_deref(),
            user.given_name.as_deref(),
            user.family_name.as_deref(),
            user.picture.as_deref(),
            user.locale.as_deref(),
            user.phone_number.as_deref(),
            user.phone_number_verified,
            user.preferred_username.as_deref(),
            user.gender.as_deref(),
            &profile.groups,
            &profile.custom_attributes,
            &profile.profile_metadata,
            user.external_id.as_deref(),
            &profile.metadata,
            user.disabled,
            user.created_at.as_micros(),
            user.updated_at.as_micros(),
            user.last_login_at.map(Timestamp::as_micros),
        ],
    )
    .await?;
    if inserted == 0 {
        refuse_taken(tx, user).await?;
        // The other user with the address is gone again.
        return Err(tx.begin_anew().into());
    }
    search::put_new_user(tx, &user.id, words(user)).await?;
    event::record(tx, at, Entry::new(Kind::UserCreated).user(&user.id)).await
}

/// Checked first, so that both engines name the conflict alike.
///
/// Returns the stored user if they have the address already.
async fn refuse_taken(tx: &mut Tx<'_>, user: &User) -> Result<Option<User>, Error> {
    let same = find_by_email(tx, &user.email).await?;
    if same.as_ref().is_some_and(|other| other.id != user.id) {
        return Err(Error::Conflict(conflict::USER_EMAIL));
    }
    if let Some(external_id) = &user.external_id
        && find_by_external_id(tx, external_id)
            .await?
            .is_some_and(|other| other.id != user.id)
    {
        return Err(Error::Conflict(conflict::USER_EXTERNAL_ID));
    }
    Ok(same)
}

/// Finds a user.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &UserId) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM users u WHERE u.id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds a user by their address.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_email(tx: &mut Tx<'_>, email: &EmailAddress) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM users u WHERE u.email = $1"),
            p![email.as_str()],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// As [`find_by_email`], and locks the user, see [`hold`].
pub(crate) async fn find_by_email_held(tx: &mut Tx<'_>, email: &EmailAddress) -> Result<Option<User>, Error> {
    let sql = held!(
        tx,
        "FOR NO KEY UPDATE",
        "SELECT ",
        columns!(),
        " FROM users u WHERE u.email = $1"
    );
    let row = tx.opt(sql, p![email.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

/// Locks a user. Until this transaction is over, nobody signs them in and nobody else decides about them.
pub(crate) async fn hold(tx: &mut Tx<'_>, id: &UserId) -> Result<(), Error> {
    if tx.locks() {
        tx.opt("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", p![id])
            .await?;
    }
    Ok(())
}

/// Finds a user by the application's identifier.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_by_external_id(tx: &mut Tx<'_>, external_id: &str) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM users u WHERE u.external_id = $1"),
            p![external_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Writes the words for the search.
pub(crate) async fn index(tx: &mut Tx<'_>, user: &User) -> Result<(), Error> {
    search::put_user(tx, &user.id, words(user)).await
}

pub(crate) fn words(user: &User) -> Words {
    let mut words = Words::default();
    words.address(user.email.as_str());
    let texts = [&user.name, &user.given_name, &user.family_name, &user.external_id];
    for text in texts.into_iter().flatten() {
        words.text(text);
    }
    words
}

/// The existing ones among up to [`search::MAX_LIMIT`] users, in the order of `ids`. It reads the hits of a
/// search.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_each(tx: &mut Tx<'_>, ids: &[UserId]) -> Result<Vec<User>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .all(
            concat!("SELECT ", columns!(), " FROM users u WHERE u.id IN ", any_of!()),
            &any_of::bind(ids),
        )
        .await?;
    let found = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(any_of::in_order(ids, found, |user| &user.id))
}

/// Lists users, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<UserId>) -> Result<Vec<User>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM users u WHERE TRUE"),
        [],
        "u.id"
    );
    rows.iter().map(read).collect()
}

/// The number of users, counted up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, limit: i64) -> Result<i64, Error> {
    let row = tx
        .opt(
            "SELECT COUNT(*) FROM (SELECT 1 FROM users LIMIT $1) AS counted",
            p![limit],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// Replaces the address, the profile, the external id and the metadata.
///
/// # Errors
///
/// - [`Error::Stale`] if the user was deleted, or changed since they were read.
/// - [`Error::Invalid`] if a changed value breaks a rule, see [`check`].
/// - [`conflict::USER_EMAIL`] or [`conflict::USER_EXTERNAL_ID`] if that is used already.
pub async fn update(tx: &mut Tx<'_>, at: Stamp<'_>, user: &User) -> Result<(), Error> {
    let before = match refuse_taken(tx, user).await? {
        Some(before) => before,
        None => find(tx, &user.id).await?.ok_or(Error::Stale)?,
    };
    rules::check(user, Some(&before))?;
    let profile = ProfileTexts::of(user);
    let changed = tx
        .exec(
            "UPDATE users SET email = $2, email_verified = $3, name = $4, given_name = $5, family_name = $6,
                picture = $7, locale = $8, phone_number = $9, phone_number_verified = $10,
                preferred_username = $11, gender = $12, groups = $13, custom_attributes = $14,
                profile_metadata = $15, external_id = $16, metadata = $17, updated_at = $18,
                email_proved_at = CASE WHEN email = $2 THEN email_proved_at ELSE NULL END
              WHERE id = $1 AND updated_at = $19",
            p![
                &user.id,
                user.email.as_str(),
                user.email_verified,
                user.name.as_deref(),
                user.given_name.as_deref(),
                user.family_name.as_deref(),
                user.picture.as_deref(),
                user.locale.as_deref(),
                user.phone_number.as_deref(),
                user.phone_number_verified,
                user.preferred_username.as_deref(),
                user.gender.as_deref(),
                &profile.groups,
                &profile.custom_attributes,
                &profile.profile_metadata,
                user.external_id.as_deref(),
                &profile.metadata,
                at.after(user.updated_at).as_micros(),
                user.updated_at.as_micros(),
            ],
        )
        .await?;
    if changed == 0 {
        return Err(Error::Stale);
    }
    index(tx, user).await?;
    event::record(tx, at, Entry::new(Kind::UserUpdated).user(&user.id)).await
}

/// Notes that the user with this address has proved the mailbox, if there is such a user.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn prove_email(tx: &mut Tx<'_>, at: Stamp<'_>, email: &EmailAddress) -> Result<(), Error> {
    let Some(mut user) = find_by_email(tx, email).await? else {
        return Ok(());
    };
    if !user.email_verified {
        user.email_verified = true;
        update(tx, at, &user).await?;
    }
    tx.exec(
        "UPDATE users SET email_proved_at = $2 WHERE id = $1",
        p![&user.id, at.now.as_micros()],
    )
    .await?;
    Ok(())
}

/// Disables a user, which ends their sessions, or enables them again. Says whether that changed anything.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn set_disabled(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    id: &UserId,
    disabled: bool,
) -> Result<bool, Error> {
    let changed = tx
        .exec(
            "UPDATE users SET disabled = $2, updated_at = $3 WHERE id = $1 AND disabled <> $2",
            p![id, disabled, at.now.as_micros()],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    if disabled {
        session::end_all_for_user(tx, at, id).await?;
    }
    let kind = if disabled {
        Kind::UserDisabled
    } else {
        Kind::UserEnabled
    };
    event::record(tx, at, Entry::new(kind).user(id)).await?;
    Ok(true)
}

/// Ends the sessions of a user, then deletes them with everything that is theirs. Says whether there was
/// one.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn delete(tx: &mut Tx<'_>, at: Stamp<'_>, id: &UserId) -> Result<bool, Error> {
    hold(tx, id).await?;
    session::end_all_for_user(tx, at, id).await?;
    if tx.exec("DELETE FROM users WHERE id = $1", p![id]).await? == 0 {
        return Ok(false);
    }
    event::record(tx, at, Entry::new(Kind::UserDeleted).user(id)).await?;
    Ok(true)
}
