//! Lists of connections.

use genkan_db::{Row, Tx, p};

use super::{COLUMNS, Connection, Kind, Status, columns, domains, read};
use crate::page::page_rows;
use crate::row::Columns;
use crate::{ConnectionId, Error, OrganizationId, Page, Provider};

/// Lists connections, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<ConnectionId>) -> Result<Vec<Connection>, Error> {
    let rows = page_rows!(
        tx,
        page,
        concat!("SELECT ", columns!(), " FROM connections WHERE TRUE"),
        []
    );
    rows.iter().map(read).collect()
}

/// All connections of an organization, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
) -> Result<Vec<Connection>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM connections WHERE organization_id = $1 ORDER BY id"
            ),
            p![organization_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// The connections by which people of an organization can sign in, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn enabled_for_organization(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
) -> Result<Vec<Connection>, Error> {
    let mut connections = list_for_organization(tx, organization_id).await?;
    connections.retain(|connection| connection.enabled);
    Ok(connections)
}

/// A connection in a list of many organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConnection {
    pub connection: Connection,
    pub organization_name: String,
    /// The names of the domains that it signs in.
    pub domains: Vec<String>,
}

/// Which connections of organizations to list. `None` means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A part of the connection's or the organization's name, a part of the key id, or a whole identifier.
    pub query: Option<String>,
    pub provider: Option<Provider>,
    pub status: Option<Status>,
    pub kind: Option<Kind>,
    pub enabled: Option<bool>,
}

impl Filter {
    /// A pattern for `LIKE … ESCAPE '!'`.
    fn pattern(&self) -> Option<String> {
        let query = self.query.as_deref()?.trim().to_lowercase();
        let mut pattern = String::from("%");
        for letter in query.chars() {
            if matches!(letter, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        Some(pattern)
    }
}

/// The condition of the list and its count. A page uses `$1` and `$2`.
macro_rules! matching {
    () => {
        "organization_id IS NOT NULL
         AND (CAST($3 AS TEXT) IS NULL OR id = $4 OR organization_id = $4
              OR lower(name) LIKE $3 ESCAPE '!' OR lower(coalesce(key_id, '')) LIKE $3 ESCAPE '!'
              OR EXISTS (SELECT 1 FROM organizations o WHERE o.id = connections.organization_id
                          AND lower(o.display_name) LIKE $3 ESCAPE '!'))
         AND (CAST($5 AS TEXT) IS NULL OR provider = $5)
         AND (CAST($6 AS TEXT) IS NULL OR status = $6)
         AND (CAST($7 AS TEXT) IS NULL OR kind = $7)
         AND (CAST($8 AS BOOLEAN) IS NULL OR enabled = $8)"
    };
}

/// Lists the connections of all organizations that match, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn search(
    tx: &mut Tx<'_>,
    filter: &Filter,
    page: &Page<ConnectionId>,
) -> Result<Vec<ListedConnection>, Error> {
    let pattern = filter.pattern();
    let rows = page_rows!(
        tx,
        page,
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT o.display_name FROM organizations o WHERE o.id = connections.organization_id)
              FROM connections WHERE ",
            matching!()
        ),
        [
            pattern.as_deref(),
            filter.query.as_deref(),
            filter.provider.map(Provider::as_str),
            filter.status.map(Status::as_str),
            filter.kind.map(Kind::as_str),
            filter.enabled,
        ]
    );
    let mut listed = Vec::with_capacity(rows.len());
    for row in &rows {
        let (connection, organization_name) = read_listed(row)?;
        let domains = domains::served_by(tx, &connection).await?;
        listed.push(ListedConnection {
            connection,
            organization_name,
            domains: domains
                .into_iter()
                .map(|domain| domain.name.to_string())
                .collect(),
        });
    }
    Ok(listed)
}

fn read_listed(row: &Row) -> Result<(Connection, String), Error> {
    let name = Columns::from(row, COLUMNS).text()?;
    Ok((read(row)?, name))
}

/// Counts the connections that [`search`] would list, up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count(tx: &mut Tx<'_>, filter: &Filter, limit: i64) -> Result<i64, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT COUNT(*) FROM (SELECT id FROM connections WHERE CAST($1 AS TEXT) IS NULL AND ",
                matching!(),
                " LIMIT $2) counted"
            ),
            p![
                None::<&str>,
                limit,
                filter.pattern().as_deref(),
                filter.query.as_deref(),
                filter.provider.map(Provider::as_str),
                filter.status.map(Status::as_str),
                filter.kind.map(Kind::as_str),
                filter.enabled,
            ],
        )
        .await?;
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}
