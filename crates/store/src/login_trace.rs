//! Login traces: the checks of a failed login, for the people who must correct its cause.

use genkan_db::{Row, Tx, p};
use genkan_protocol::Trace;

use crate::page::page_rows;
use crate::row::{Columns, json};
use crate::{
    ClientId, ConnectionId, Error, InteractionId, OrganizationId, Page, Timestamp, TraceId, auth_log,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginTrace {
    /// The reference on the error page.
    pub id: TraceId,
    pub interaction_id: Option<InteractionId>,
    pub connection_id: Option<ConnectionId>,
    pub organization_id: Option<OrganizationId>,
    pub client_id: Option<ClientId>,
    /// The check that ended the login, as a code: `invalid_id_token`.
    pub cause: String,
    /// What the administrator must change, and where.
    pub remedy: String,
    pub trace: Trace,
    pub created_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, interaction_id, connection_id, organization_id, client_id, cause, remedy, trace, created_at"
    };
}

fn read(row: &Row) -> Result<LoginTrace, Error> {
    let mut columns = Columns::of(row);
    Ok(LoginTrace {
        id: columns.id()?,
        interaction_id: columns.optional_id()?,
        connection_id: columns.optional_id()?,
        organization_id: columns.optional_id()?,
        client_id: columns.optional_id()?,
        cause: columns.text()?,
        remedy: columns.text()?,
        trace: columns.json("login_traces.trace")?,
        created_at: columns.time()?,
    })
}

/// Stores a trace, and notes it in the sign-in log.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn insert(tx: &mut Tx<'_>, trace: &LoginTrace) -> Result<(), Error> {
    let checks = json(&trace.trace);
    tx.exec(
        "INSERT INTO login_traces
            (id, interaction_id, connection_id, organization_id, client_id, cause, remedy, trace, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        p![
            &trace.id,
            trace.interaction_id.as_ref(),
            trace.connection_id.as_ref(),
            trace.organization_id.as_ref(),
            trace.client_id.as_ref(),
            &trace.cause,
            &trace.remedy,
            &checks,
            trace.created_at.as_micros(),
        ],
    )
    .await?;
    match &trace.interaction_id {
        Some(id) => auth_log::failed(tx, id, &trace.id).await,
        None => Ok(()),
    }
}

/// Finds a trace.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find(tx: &mut Tx<'_>, id: &TraceId) -> Result<Option<LoginTrace>, Error> {
    let row = tx
        .opt(
            concat!("SELECT ", columns!(), " FROM login_traces WHERE id = $1"),
            p![id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Lists the traces of one organization, or of all, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(
    tx: &mut Tx<'_>,
    organization_id: Option<&OrganizationId>,
    page: &Page<TraceId>,
) -> Result<Vec<LoginTrace>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!(
            "SELECT ",
            columns!(),
            " FROM login_traces WHERE (CAST($3 AS TEXT) IS NULL OR organization_id = $3)"
        ),
        [organization_id]
    );
    rows.iter().map(read).collect()
}
