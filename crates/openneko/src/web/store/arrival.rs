//! A person comes back from the provider: which user they are here, and whether they may enter.

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

use super::user::{User, columns, other_admins, read};
use super::{audit, user};
use crate::web::identity::Identity;
use crate::web::rules::{Refusal, Role, Rules};

/// A person whom a plugin signed in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The plugin: a subject is unique only within its provider.
    pub provider: &'a str,
    pub identity: &'a Identity,
    pub rules: &'a Rules,
    /// The identifier for a new user.
    pub new_user_id: &'a str,
    pub reference: &'a str,
    pub at: Timestamp,
}

/// The user, or why the person may not enter.
pub type Outcome = Result<User, Refusal>;

/// Finds or makes the user of an arrival and writes the provider's present data.
///
/// All of it happens in one transaction. If a person arrives for the first time twice
/// at once, one arrival makes the row; the other meets the unique key and runs again
/// ([`super::write`]).
///
/// # Errors
///
/// [`Error::Conflict`] for the one that must run again.
pub async fn arrive(tx: &mut Tx<'_>, arrival: Arrival<'_>) -> Result<Outcome, Error> {
    if let Err(refusal) = arrival.rules.admit(arrival.identity) {
        return Ok(Err(refusal));
    }
    let known = find_by_subject(tx, arrival.provider, &arrival.identity.sub).await?;
    let same_address = user::find_by_email(tx, &arrival.identity.email).await?;
    match (known, same_address) {
        (Some(known), Some(other)) if known.id != other.id => Ok(Err(Refusal::EmailTaken)),
        (Some(known), _) => returning(tx, arrival, known).await,
        (None, Some(found)) => link(tx, arrival, found).await,
        (None, None) => insert(tx, arrival).await,
    }
}

async fn find_by_subject(tx: &mut Tx<'_>, provider: &str, sub: &str) -> Result<Option<User>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(""),
                " FROM app_user WHERE provider = $1 AND sub = $2"
            ),
            p![provider, sub],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Links a row that existed before its owner first came.
async fn link(tx: &mut Tx<'_>, arrival: Arrival<'_>, found: User) -> Result<Outcome, Error> {
    if found.sub.is_some() {
        return Ok(Err(Refusal::EmailTaken));
    }
    // Otherwise a person whose provider accepts any typed address would get the
    // account of somebody else.
    let is_proven = arrival.identity.email_verified == Some(true);
    if !is_proven && !arrival.rules.link_unverified_email {
        return Ok(Err(Refusal::EmailNotVerified));
    }
    if found.disabled_at.is_none() {
        record(tx, arrival, &found, audit::Kind::UserLinked, None).await?;
    }
    returning(tx, arrival, found).await
}

/// Writes the provider's present data. If it leaves out the name, the old one stays.
async fn returning(tx: &mut Tx<'_>, arrival: Arrival<'_>, user: User) -> Result<Outcome, Error> {
    if user.disabled_at.is_some() {
        return Ok(Err(Refusal::Disabled));
    }
    let Arrival {
        provider, identity, ..
    } = arrival;
    let role = role_now(tx, arrival, &user).await?;
    let row = tx
        .opt(
            concat!(
                "UPDATE app_user SET provider = $2, sub = $3, email = $4, email_key = $5, name = COALESCE($6, name),
                    role = $7, provider_org_id = $8, group_names = $9, updated_at = $10, last_login_at = $10
                  WHERE id = $1 RETURNING ",
                columns!("")
            ),
            p![
                &user.id,
                provider,
                &identity.sub,
                &identity.email,
                &identity.email_key(),
                identity.name.as_deref(),
                role.as_str(),
                identity.org_id.as_deref(),
                &group_names(identity),
                arrival.at.as_microsecond(),
            ],
        )
        .await?;
    let updated = row.ok_or_else(|| Error::Database("a user vanished during their sign-in".to_owned()))?;
    if role != user.role {
        let detail = format!("{} to {}, by their groups", user.role.as_str(), role.as_str());
        record(tx, arrival, &user, audit::Kind::RoleChanged, Some(detail)).await?;
    }
    read(&updated).map(Ok)
}

/// The role after this sign-in. The last active admin stays one, with any groups: a
/// mistake at the provider would otherwise lock everybody out. If no group makes an
/// admin, the role stays.
async fn role_now(tx: &mut Tx<'_>, arrival: Arrival<'_>, user: &User) -> Result<Role, Error> {
    let rules = arrival.rules;
    if !rules.roles_follow_groups || rules.admin_groups.is_empty() {
        return Ok(user.role);
    }
    let wanted = rules.role(arrival.identity);
    let is_demotion = user.role == Role::Admin && wanted == Role::Member;
    if is_demotion && other_admins(tx, &user.id).await? == 0 {
        return Ok(Role::Admin);
    }
    Ok(wanted)
}

async fn insert(tx: &mut Tx<'_>, arrival: Arrival<'_>) -> Result<Outcome, Error> {
    let Arrival {
        provider, identity, ..
    } = arrival;
    let role = arrival.rules.role(identity);
    let row = tx
        .opt(
            concat!(
                "INSERT INTO app_user (id, provider, sub, email, email_key, name, org_id, role, provider_org_id,
                    group_names, created_at, updated_at, last_login_at)
                 SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT),
                    CAST($6 AS TEXT), id, CAST($7 AS TEXT), CAST($8 AS TEXT), CAST($9 AS TEXT), CAST($10 AS BIGINT),
                    CAST($10 AS BIGINT), CAST($10 AS BIGINT)
                   FROM organization WHERE is_only
                 RETURNING ",
                columns!("")
            ),
            p![
                arrival.new_user_id,
                provider,
                &identity.sub,
                &identity.email,
                &identity.email_key(),
                identity.name.as_deref(),
                role.as_str(),
                identity.org_id.as_deref(),
                &group_names(identity),
                arrival.at.as_microsecond(),
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::Database("the organization is missing".to_owned()))?;
    let user = read(&row)?;
    let detail = format!("as {}", role.as_str());
    record(tx, arrival, &user, audit::Kind::UserCreated, Some(detail)).await?;
    Ok(Ok(user))
}

fn group_names(identity: &Identity) -> String {
    serde_json::to_string(&identity.groups).expect("strings are JSON")
}

async fn record(
    tx: &mut Tx<'_>,
    arrival: Arrival<'_>,
    user: &User,
    kind: audit::Kind,
    detail: Option<String>,
) -> Result<(), Error> {
    let mut event = audit::Event::new(kind, arrival.at, arrival.reference);
    event.user_id = Some(user.id.clone());
    event.email = Some(arrival.identity.email.clone());
    event.provider = Some(arrival.provider.to_owned());
    event.detail = detail;
    audit::record(tx, &event).await
}
