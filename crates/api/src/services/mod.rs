//! One file per service.

mod audit_logs;
mod auth;
mod clients;
mod connections;
mod directories;
mod domains;
mod events;
mod organizations;
mod passwordless;
mod roles;
mod sessions;
mod tokens;
mod user_attributes;
mod users;
mod webauthn;

use genkan_contract::scalekit::v1::auditlogs::audit_logs_service_server::AuditLogsServiceServer;
use genkan_contract::scalekit::v1::auth::auth_service_server::AuthServiceServer;
use genkan_contract::scalekit::v1::auth::passwordless::passwordless_service_server::PasswordlessServiceServer;
use genkan_contract::scalekit::v1::auth::webauthn::web_authn_service_server::WebAuthnServiceServer;
use genkan_contract::scalekit::v1::clients::client_service_server::ClientServiceServer;
use genkan_contract::scalekit::v1::connections::connection_service_server::ConnectionServiceServer;
use genkan_contract::scalekit::v1::directories::directory_service_server::DirectoryServiceServer;
use genkan_contract::scalekit::v1::domains::domain_service_server::DomainServiceServer;
use genkan_contract::scalekit::v1::events::events_service_server::EventsServiceServer;
use genkan_contract::scalekit::v1::organizations::organization_service_server::OrganizationServiceServer;
use genkan_contract::scalekit::v1::roles::roles_service_server::RolesServiceServer;
use genkan_contract::scalekit::v1::sessions::session_service_server::SessionServiceServer;
use genkan_contract::scalekit::v1::tokens::api_token_service_server::ApiTokenServiceServer;
use genkan_contract::scalekit::v1::user_attributes::user_attribute_service_server::UserAttributeServiceServer;
use genkan_contract::scalekit::v1::users::user_service_server::UserServiceServer;

use tonic::service::Routes;

use crate::Api;

/// The methods that are not served, by service, each with a sentence for the caller. All
/// others are served.
const UNSERVED: &[(&str, &[(&str, &str)])] = &[
    (audit_logs::SERVICE, audit_logs::UNSERVED),
    (auth::SERVICE, auth::UNSERVED),
    (clients::SERVICE, clients::UNSERVED),
    (connections::SERVICE, connections::UNSERVED),
    (directories::SERVICE, directories::UNSERVED),
    (domains::SERVICE, domains::UNSERVED),
    (events::SERVICE, events::UNSERVED),
    (organizations::SERVICE, organizations::UNSERVED),
    (passwordless::SERVICE, passwordless::UNSERVED),
    (roles::SERVICE, roles::UNSERVED),
    (sessions::SERVICE, sessions::UNSERVED),
    (tokens::SERVICE, tokens::UNSERVED),
    (user_attributes::SERVICE, user_attributes::UNSERVED),
    (users::SERVICE, users::UNSERVED),
    (webauthn::SERVICE, webauthn::UNSERVED),
];

/// Why the method at `path` is not served, if it is not.
pub(crate) fn unserved(path: &str) -> Option<&'static str> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let (_, methods) = UNSERVED.iter().find(|(name, _)| *name == service)?;
    methods
        .iter()
        .find(|(name, _)| *name == method)
        .map(|(_, sentence)| *sentence)
}

pub(crate) fn routes(api: &Api) -> Routes {
    Routes::default()
        .add_service(AuditLogsServiceServer::new(api.clone()))
        .add_service(AuthServiceServer::new(api.clone()))
        .add_service(ClientServiceServer::new(api.clone()))
        .add_service(ConnectionServiceServer::new(api.clone()))
        .add_service(DirectoryServiceServer::new(api.clone()))
        .add_service(DomainServiceServer::new(api.clone()))
        .add_service(EventsServiceServer::new(api.clone()))
        .add_service(OrganizationServiceServer::new(api.clone()))
        .add_service(PasswordlessServiceServer::new(api.clone()))
        .add_service(RolesServiceServer::new(api.clone()))
        .add_service(SessionServiceServer::new(api.clone()))
        .add_service(ApiTokenServiceServer::new(api.clone()))
        .add_service(UserAttributeServiceServer::new(api.clone()))
        .add_service(UserServiceServer::new(api.clone()))
        .add_service(WebAuthnServiceServer::new(api.clone()))
        .prepare()
}
