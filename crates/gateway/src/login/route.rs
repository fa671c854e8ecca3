//! Home-realm discovery: finds the connection of a request.
//!
//! The order is the contract's: `provider`, then `connection_id`,
//! `organization_id`, `domain`/`domain_hint`, `login_hint`.

use genkan_db::Tx;
use genkan_protocol::oauth::AuthorizationRequest;
use genkan_protocol::{Domain, EmailAddress};
use genkan_store::admission::{self, Barrier, Entry};
use genkan_store::connection::{self, Connection};
use genkan_store::session::Session;
use genkan_store::{ConnectionId, Error, OrganizationId, SessionId, Timestamp, domain, organization};

/// Where a request leads.
#[derive(Debug, Clone)]
pub enum Target {
    /// The request named this connection.
    Connection(Box<Connection>),
    /// The request named an organization, and this is its connection.
    Organization {
        organization_id: OrganizationId,
        connection: Box<Connection>,
    },
    /// The request named an organization without a connection. The person of this session is a member, and
    /// the session's connection vouches for them.
    Entered {
        session_id: SessionId,
        entry: Box<Entry>,
        now: Timestamp,
    },
}

impl Target {
    /// Whether a session began there, or counts there.
    pub fn is_where(&self, session: &Session) -> bool {
        match self {
            Self::Connection(connection) => session.connection_id.as_ref() == Some(&connection.id),
            Self::Organization { organization_id, .. } => {
                session.organization_id.as_ref() == Some(organization_id)
            }
            Self::Entered {
                session_id,
                entry,
                now,
            } => session.id == *session_id && entry.is_fresh(*now),
        }
    }

    /// The organization that is entered with a session of another one.
    pub fn entered(&self) -> Option<&Entry> {
        match self {
            Self::Entered { entry, .. } => Some(entry),
            Self::Connection(_) | Self::Organization { .. } => None,
        }
    }

    /// The connection where the person signs in for it.
    pub fn connection(&self) -> &Connection {
        match self {
            Self::Connection(connection) | Self::Organization { connection, .. } => connection,
            Self::Entered { entry, .. } => &entry.connection,
        }
    }
}

impl Target {
    /// Where a request leads if its person has just come in through `connection`. `None` if the store must
    /// be read. The result is that of [`find_target`]: the connection is enabled, so what the request names
    /// exists and has a connection.
    pub fn of_arrival(request: &AuthorizationRequest, connection: &Connection) -> Option<Self> {
        if request.provider.is_some() {
            return None;
        }
        let boxed = || Box::new(connection.clone());
        if let Some(id) = &request.connection_id {
            return (*id == connection.id.as_str()).then(|| Self::Connection(boxed()));
        }
        let named = request.organization_id.as_deref()?;
        let organization_id = connection.organization_id.as_ref()?;
        (named == organization_id.as_str()).then(|| Self::Organization {
            organization_id: organization_id.clone(),
            connection: boxed(),
        })
    }
}

/// Why a selector leads nowhere. The codes are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTarget {
    UnknownProvider,
    UnknownConnection,
    ConnectionNotActive,
    UnknownOrganization,
    NoActiveConnections,
    /// The same, and its connection was deleted.
    ConnectionGone,
    /// The same, and the signed-in person is no active member.
    NotMember,
    /// The same, and nothing vouches for the address of the signed-in member.
    NotVouched,
    UnknownDomain,
}

impl From<Barrier> for NoTarget {
    fn from(barrier: Barrier) -> Self {
        match barrier {
            Barrier::OwnConnection => Self::NoActiveConnections,
            Barrier::ConnectionGone => Self::ConnectionGone,
            Barrier::NotMember => Self::NotMember,
            Barrier::NotVouched => Self::NotVouched,
        }
    }
}

impl NoTarget {
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownProvider => "no_configured_connections",
            Self::UnknownConnection => "invalid_connection_id",
            Self::ConnectionNotActive => "connection_not_active",
            Self::UnknownOrganization => "invalid_organization_id",
            Self::NoActiveConnections | Self::ConnectionGone | Self::NotMember | Self::NotVouched => {
                "no_active_connections"
            }
            Self::UnknownDomain => "domain_not_found",
        }
    }

    pub const fn description(self) -> &'static str {
        match self {
            Self::UnknownProvider => "no connection is configured for this provider",
            Self::UnknownConnection => "there is no connection of this connection_id",
            Self::ConnectionNotActive => "the connection is disabled",
            Self::UnknownOrganization => "there is no organization of this organization_id",
            Self::NoActiveConnections => "the organization has no enabled connection",
            Self::ConnectionGone => {
                "the organization's connection was deleted, and no other way into it has been allowed since"
            }
            Self::NotMember => {
                "the organization has no enabled connection, and whoever is signed in is no active member of it"
            }
            Self::NotVouched => {
                "the organization has no enabled connection, and the connection of the session does not vouch for the \
                 person's address by a domain that was proved"
            }
            Self::UnknownDomain => "no organization with an enabled connection has this domain",
        }
    }
}

/// Finds where a request leads, given the session of this browser. `None` if it names no place, so the
/// person must be asked.
///
/// # Errors
///
/// The outer error is the store's. The inner one is a selector that leads nowhere. Then the next selector
/// is not tried.
pub async fn find_target(
    tx: &mut Tx<'_>,
    request: &AuthorizationRequest,
    session: Option<&Session>,
    now: Timestamp,
) -> Result<Result<Option<Target>, NoTarget>, Error> {
    if request.provider.is_some() {
        return Ok(Err(NoTarget::UnknownProvider));
    }
    if let Some(id) = &request.connection_id {
        return Ok(by_connection(tx, id).await?.map(Some));
    }
    if let Some(id) = &request.organization_id {
        return Ok(by_organization(tx, id, session, now).await?.map(Some));
    }
    if let Some(hint) = &request.domain_hint {
        let Ok(domain) = Domain::parse(hint) else {
            return Ok(Err(NoTarget::UnknownDomain));
        };
        return Ok(match by_domain(tx, &domain).await? {
            DomainRoute::Target(target) => Ok(Some(target)),
            DomainRoute::NotActive => Err(NoTarget::NoActiveConnections),
            DomainRoute::Unknown => Err(NoTarget::UnknownDomain),
        });
    }
    // If the hint's company has no connection, the request is still valid, and the person is asked.
    let Some(email) = request
        .login_hint
        .as_deref()
        .and_then(|hint| EmailAddress::parse(hint.trim()).ok())
    else {
        return Ok(Ok(None));
    };
    Ok(Ok(match by_domain(tx, email.domain()).await? {
        DomainRoute::Target(target) => Some(target),
        DomainRoute::NotActive | DomainRoute::Unknown => None,
    }))
}

async fn by_connection(tx: &mut Tx<'_>, id: &str) -> Result<Result<Target, NoTarget>, Error> {
    let Ok(id) = ConnectionId::parse(id) else {
        return Ok(Err(NoTarget::UnknownConnection));
    };
    Ok(match connection::find(tx, &id).await? {
        None => Err(NoTarget::UnknownConnection),
        Some(connection) if !connection.enabled => Err(NoTarget::ConnectionNotActive),
        Some(connection) => Ok(Target::Connection(Box::new(connection))),
    })
}

async fn by_organization(
    tx: &mut Tx<'_>,
    id: &str,
    session: Option<&Session>,
    now: Timestamp,
) -> Result<Result<Target, NoTarget>, Error> {
    let Ok(id) = OrganizationId::parse(id) else {
        return Ok(Err(NoTarget::UnknownOrganization));
    };
    if let Some(target) = first_connection(tx, &id).await? {
        return Ok(Ok(target));
    }
    if organization::find(tx, &id).await?.is_none() {
        return Ok(Err(NoTarget::UnknownOrganization));
    }
    let Some(session) = session else {
        return Ok(Err(NoTarget::NoActiveConnections));
    };
    let entered = admission::may_enter(tx, session, &id, now).await?;
    Ok(entered.map_err(NoTarget::from).map(|entry| Target::Entered {
        session_id: session.id.clone(),
        entry: Box::new(entry),
        now,
    }))
}

/// The result for a domain.
#[derive(Debug)]
pub enum DomainRoute {
    Target(Target),
    /// An organization owns it, but has no enabled connection.
    NotActive,
    Unknown,
}

/// The connection of the organization that owns `domain`.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn by_domain(tx: &mut Tx<'_>, domain: &Domain) -> Result<DomainRoute, Error> {
    let Some(organization_id) = domain::find_organization_for(tx, domain).await? else {
        return Ok(DomainRoute::Unknown);
    };
    let connection = connection::domains::find_enabled_for(tx, &organization_id, domain).await?;
    Ok(connection.map_or(DomainRoute::NotActive, |connection| {
        DomainRoute::Target(Target::Organization {
            organization_id,
            connection: Box::new(connection),
        })
    }))
}

/// The oldest enabled connection, so that a second one changes nothing for anybody.
async fn first_connection(tx: &mut Tx<'_>, id: &OrganizationId) -> Result<Option<Target>, Error> {
    let connections = connection::enabled_for_organization(tx, id).await?;
    Ok(connections
        .into_iter()
        .next()
        .map(|connection| Target::Organization {
            organization_id: id.clone(),
            connection: Box::new(connection),
        }))
}
