//! Lists of connections.

use genkan_contract::scalekit::v1::connections::{
    ConnectionStatus, ListConnection, ListConnectionsRequest, SearchOrganizationConnectionsRequest,
};
use genkan_db::Tx;
use genkan_protocol::Domain as DomainName;
use genkan_store::connection::{self, Connection, Filter, Kind, ListedConnection, Status, domains};
use genkan_store::domain;
use genkan_store::{MAX_LIMIT, OrganizationId, Page, Provider};

use super::{render, require_organization, words};
use crate::paging::{self, Sizes};
use crate::{Api, Error, id};

/// How many connections a page has.
const SIZES: Sizes = Sizes { default: 10, max: 30 };

/// A page of connections of all organizations.
pub(super) struct ConnectionPage {
    pub(super) connections: Vec<ListConnection>,
    pub(super) total: u32,
    pub(super) next_page_token: String,
    pub(super) prev_page_token: String,
}

/// What to search for.
pub(super) fn filter(message: &SearchOrganizationConnectionsRequest) -> Result<Filter, Error> {
    let provider = |word: &str| {
        word.to_ascii_uppercase()
            .parse::<Provider>()
            .map_err(|error| Error::invalid("provider", &error.to_string()))
    };
    let status = message.status.map(ConnectionStatus::try_from).transpose();
    let status = status.map_err(|_| Error::invalid("status", "is not one of the defined values"))?;
    let kind = match message.connection_type {
        Some(number) => words::kind("connection_type", number)?,
        None => None,
    };
    Ok(Filter {
        query: message.query.clone().filter(|query| !query.trim().is_empty()),
        provider: message
            .provider
            .as_deref()
            .filter(|word| !word.is_empty())
            .map(provider)
            .transpose()?,
        status: status.and_then(words::status),
        kind,
        enabled: message.enabled,
    })
}

/// The name under which the length of the list is remembered.
fn name(filter: &Filter) -> String {
    format!(
        "connections {:?} {:?} {:?} {:?} {:?}",
        filter.query,
        filter.provider.map(Provider::as_str),
        filter.status.map(Status::as_str),
        filter.kind.map(Kind::as_str),
        filter.enabled
    )
}

impl Api {
    pub(super) async fn search_connections(
        &self,
        filter: Filter,
        page_size: u32,
        page_token: &str,
    ) -> Result<ConnectionPage, Error> {
        let page = paging::request(page_size, page_token, SIZES)?;
        let rows = self
            .read(async |tx| Ok(connection::search(tx, &filter, &page).await?))
            .await?;
        let total = self
            .total(&name(&filter), async |tx, limit| {
                Ok(connection::count(tx, &filter, limit).await?)
            })
            .await?;
        let paged = paging::answer(&page, rows, |listed: &ListedConnection| &listed.connection.id);
        let connections = paged
            .rows
            .into_iter()
            .map(|listed| render::listed(&listed.connection, &listed.organization_name, listed.domains))
            .collect();
        Ok(ConnectionPage {
            connections,
            total,
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
        })
    }

    /// The connections of an organization or of a domain, else the newest of all. Disabled
    /// ones are left out unless the request wants all.
    pub(super) async fn list_some(
        &self,
        message: ListConnectionsRequest,
    ) -> Result<Vec<ListConnection>, Error> {
        let include_all = match message.include.as_deref() {
            None | Some("" | "active") => false,
            Some("all") => true,
            Some(_) => return Err(Error::invalid("include", "is neither empty, active nor all")),
        };
        let organization_id = message
            .organization_id
            .as_deref()
            .map(|text| id::<OrganizationId>("organization", text))
            .transpose()?;
        let domain = message
            .domain
            .as_deref()
            .map(|text| DomainName::parse(text).map_err(|error| Error::invalid("domain", &error.to_string())))
            .transpose()?;
        self.read(async |tx| {
            if let Some(organization_id) = &organization_id {
                require_organization(tx, organization_id).await?;
            }
            let mut connections = match (&organization_id, &domain) {
                (organization_id, Some(domain)) => of_domain(tx, organization_id.as_ref(), domain).await?,
                (Some(organization_id), None) => {
                    connection::list_for_organization(tx, organization_id).await?
                }
                (None, None) => connection::list(tx, &Page::first(MAX_LIMIT)).await?,
            };
            connections.retain(|connection| include_all || connection.enabled);
            let mut listed = Vec::with_capacity(connections.len());
            for connection in &connections {
                listed.push(show(tx, connection).await?);
            }
            Ok(listed)
        })
        .await
    }
}

/// The connections that sign in a domain: an application asks before it sends a person
/// there.
async fn of_domain(
    tx: &mut Tx<'_>,
    within: Option<&OrganizationId>,
    name: &DomainName,
) -> Result<Vec<Connection>, Error> {
    let Some(owner) = domain::find_organization_for(tx, name).await? else {
        return Ok(Vec::new());
    };
    if within.is_some_and(|within| *within != owner) {
        return Ok(Vec::new());
    }
    let mut connections = Vec::new();
    for connection in connection::list_for_organization(tx, &owner).await? {
        if domains::may_vouch(tx, &connection, name).await? {
            connections.push(connection);
        }
    }
    Ok(connections)
}

async fn show(tx: &mut Tx<'_>, connection: &Connection) -> Result<ListConnection, Error> {
    let organization_name = match &connection.organization_id {
        Some(organization_id) => require_organization(tx, organization_id).await?,
        None => String::new(),
    };
    let domains = domains::served_by(tx, connection).await?;
    let domains = domains
        .into_iter()
        .map(|domain| domain.name.to_string())
        .collect();
    Ok(render::listed(connection, &organization_name, domains))
}
