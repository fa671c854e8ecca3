//! The sign-in log: each sign-in that began, and how it ended.
//!
//! An interaction is deleted after an hour, and what it led to may be deleted, too. The log outlives both.
//! A sign-in gets its row when a person comes back from a provider, or is signed in without one. Until then
//! the log shows the open interaction. [`interaction`](crate::interaction) and
//! [`login_trace`](crate::login_trace) write the log in their own transactions, so no step of a login can
//! forget it.

use genkan_db::{AppendTable, Row, Tx, p};
use genkan_protocol::EmailAddress;

use crate::page::page_rows;
use crate::row::{Columns, words};
use crate::session::{Session, SessionFacts};
use crate::{
    ClientId, ConnectionId, Error, InteractionId, OrganizationId, Page, SessionId, Stamp, Timestamp, TraceId,
    UserId,
};

words! {
    /// The state of a sign-in.
    pub enum Status {
        /// An application has sent the browser.
        Initiated = "INITIATED",
        /// The connection is known. In most cases the browser is at the identity provider.
        Pending = "PENDING",
        /// They are signed in.
        Success = "SUCCESS",
        /// A check refused the person. A trace says which.
        Failure = "FAILURE",
    }
}

words! {
    /// How the person proved who they are.
    pub enum Method {
        Connection = "connection",
        Mail = "mail",
        Passkey = "passkey",
        /// Not anew: the browser had a session.
        Session = "session",
    }
}

/// A sign-in, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthLog {
    pub id: InteractionId,
    pub status: Status,
    /// `None`: the sign-in is not over, or is from before this was stored.
    pub method: Option<Method>,
    pub client_id: ClientId,
    /// Name and kind of the client, unless it was deleted.
    pub client_name: Option<String>,
    pub client_kind: Option<String>,
    pub organization_id: Option<OrganizationId>,
    pub connection_id: Option<ConnectionId>,
    /// Kind and provider of the connection as it was.
    pub connection_kind: Option<String>,
    pub connection_provider: Option<String>,
    pub user_id: Option<UserId>,
    /// The typed or hinted address, and after the sign-in the person's address.
    pub email: Option<String>,
    pub trace_id: Option<TraceId>,
    pub created_at: Timestamp,
}

macro_rules! columns {
    () => {
        "l.id, l.status, l.method, l.client_id, c.name, c.kind, l.organization_id, l.connection_id, l.connection_kind,
         l.connection_provider, l.user_id, l.email, l.trace_id, l.created_at"
    };
}

fn read(row: &Row) -> Result<AuthLog, Error> {
    let mut columns = Columns::of(row);
    Ok(AuthLog {
        id: columns.id()?,
        status: columns.parsed("auth_logs.status", str::parse)?,
        method: columns.optional_parsed("auth_logs.method", str::parse)?,
        client_id: columns.id()?,
        client_name: columns.optional_text()?,
        client_kind: columns.optional_text()?,
        organization_id: columns.optional_id()?,
        connection_id: columns.optional_id()?,
        connection_kind: columns.optional_text()?,
        connection_provider: columns.optional_text()?,
        user_id: columns.optional_id()?,
        email: columns.optional_text()?,
        trace_id: columns.optional_id()?,
        created_at: columns.time()?,
    })
}

/// Gives an interaction its row, or updates where it leads. If nobody has come back from the provider,
/// there is no row: the log then reads the open interaction. So a stranger who only begins leaves nothing
/// behind.
async fn ensure(tx: &mut Tx<'_>, id: &InteractionId) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO auth_logs (id, status, method, client_id, organization_id, connection_id, connection_kind,
            connection_provider, email, created_at)
         SELECT i.id, CAST($2 AS TEXT), CASE WHEN i.connection_id IS NOT NULL THEN 'connection' END, i.client_id, c.organization_id, i.connection_id, c.kind, c.provider,
            i.email, i.created_at
           FROM interactions i LEFT JOIN connections c ON c.id = i.connection_id
          WHERE i.id = $1 AND i.client_id IS NOT NULL
         ON CONFLICT (id) DO UPDATE SET method = excluded.method, organization_id = excluded.organization_id,
            connection_id = excluded.connection_id, connection_kind = excluded.connection_kind,
            connection_provider = excluded.connection_provider, email = excluded.email
          WHERE auth_logs.status <> 'SUCCESS'",
        p![id, Status::Pending.as_str()],
    )
    .await?;
    Ok(())
}

/// They were refused, and try again.
pub(crate) async fn tried_again(tx: &mut Tx<'_>, id: &InteractionId) -> Result<(), Error> {
    tx.exec(
        "UPDATE auth_logs SET status = $2 WHERE id = $1 AND status = $3",
        p![id, Status::Pending.as_str(), Status::Failure.as_str()],
    )
    .await?;
    Ok(())
}

/// They are signed in by `method`, with this session: a new one, or one that they chose to continue.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn succeeded(
    tx: &mut Tx<'_>,
    id: &InteractionId,
    session_id: &SessionId,
    method: Method,
) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO auth_logs (id, status, method, client_id, organization_id, connection_id, connection_kind,
            connection_provider, user_id, email, created_at)
         SELECT i.id, CAST($2 AS TEXT), CAST($4 AS TEXT), i.client_id, s.organization_id, c.id, c.kind, c.provider,
            s.user_id, u.email, i.created_at
           FROM interactions i JOIN sessions s ON s.id = $3 JOIN users u ON u.id = s.user_id
                LEFT JOIN connections c ON c.id = COALESCE(i.connection_id, s.connection_id)
          WHERE i.id = $1 AND i.client_id IS NOT NULL
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, method = excluded.method,
            organization_id = excluded.organization_id, connection_id = excluded.connection_id,
            connection_kind = excluded.connection_kind, connection_provider = excluded.connection_provider,
            user_id = excluded.user_id, email = excluded.email",
        p![id, Status::Success.as_str(), session_id, method.as_str()],
    )
    .await?;
    Ok(())
}

/// A session of the browser answered at once, without an interaction.
///
/// The row waits for the commit, so this transaction does not find it unless it flushes.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn answered_by_session(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    client_id: &ClientId,
    (session, facts): (&Session, &SessionFacts),
) -> Result<(), Error> {
    static LOGS: AppendTable = AppendTable::new(
        "INSERT INTO auth_logs (id, status, method, client_id, organization_id, connection_id, connection_kind,
            connection_provider, user_id, email, created_at) VALUES",
        11,
    );
    let id: InteractionId = at.id();
    tx.append(
        &LOGS,
        p![
            &id,
            Status::Success.as_str(),
            Method::Session.as_str(),
            client_id,
            session.organization_id.as_ref(),
            session.connection_id.as_ref(),
            facts.connection_kind.as_deref(),
            facts.connection_provider.as_deref(),
            &session.user_id,
            facts.email.as_deref(),
            at.now.as_micros(),
        ],
    )?;
    Ok(())
}

/// A check refused them.
pub(crate) async fn failed(tx: &mut Tx<'_>, id: &InteractionId, trace_id: &TraceId) -> Result<(), Error> {
    ensure(tx, id).await?;
    tx.exec(
        "UPDATE auth_logs SET status = $2, trace_id = $3 WHERE id = $1 AND status <> $4",
        p![
            id,
            Status::Failure.as_str(),
            trace_id,
            // If an old tab fails, the person stays signed in.
            Status::Success.as_str(),
        ],
    )
    .await?;
    Ok(())
}

/// Which sign-ins to read. `None` or empty means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub statuses: Vec<Status>,
    pub email: Option<EmailAddress>,
    pub client_id: Option<ClientId>,
    pub organization_id: Option<OrganizationId>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// The statuses as one text that a statement can search.
    fn statuses(&self) -> Option<String> {
        let words: Vec<_> = self.statuses.iter().map(|status| status.as_str()).collect();
        (!words.is_empty()).then(|| format!(",{},", words.join(",")))
    }
}

macro_rules! conditions {
    (of any time) => {
        // The sign keeps SQLite from the index by time, which would read and sort the whole log for one page.
        concat!(conditions!(but time), " AND +l.created_at >= $7 AND +l.created_at < $8")
    };
    () => {
        concat!(conditions!(but time), " AND l.created_at >= $7 AND l.created_at < $8")
    };
    (but time) => {
        " WHERE (CAST($3 AS TEXT) IS NULL OR CAST($3 AS TEXT) LIKE '%,' || l.status || ',%')
            AND (CAST($4 AS TEXT) IS NULL OR l.email = $4)
            AND (CAST($5 AS TEXT) IS NULL OR l.client_id = $5)
            AND (CAST($6 AS TEXT) IS NULL OR l.organization_id = $6)"
    };
}

/// The stored sign-ins.
macro_rules! kept {
    () => {
        " FROM auth_logs l LEFT JOIN clients c ON c.id = l.client_id"
    };
}

/// The open sign-ins from which nobody came back, in the form of the log.
macro_rules! open {
    () => {
        " FROM (SELECT i.id, CASE WHEN i.connection_id IS NULL THEN 'INITIATED' ELSE 'PENDING' END AS status,
                CAST(NULL AS TEXT) AS method, i.client_id, o.organization_id, i.connection_id, o.kind AS connection_kind,
                o.provider AS connection_provider, CAST(NULL AS TEXT) AS user_id, i.email,
                CAST(NULL AS TEXT) AS trace_id, i.created_at, i.expires_at
             FROM interactions i LEFT JOIN connections o ON o.id = i.connection_id
            WHERE i.client_id IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM auth_logs a WHERE a.id = i.id)) l
          LEFT JOIN clients c ON c.id = l.client_id"
    };
}

/// Reads the log, newest first: stored sign-ins, and those that are open at `now`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(
    tx: &mut Tx<'_>,
    filter: &Filter,
    now: Timestamp,
    page: &Page<InteractionId>,
) -> Result<Vec<AuthLog>, Error> {
    let statuses = filter.statuses();
    let email = filter.email.as_ref().map(EmailAddress::as_str);
    let since = filter.since.map_or(i64::MIN, Timestamp::as_micros);
    let until = filter.until.map_or(i64::MAX, Timestamp::as_micros);
    macro_rules! kept_rows {
        ($conditions:expr) => {
            page_rows!(
                tx,
                page,
                concat!("SELECT ", columns!(), kept!(), $conditions),
                [
                    statuses.as_deref(),
                    email,
                    filter.client_id.as_ref(),
                    filter.organization_id.as_ref(),
                    since,
                    until,
                ],
                "l.id"
            )
        };
    }
    let mut rows = if filter.since.is_none() && filter.until.is_none() {
        kept_rows!(conditions!(of any time))
    } else {
        kept_rows!(conditions!())
    };
    let open = page_rows!(
        tx,
        page,
        concat!(
            "SELECT ",
            columns!(),
            open!(),
            conditions!(),
            " AND l.expires_at > $9"
        ),
        [
            statuses.as_deref(),
            email,
            filter.client_id.as_ref(),
            filter.organization_id.as_ref(),
            since,
            until,
            now.as_micros(),
        ],
        "l.id"
    );
    rows.extend(open);
    let mut logs: Vec<AuthLog> = rows.iter().map(read).collect::<Result<_, _>>()?;
    // Identifiers are ordered by time, so a page of each makes one page of both.
    logs.sort_unstable_by(|one, other| other.id.cmp(&one.id));
    let limit = usize::try_from(page.limit()).unwrap_or_default();
    if page.is_upwards() {
        logs.drain(..logs.len().saturating_sub(limit));
    } else {
        logs.truncate(limit);
    }
    Ok(logs)
}

/// The number of sign-ins, counted up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, filter: &Filter, now: Timestamp, limit: i64) -> Result<i64, Error> {
    let statuses = filter.statuses();
    let row = tx
        .opt(
            concat!(
                "SELECT (SELECT COUNT(*) FROM (SELECT l.id",
                kept!(),
                conditions!(),
                " AND CAST($1 AS TEXT) IS NULL LIMIT $2) kept) + (SELECT COUNT(*) FROM (SELECT l.id",
                open!(),
                conditions!(),
                " AND l.expires_at > $9 LIMIT $2) under_way)"
            ),
            p![
                None::<&str>,
                limit,
                statuses.as_deref(),
                filter.email.as_ref().map(EmailAddress::as_str),
                filter.client_id.as_ref(),
                filter.organization_id.as_ref(),
                filter.since.map_or(i64::MIN, Timestamp::as_micros),
                filter.until.map_or(i64::MAX, Timestamp::as_micros),
                now.as_micros(),
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Ok(Columns::of(&row).int()?.min(limit)))
}
