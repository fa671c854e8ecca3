//! Changes of users by admins and the command line, with their record.

use genkan_db::{Error, Tx, p};
use jiff::Timestamp;

use super::user::{find, other_admins};
use super::{audit, session};
use crate::web::identity::email_key;
use crate::web::rules::Role;

/// A change of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Signs them out everywhere and keeps them out.
    Disable,
    Enable,
    SetRole(Role),
    /// Forgets the user's subject, for example after a change of the provider: the next
    /// sign-in with their verified address links them.
    Unlink,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome {
    Yes,
    /// Nothing had to change.
    Already,
    /// Nobody could manage the deployment afterwards.
    LastAdmin,
    NoSuchUser,
}

/// Who changes a user, and when.
#[derive(Debug, Clone, Copy)]
pub struct ChangeOrigin<'a> {
    /// A user's id, or `cli`.
    pub actor: &'a str,
    pub reference: &'a str,
    pub ip: Option<&'a str>,
    pub at: Timestamp,
}

/// Adds a person who has not signed in yet. Returns whether the address was free.
///
/// # Errors
///
/// If the database fails.
pub async fn add(
    tx: &mut Tx<'_>,
    id: &str,
    email: &str,
    role: Role,
    by: ChangeOrigin<'_>,
) -> Result<bool, Error> {
    let row = tx
        .opt(
            "INSERT INTO app_user (id, email, email_key, org_id, role, group_names, created_at, updated_at)
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), id, CAST($4 AS TEXT), '[]',
                CAST($5 AS BIGINT), CAST($5 AS BIGINT)
               FROM organization WHERE is_only
             ON CONFLICT DO NOTHING RETURNING id",
            p![
                id,
                email,
                &email_key(email),
                role.as_str(),
                by.at.as_microsecond()
            ],
        )
        .await?;
    if row.is_none() {
        return Ok(false);
    }
    let mut event = audit::Event::new(audit::Kind::UserCreated, by.at, by.reference);
    event.user_id = Some(id.to_owned());
    event.email = Some(email.to_owned());
    event.actor = Some(by.actor.to_owned());
    event.detail = Some(format!("as {}, before their first sign-in", role.as_str()));
    audit::record(tx, &event).await?;
    Ok(true)
}

/// Changes a user and records it. The last active admin stays one.
///
/// # Errors
///
/// If the database fails.
pub async fn change(
    tx: &mut Tx<'_>,
    id: &str,
    change: Change,
    by: ChangeOrigin<'_>,
) -> Result<ChangeOutcome, Error> {
    let Some(user) = find(tx, id).await? else {
        return Ok(ChangeOutcome::NoSuchUser);
    };
    let is_already = match change {
        Change::Disable => user.disabled_at.is_some(),
        Change::Enable => user.disabled_at.is_none(),
        Change::SetRole(role) => user.role == role,
        Change::Unlink => user.sub.is_none(),
    };
    if is_already {
        return Ok(ChangeOutcome::Already);
    }
    let is_active_admin = user.role == Role::Admin && user.disabled_at.is_none();
    let takes_away = matches!(change, Change::Disable | Change::SetRole(_));
    if is_active_admin && takes_away && other_admins(tx, id).await? == 0 {
        return Ok(ChangeOutcome::LastAdmin);
    }
    let now = by.at.as_microsecond();
    let kind = match change {
        Change::Disable => {
            tx.exec(
                "UPDATE app_user SET disabled_at = $2, updated_at = $2 WHERE id = $1",
                p![id, now],
            )
            .await?;
            // Otherwise enabling them would revive old sessions.
            session::end_all(tx, id, by.at).await?;
            audit::Kind::UserDisabled
        }
        Change::Enable => {
            tx.exec(
                "UPDATE app_user SET disabled_at = NULL, updated_at = $2 WHERE id = $1",
                p![id, now],
            )
            .await?;
            audit::Kind::UserEnabled
        }
        Change::SetRole(role) => {
            tx.exec(
                "UPDATE app_user SET role = $3, updated_at = $2 WHERE id = $1",
                p![id, now, role.as_str()],
            )
            .await?;
            audit::Kind::RoleChanged
        }
        Change::Unlink => {
            tx.exec(
                "UPDATE app_user SET provider = NULL, sub = NULL, updated_at = $2 WHERE id = $1",
                p![id, now],
            )
            .await?;
            session::end_all(tx, id, by.at).await?;
            audit::Kind::UserUnlinked
        }
    };
    let mut event = audit::Event::new(kind, by.at, by.reference);
    event.user_id = Some(user.id);
    event.email = Some(user.email);
    event.actor = Some(by.actor.to_owned());
    event.ip = by.ip.map(str::to_owned);
    if let Change::SetRole(role) = change {
        event.detail = Some(format!("{} to {}", user.role.as_str(), role.as_str()));
    }
    audit::record(tx, &event).await?;
    Ok(ChangeOutcome::Yes)
}
