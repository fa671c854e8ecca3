//! The subject of tokens: a user, and what they are in the organization of the grant.

use genkan_db::{Row, Tx, Value, p};

use crate::grant::Grant;
use crate::role::{self, marked_role_names};
use crate::row::Columns;
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

/// Reads the subject of a token. `connection_id` is the connection that the person came through.
///
/// It is one statement, because every token needs it. If a role of the person extends another one, a second
/// statement follows the chain of roles. PostgreSQL sets up a recursion even if it finds nothing, so
/// it is not part of the first one.
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
    let session_id: Option<&SessionId> = None;
    let row = tx
        .opt(SUBJECT, p![user_id, organization_id, connection_id, session_id])
        .await?;
    let found = complete(tx, (user_id, organization_id), row).await?;
    Ok(found.map(|(subject, _)| subject))
}

/// As [`find`], for a grant, with the last use of its session. `None` also if the session has ended.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_with_last_use(tx: &mut Tx<'_>, grant: &Grant) -> Result<Option<(Subject, LastUse)>, Error> {
    let row = tx.opt(SUBJECT, &question(grant)).await?;
    finish(tx, grant, SubjectRow(row)).await
}

/// A subject that was read together with something else, see [`finish`].
#[derive(Debug)]
pub struct SubjectRow(Option<Row>);

/// Runs a statement of a grant, and reads the subject right after it, in one round trip.
pub(crate) async fn read_after(
    tx: &mut Tx<'_>,
    statement: (&'static str, &[Value<'_>]),
    grant: &Grant,
) -> Result<(Vec<Row>, SubjectRow), Error> {
    let (rows, row) = tx.all_and_opt(statement, (SUBJECT, &question(grant))).await?;
    Ok((rows, SubjectRow(row)))
}

/// The result of [`find_with_last_use`], from a row that this transaction has read already.
///
/// `None` also if the session has ended. The grant was found alive, but on PostgreSQL a session may end between two
/// statements of a transaction.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn finish(
    tx: &mut Tx<'_>,
    grant: &Grant,
    row: SubjectRow,
) -> Result<Option<(Subject, LastUse)>, Error> {
    let found = complete(tx, (&grant.user_id, grant.organization_id.as_ref()), row.0).await?;
    Ok(found.and_then(|(subject, last_use)| Some((subject, last_use?))))
}

/// The parameters of [`SUBJECT`].
fn question(grant: &Grant) -> [Value<'_>; 4] {
    [
        Value::from(&grant.user_id),
        Value::from(grant.organization_id.as_ref()),
        Value::from(grant.connection_id.as_ref()),
        Value::from(&grant.session_id),
    ]
}

/// The user `$1` in the organization `$2`, who came through the connection `$3`, with the session `$4`.
const SUBJECT: &str = concat!(
    "SELECT ",
    user::columns!(),
    ", u.email_proved_at IS NOT NULL AND c.organization_id IS NULL, EXISTS (
         SELECT 1 FROM domains d
          WHERE d.organization_id IN (CAST($2 AS TEXT), c.organization_id)
            AND d.kind = 'ORGANIZATION_DOMAIN' AND d.status = 'VERIFIED'
            AND u.email LIKE '%@' || d.domain),
       m.groups, o.external_id, ",
    marked_role_names!(),
    ", ",
    permission::own_names!(),
    ", ",
    session::last_use_columns!(),
    " FROM users u
      LEFT JOIN connections c ON c.id = $3
      LEFT JOIN sessions s ON s.id = $4 AND s.status = 'active'
      LEFT JOIN memberships m
        ON m.user_id = u.id AND m.organization_id = $2 AND m.status = 'ACTIVE'
      LEFT JOIN organizations o ON o.id = m.organization_id
     WHERE u.id = $1"
);

async fn complete(
    tx: &mut Tx<'_>,
    (user_id, organization_id): (&UserId, Option<&OrganizationId>),
    row: Option<Row>,
) -> Result<Option<(Subject, Option<LastUse>)>, Error> {
    let Some(found) = row.map(|row| FoundSubject::read(&row)).transpose()? else {
        return Ok(None);
    };
    let mut subject = found.subject;
    if subject.user.disabled || (organization_id.is_some() && !found.is_member) {
        return Ok(None);
    }
    if let Some(organization_id) = organization_id
        && found.inherits
    {
        let permissions = permission::list_for_member(tx, organization_id, user_id).await?;
        subject.permissions = permissions
            .into_iter()
            .map(|permission| permission.name)
            .collect();
    }
    Ok(Some((subject, found.last_use)))
}

/// The row of a subject.
struct FoundSubject {
    /// Its permissions are those that its roles have themselves.
    subject: Subject,
    is_member: bool,
    /// One of its roles extends another role.
    inherits: bool,
    last_use: Option<LastUse>,
}

impl FoundSubject {
    fn read(row: &Row) -> Result<Self, Error> {
        let mut columns = Columns::of(row);
        let mut user = user::read_columns(&mut columns)?;
        let (is_own_proof, is_of_domain) = (columns.bool()?, columns.bool()?);
        user.email_verified = is_own_proof || (user.email_verified && is_of_domain);
        let groups: Option<Vec<String>> = columns.optional_json("memberships.groups")?;
        let organization_external_id = columns.optional_text()?;
        let (roles, inherits) = role::split_marked_names(columns.optional_text()?.as_deref());
        let permissions = permission::split_names(columns.optional_text()?);
        Ok(Self {
            is_member: groups.is_some(),
            inherits,
            last_use: LastUse::read(&mut columns)?,
            subject: Subject {
                user,
                roles,
                permissions,
                groups: groups.unwrap_or_default(),
                organization_external_id,
            },
        })
    }
}
