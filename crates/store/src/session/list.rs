//! The sessions of a user, for operators and applications.

use genkan_db::{Row, Tx, Value, p};

use super::{Session, Status, columns, read};
use crate::page::page_rows;
use crate::row::Columns;
use crate::{ClientId, Error, OrganizationId, Page, SessionId, Timestamp, UserId};

/// Which sessions to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// With one of these statuses. If empty, with any.
    pub statuses: Vec<Status>,
    /// Created then or later.
    pub created_from: Option<Timestamp>,
    /// Created then or earlier.
    pub created_until: Option<Timestamp>,
}

impl Filter {
    fn wants(&self, status: Status) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    fn times(&self) -> (Option<i64>, Option<i64>) {
        (
            self.created_from.map(Timestamp::as_micros),
            self.created_until.map(Timestamp::as_micros),
        )
    }
}

/// The condition of a filter: the user is `$3`, the rest follows. A session whose time is over counts as
/// expired, even if nobody has ended it yet.
macro_rules! condition {
    () => {
        "user_id = $3
           AND (CAST($4 AS BIGINT) IS NULL OR created_at >= $4)
           AND (CAST($5 AS BIGINT) IS NULL OR created_at <= $5)
           AND ((CAST($6 AS BOOLEAN) AND status = 'active' AND idle_expires_at > $7)
             OR (CAST($8 AS BOOLEAN) AND (status = 'expired' OR (status = 'active' AND idle_expires_at <= $7)))
             OR (CAST($9 AS BOOLEAN) AND status = 'revoked')
             OR (CAST($10 AS BOOLEAN) AND status = 'logout'))"
    };
}

/// The sessions of a user, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_user(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    filter: &Filter,
    now: Timestamp,
    page: &Page<SessionId>,
) -> Result<Vec<Session>, Error> {
    let (from, until) = filter.times();
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM sessions WHERE ", condition!()),
        [
            user_id,
            from,
            until,
            filter.wants(Status::Active),
            now.as_micros(),
            filter.wants(Status::Expired),
            filter.wants(Status::Revoked),
            filter.wants(Status::Logout),
        ]
    );
    rows.iter().map(read).collect()
}

/// The number of sessions of a user that match a filter.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_for_user(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    filter: &Filter,
    now: Timestamp,
) -> Result<i64, Error> {
    let (from, until) = filter.times();
    let row = tx
        .opt(
            // The condition begins at $3, as in a page.
            concat!(
                "SELECT COUNT(*) FROM sessions WHERE CAST($1 AS TEXT) IS NULL AND CAST($2 AS TEXT) IS NULL AND ",
                condition!()
            ),
            p![
                Value::Null,
                Value::Null,
                user_id,
                from,
                until,
                filter.wants(Status::Active),
                now.as_micros(),
                filter.wants(Status::Expired),
                filter.wants(Status::Revoked),
                filter.wants(Status::Logout),
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}

/// A client that has a grant in a session, and the organization of the grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub session_id: SessionId,
    pub client_id: ClientId,
    pub organization_id: Option<OrganizationId>,
}

/// The clients of sessions that are neighbours in a list, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn clients_of(tx: &mut Tx<'_>, sessions: &[Session]) -> Result<Vec<Client>, Error> {
    let (Some(newest), Some(oldest)) = (sessions.first(), sessions.last()) else {
        return Ok(Vec::new());
    };
    let rows = tx
        .all(
            "SELECT DISTINCT session_id, client_id, organization_id FROM grants
              WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1 AND id >= $2 AND id <= $3)
              ORDER BY session_id DESC, client_id, organization_id",
            p![&newest.user_id, &oldest.id, &newest.id],
        )
        .await?;
    rows.iter().map(read_client).collect()
}

fn read_client(row: &Row) -> Result<Client, Error> {
    let mut columns = Columns::of(row);
    Ok(Client {
        session_id: columns.id()?,
        client_id: columns.id()?,
        organization_id: columns.optional_id()?,
    })
}
