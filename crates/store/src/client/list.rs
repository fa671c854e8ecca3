//! Lists of clients.

use genkan_db::{Row, Tx, p};

use super::row::{columns, read};
use super::{Client, Kind, Owner};
use crate::page::page_rows;
use crate::row::Columns;
use crate::{ClientId, Error, Page, SessionId};

macro_rules! environment_clients {
    () => {
        " FROM clients c WHERE c.organization_id IS NULL AND c.resource_id IS NULL"
    };
}

/// The kinds in the text of the parameter, or all if it is empty. No kind's name is part of another's.
macro_rules! of_kinds {
    ($kinds:literal) => {
        concat!(
            " AND (CAST(",
            $kinds,
            " AS TEXT) = '' OR CAST(",
            $kinds,
            " AS TEXT) LIKE '%' || c.kind || '%')"
        )
    };
}

fn kinds_text(kinds: &[Kind]) -> String {
    let words: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    words.join(" ")
}

/// Lists the environment's clients, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list(tx: &mut Tx<'_>, page: &Page<ClientId>) -> Result<Vec<Client>, Error> {
    list_kinds(tx, &[], page).await
}

/// Lists the environment's clients of some kinds, newest first. An empty list means all kinds.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_kinds(
    tx: &mut Tx<'_>,
    kinds: &[Kind],
    page: &Page<ClientId>,
) -> Result<Vec<Client>, Error> {
    let kinds = kinds_text(kinds);
    // The prefixes of the kinds differ, so identifiers alone do not sort by time.
    let params = p![page.edge(), page.limit(), &kinds];
    let rows = if page.is_upwards() {
        let sql = concat!(
            "SELECT ",
            columns!(),
            environment_clients!(),
            of_kinds!("$3"),
            " AND (c.created_at, c.id) > (SELECT a.created_at, a.id FROM clients a WHERE a.id = $1)
              ORDER BY c.created_at, c.id LIMIT $2"
        );
        let mut rows = tx.all(sql, params).await?;
        rows.reverse();
        rows
    } else {
        let sql = concat!(
            "SELECT ",
            columns!(),
            environment_clients!(),
            of_kinds!("$3"),
            " AND (CAST($1 AS TEXT) IS NULL
                OR (c.created_at, c.id) < (SELECT a.created_at, a.id FROM clients a WHERE a.id = $1))
              ORDER BY c.created_at DESC, c.id DESC LIMIT $2"
        );
        tx.all(sql, params).await?
    };
    rows.iter().map(read).collect()
}

/// The environment's first client, which was created with it.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn default_client(tx: &mut Tx<'_>) -> Result<Option<Client>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                environment_clients!(),
                " AND (c.id LIKE 'skc~_%' ESCAPE '~' OR c.id LIKE 'prd~_skc~_%' ESCAPE '~')
                 ORDER BY c.created_at, c.id LIMIT 1"
            ),
            p![],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The redirect URIs of all clients. Their origins are allowed in CORS.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn all_redirect_uris(tx: &mut Tx<'_>) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT redirect_uris FROM clients WHERE redirect_uris <> '[]'",
            p![],
        )
        .await?;
    let mut all = Vec::new();
    for row in &rows {
        let uris: Vec<String> = Columns::of(row).json("clients.redirect_uris")?;
        all.extend(uris);
    }
    Ok(all)
}

/// The address for a login that began elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginStart {
    /// The application's name.
    pub application: String,
    pub uri: String,
}

/// The address for a login that began elsewhere: that of the oldest client which has registered one, or
/// has registered `uri`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn login_start(tx: &mut Tx<'_>, uri: Option<&str>) -> Result<Option<LoginStart>, Error> {
    let row = tx
        .opt(
            "SELECT name, initiate_login_uri FROM clients
              WHERE initiate_login_uri IS NOT NULL AND (CAST($1 AS TEXT) IS NULL OR initiate_login_uri = $1)
              ORDER BY created_at, id LIMIT 1",
            p![uri],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(LoginStart {
        application: columns.text()?,
        uri: columns.text()?,
    }))
}

/// The clients that a session has signed in to.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_for_session(tx: &mut Tx<'_>, session_id: &SessionId) -> Result<Vec<Client>, Error> {
    let rows = tx
        .all(
            concat!(
                "SELECT ",
                columns!(),
                " FROM clients c WHERE c.id IN (SELECT client_id FROM grants WHERE session_id = $1)"
            ),
            p![session_id],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Lists the clients of an organization or a resource, newest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn list_owned(tx: &mut Tx<'_>, owner: &Owner, page: &Page<ClientId>) -> Result<Vec<Client>, Error> {
    let rows = match owner {
        Owner::Environment => return list(tx, page).await,
        Owner::Organization(id) => page_rows!(
            tx,
            page,
            concat!(
                "SELECT ",
                columns!(),
                " FROM clients c WHERE c.organization_id = $3"
            ),
            [id],
            "c.id"
        ),
        Owner::Resource(id) => page_rows!(
            tx,
            page,
            concat!("SELECT ", columns!(), " FROM clients c WHERE c.resource_id = $3"),
            [id],
            "c.id"
        ),
    };
    rows.iter().map(read).collect()
}

/// The number of clients that [`list_kinds`] would give without its page. Counts up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_kinds(tx: &mut Tx<'_>, kinds: &[Kind], limit: i64) -> Result<i64, Error> {
    let sql = concat!(
        "SELECT COUNT(*) FROM (SELECT 1",
        environment_clients!(),
        of_kinds!("$2"),
        " LIMIT $1) AS rows"
    );
    count(tx.opt(sql, p![limit, &kinds_text(kinds)]).await?)
}

/// The number of clients of an owner. Counts up to `limit`.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn count_owned(tx: &mut Tx<'_>, owner: &Owner, limit: i64) -> Result<i64, Error> {
    count(match owner {
        Owner::Environment => return count_kinds(tx, &[], limit).await,
        Owner::Organization(id) => {
            let sql =
                "SELECT COUNT(*) FROM (SELECT 1 FROM clients WHERE organization_id = $2 LIMIT $1) AS rows";
            tx.opt(sql, p![limit, id]).await?
        }
        Owner::Resource(id) => {
            let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM clients WHERE resource_id = $2 LIMIT $1) AS rows";
            tx.opt(sql, p![limit, id]).await?
        }
    })
}

fn count(row: Option<Row>) -> Result<i64, Error> {
    row.map_or(Ok(0), |row| Columns::of(&row).int())
}
