//! Which of its organization's domains a connection signs in.
//!
//! A connection without assigned domains signs in all domains of its organization, and vouches for them.
//! With assigned domains it does so only for these, even if the last of them was deleted. Otherwise a
//! company's second provider could become the one for everybody. See `docs/decisions/connections.md`.

use genkan_db::{Tx, p};
use genkan_protocol::Domain as DomainName;

use super::{Connection, changed, columns, read};
use crate::domain::{self, Domain};
use crate::{ConnectionId, DomainId, Error, OrganizationId, Stamp, event};

/// The result of [`assign`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignOutcome {
    Assigned,
    /// The organization has no such domain, or not for routing.
    UnknownDomain(DomainId),
}

/// Replaces the domains that are assigned to a connection. A domain of another connection moves. With an
/// empty list it signs in all domains of its organization again.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn assign(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    organization_id: &OrganizationId,
    id: &ConnectionId,
    domains: &[DomainId],
) -> Result<AssignOutcome, Error> {
    for domain_id in domains {
        let domain = domain::find(tx, organization_id, domain_id).await?;
        if domain.is_none_or(|domain| domain.kind != domain::Kind::OrganizationDomain) {
            return Ok(AssignOutcome::UnknownDomain(domain_id.clone()));
        }
    }
    let found = tx
        .opt(
            "UPDATE connections SET assigned_domains_only = $3,
                updated_at = CASE WHEN updated_at < $4 THEN $4 ELSE updated_at + 1 END
              WHERE id = $1 AND organization_id = $2 RETURNING id",
            p![id, organization_id, !domains.is_empty(), at.now.as_micros()],
        )
        .await?;
    if found.is_none() {
        return Err(Error::Stale);
    }
    tx.exec("DELETE FROM connection_domains WHERE connection_id = $1", p![id])
        .await?;
    for domain_id in domains {
        tx.exec(
            "INSERT INTO connection_domains (domain_id, connection_id) VALUES ($1, $2)
             ON CONFLICT (domain_id) DO UPDATE SET connection_id = $2",
            p![domain_id, id],
        )
        .await?;
    }
    let kind = event::Kind::OrganizationSsoUpdated;
    changed(tx, at, kind, id, Some(organization_id)).await?;
    Ok(AssignOutcome::Assigned)
}

/// The domains that a connection signs in, oldest first.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn served_by(tx: &mut Tx<'_>, connection: &Connection) -> Result<Vec<Domain>, Error> {
    let Some(organization_id) = &connection.organization_id else {
        return Ok(Vec::new());
    };
    let mut domains = domain::list(tx, organization_id).await?;
    domains.retain(|domain| {
        // A domain that is not proved yet routes nobody.
        let is_shown = matches!(
            domain.status,
            domain::Status::Verified | domain::Status::AutoVerified
        );
        is_shown && domain.kind == domain::Kind::OrganizationDomain
    });
    if connection.assigned_domains_only {
        let assigned = assigned_to(tx, &connection.id).await?;
        domains.retain(|domain| assigned.contains(&domain.id));
    }
    Ok(domains)
}

async fn assigned_to(tx: &mut Tx<'_>, id: &ConnectionId) -> Result<Vec<DomainId>, Error> {
    let rows = tx
        .all(
            "SELECT domain_id FROM connection_domains WHERE connection_id = $1 ORDER BY domain_id",
            p![id],
        )
        .await?;
    rows.iter().map(|row| crate::row::Columns::of(row).id()).collect()
}

/// Whether a connection may vouch for addresses in a domain. The caller knows that the organization has the
/// domain.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn may_vouch(tx: &mut Tx<'_>, connection: &Connection, name: &DomainName) -> Result<bool, Error> {
    if !connection.assigned_domains_only {
        return Ok(true);
    }
    let row = tx
        .opt(
            "SELECT d.id FROM connection_domains a JOIN domains d ON d.id = a.domain_id
              WHERE a.connection_id = $1 AND d.domain = $2",
            p![&connection.id, name.as_str()],
        )
        .await?;
    Ok(row.is_some())
}

/// The connection that signs in a domain of an organization. The caller knows that the domain routes. It is
/// an enabled connection as in [`find_enabled_for`], else one that is complete but disabled.
pub(crate) async fn find_set_up_for(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    name: &DomainName,
) -> Result<Option<Connection>, Error> {
    if let Some(enabled) = find_enabled_for(tx, organization_id, name).await? {
        return Ok(Some(enabled));
    }
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM connections WHERE organization_id = $1 AND status = 'COMPLETED'
                    AND (NOT assigned_domains_only OR EXISTS (
                      SELECT 1 FROM connection_domains a JOIN domains d ON d.id = a.domain_id
                       WHERE a.connection_id = connections.id AND d.domain = $2))
                  ORDER BY id LIMIT 1"
            ),
            p![organization_id, name.as_str()],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The enabled connection that signs in a domain of an organization. The caller knows that the domain
/// routes. It is the connection to which the domain is assigned, else the oldest one that signs in all
/// domains.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn find_enabled_for(
    tx: &mut Tx<'_>,
    organization_id: &OrganizationId,
    name: &DomainName,
) -> Result<Option<Connection>, Error> {
    let row = tx
        .opt(
            concat!(
                "SELECT ",
                columns!(),
                " FROM connections WHERE organization_id = $1 AND enabled
                    AND (NOT assigned_domains_only OR EXISTS (
                      SELECT 1 FROM connection_domains a JOIN domains d ON d.id = a.domain_id
                       WHERE a.connection_id = connections.id AND d.domain = $2))
                  ORDER BY CASE WHEN assigned_domains_only THEN 0 ELSE 1 END, id LIMIT 1"
            ),
            p![organization_id, name.as_str()],
        )
        .await?;
    row.as_ref().map(read).transpose()
}
