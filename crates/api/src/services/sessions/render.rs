//! Sessions, as messages carry them.

use genkan_contract::scalekit::v1::sessions::{
    AuthenticatedClients, DeviceDetails, RevokedSessionDetails, SessionDetails,
};
use genkan_protocol::Timestamp;
use genkan_store::session::{Client, Session, Status};

use super::device::Device;
use crate::render::time;

/// `clients` may hold those of other sessions too.
pub(super) fn session(session: &Session, clients: &[Client], now: Timestamp) -> SessionDetails {
    let clients = clients.iter().filter(|client| client.session_id == session.id);
    let clients: Vec<AuthenticatedClients> = clients
        .map(|client| AuthenticatedClients {
            client_id: client.client_id.to_string(),
            organization_id: client
                .organization_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        })
        .collect();
    let organization_id = session
        .organization_id
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut organizations: Vec<String> = std::iter::once(&organization_id)
        .chain(clients.iter().map(|client| &client.organization_id))
        .filter(|id| !id.is_empty())
        .cloned()
        .collect();
    organizations.sort_unstable();
    organizations.dedup();
    let ends = Ends::of(session, now);
    SessionDetails {
        session_id: session.id.to_string(),
        user_id: session.user_id.to_string(),
        authenticated_organizations: organizations,
        organization_id,
        created_at: Some(time(session.created_at)),
        updated_at: Some(time(ends.updated_at)),
        idle_expires_at: Some(time(session.idle_expires_at)),
        absolute_expires_at: Some(time(session.expires_at)),
        expired_at: ends.expired_at.map(time),
        logout_at: ends.logout_at.map(time),
        status: ends.status.to_string(),
        device: Some(device(session)),
        last_active_at: Some(time(session.last_active_at)),
        authenticated_clients: clients,
    }
}

pub(super) fn revoked(session: &Session, now: Timestamp) -> RevokedSessionDetails {
    let ends = Ends::of(session, now);
    RevokedSessionDetails {
        session_id: session.id.to_string(),
        user_id: session.user_id.to_string(),
        created_at: Some(time(session.created_at)),
        updated_at: Some(time(ends.updated_at)),
        idle_expires_at: Some(time(session.idle_expires_at)),
        absolute_expires_at: Some(time(session.expires_at)),
        expired_at: ends.expired_at.map(time),
        logout_at: ends.logout_at.map(time),
        status: ends.status.to_string(),
        last_active_at: Some(time(session.last_active_at)),
    }
}

/// How a session ended, if it did.
struct Ends {
    status: Status,
    updated_at: Timestamp,
    /// By its time or by an operator.
    expired_at: Option<Timestamp>,
    /// By the person.
    logout_at: Option<Timestamp>,
}

impl Ends {
    fn of(session: &Session, now: Timestamp) -> Self {
        let status = session.status_at(now);
        // It may have expired before it was marked as ended.
        let ended_at = session.ended_at.unwrap_or(session.idle_expires_at);
        let used_at = session.last_active_at.max(session.authenticated_at);
        Self {
            status,
            updated_at: if status == Status::Active {
                used_at
            } else {
                used_at.max(ended_at)
            },
            expired_at: matches!(status, Status::Expired | Status::Revoked).then_some(ended_at),
            logout_at: (status == Status::Logout).then_some(ended_at),
        }
    }
}

fn device(session: &Session) -> DeviceDetails {
    let user_agent = session.user_agent.clone().unwrap_or_default();
    let device = Device::read(&user_agent);
    DeviceDetails {
        os: device.os.to_owned(),
        os_version: device.os_version,
        browser: device.browser.to_owned(),
        browser_version: device.browser_version,
        device_type: device.kind.to_owned(),
        ip: session.ip.clone().unwrap_or_default(),
        // We do not know the place of an address, and ask no service.
        location: None,
        user_agent,
    }
}
