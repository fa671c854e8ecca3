//! The subject of tokens: a user, and what they are in the organization of the grant.

use genkan_db::{Tx, p};

use crate::grant::Grant;
use crate::role::role_names;
use crate::row::{Columns, lines};
use crate::session::{self, LastUse};
use crate::user::{self, User};
use crate::{ConnectionId, Error, OrganizationId, SessionId, UserId, permission};

#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The user as the organization may see them. `email_verified` is true only if something that still
    /// holds vouches for the address: a domain of the organization, or a domain of the connection's
    /// organization. If they came through no company's connection, their own proof by mail counts. If an
    /// organization's word names the address, a proof that the person gave for themselves does not count.
    pub user: User,
    /// The names of the user's roles in the organization, sorted.
    pub roles: Vec<String>,
    /// The names of the permissions of these roles and of the roles that they extend, sorted.
    pub permissions: Vec<String>,
    /// The groups that the identity provider sent at the last login.
    pub groups: Vec<String>,
    /// The application's identifier of the organization.
    pub organization_external_id: Option<String>,
}

/// Reads the subject of a token, in one statement because every token needs it. `connection_id` is the
/// connection that the person came through.
///
/// `None` if the user is gone or disabled, or is not an active member of the organization.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    organization_id: Option<&OrganizationId>,
    connection_id: Option<&ConnectionId>,
) -> Result<Option<Subject>, Error> {
    let found = read(tx, (user_id, organization_id, connection_id), None).await?;
    Ok(found.map(|(subject, _)| subject))
}

/// As [`find`], for a grant, with the last use of its session if that lives.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_with_last_use(
    tx: &mut Tx<'_>,
    grant: &Grant,
) -> Result<Option<(Subject, Option<LastUse>)>, Error> {
    let (organization_id, connection_id) = (grant.organization_id.as_ref(), grant.connection_id.as_ref());
    let whom = (&grant.user_id, organization_id, connection_id);
    read(tx, whom, Some(&grant.session_id)).await
}

async fn read(
    tx: &mut Tx<'_>,
    (user_id, organization_id, connection_id): (&UserId, Option<&OrganizationId>, Option<&ConnectionId>),
    session_id: Option<&SessionId>,
) -> Result<Option<(Subject, Option<LastUse>)>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                user::columns!(),
                ", u.email_proved_at IS NOT NULL
                   AND (SELECT c.organization_id FROM connections c WHERE c.id = $3) IS NULL, EXISTS (
                     SELECT 1 FROM domains d
                      WHERE d.organization_id IN (
                                CAST($2 AS TEXT), (SELECT c.organization_id FROM connections c WHERE c.id = $3))
                        AND d.kind = 'ORGANIZATION_DOMAIN' AND d.status = 'VERIFIED'
                        AND u.email LIKE '%@' || d.domain),
                   m.groups, o.external_id, ",
                role_names!(),
                ", ",
                permission::member_names!(),
                ", ",
                session::last_use_columns!(),
                " FROM users u
                  LEFT JOIN sessions s ON s.id = $4 AND s.status = 'active'

                  LEFT JOIN memberships m
                    ON m.user_id = u.id AND m.organization_id = $2 AND m.status = 'ACTIVE'
                  LEFT JOIN organizations o ON o.id = m.organization_id
                 WHERE u.id = $1"
            ),
            p![user_id, organization_id, connection_id, session_id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let mut user = user::read_columns(&mut columns)?;
    let (is_own_proof, is_of_domain) = (columns.bool()?, columns.bool()?);
    user.email_verified = is_own_proof || (user.email_verified && is_of_domain);
    let groups: Option<Vec<String>> = columns.optional_json("memberships.groups")?;
    let is_member = groups.is_some();
    let subject = Subject {
        groups: groups.unwrap_or_default(),
        organization_external_id: columns.optional_text()?,
        roles: lines(columns.optional_text()?),
        permissions: permission::split_names(columns.optional_text()?),
        user,
    };
    let last_use = LastUse::read(&mut columns)?;
    let counts = !subject.user.disabled && (is_member || organization_id.is_none());
    Ok(counts.then_some((subject, last_use)))
}
