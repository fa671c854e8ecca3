//! Connections: set up field by field, opened when complete, closed at once.

mod kinds;
mod lists;
mod secret;
mod settings;

use std::time::Duration;

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::connection_service_client::ConnectionServiceClient;
use genkan_contract::scalekit::v1::connections::{
    AssignDomainsToConnectionRequest, Connection, CreateConnection, CreateConnectionRequest,
    CreateEnvironmentConnectionRequest, DeleteConnectionRequest, DeleteEnvironmentConnectionRequest, Flags,
    GetConnectionRequest, GetConnectionTestResultRequest, GetEnvironmentConnectionRequest,
    ListAppConnectionsRequest, ListConnectionsRequest, ListOrganizationConnectionsRequest,
    OidcConnectionConfig, SamlConnectionConfigRequest, SearchOrganizationConnectionsRequest,
    ToggleConnectionRequest, ToggleEnvironmentConnectionRequest, UpdateConnection, UpdateConnectionRequest,
    UpdateEnvironmentConnectionRequest, connection, update_connection,
};
use genkan_protocol::{Domain as DomainName, Trace};
use genkan_store::connection as store;
use genkan_store::connection_test::{self, TestFailure};
use genkan_store::domain::{self, Domain};
use genkan_store::organization::{self, Organization};
use genkan_store::{ConnectionId, ConnectionTestId, DomainId, OrganizationId, Secret};
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, SAML_METADATA, error_info, on_each_engine};

const CERTIFICATE: &str = include_str!("../saml_certificate.pem");

fn api(harness: &Harness) -> ConnectionServiceClient<InMemory> {
    ConnectionServiceClient::new(harness.client())
}

/// An organization that has a domain.
async fn company(harness: &Harness, name: &str) -> (OrganizationId, DomainId) {
    let name = DomainName::parse(name).unwrap();
    harness
        .tx(async |tx, at| {
            let organization = Organization::new(at.id(), name.to_string(), at.now);
            organization::insert(tx, at, &organization).await?;
            let kind = domain::Kind::OrganizationDomain;
            let domain = Domain::new(at.id(), organization.id.clone(), name.clone(), kind, at.now);
            domain::insert(tx, at, &domain).await?;
            Ok((organization.id, domain.id))
        })
        .await
}

fn wanted(kind: wire::ConnectionType, provider: wire::ConnectionProvider) -> Option<CreateConnection> {
    Some(CreateConnection {
        provider: provider.into(),
        r#type: kind.into(),
        ..CreateConnection::default()
    })
}

async fn create(
    harness: &Harness,
    organization_id: &OrganizationId,
    kind: wire::ConnectionType,
) -> Connection {
    let request = CreateConnectionRequest {
        organization_id: organization_id.to_string(),
        connection: wanted(kind, wire::ConnectionProvider::Okta),
    };
    let created = api(harness).create_connection(request).await.unwrap();
    created.into_inner().connection.unwrap()
}

async fn change(
    harness: &Harness,
    connection: &Connection,
    change: UpdateConnection,
) -> Result<Connection, Status> {
    let request = UpdateConnectionRequest {
        update_mask: None,
        organization_id: connection.organization_id.clone().unwrap(),
        id: connection.id.clone(),
        connection: Some(change),
    };
    let updated = api(harness).update_connection(request).await?;
    Ok(updated.into_inner().connection.unwrap())
}

fn oidc(config: OidcConnectionConfig) -> UpdateConnection {
    UpdateConnection {
        provider: wire::ConnectionProvider::Okta.into(),
        r#type: wire::ConnectionType::Oidc.into(),
        settings: Some(update_connection::Settings::OidcConfig(config)),
        ..UpdateConnection::default()
    }
}

fn saml(config: SamlConnectionConfigRequest) -> UpdateConnection {
    UpdateConnection {
        provider: wire::ConnectionProvider::Okta.into(),
        r#type: wire::ConnectionType::Saml.into(),
        settings: Some(update_connection::Settings::SamlConfig(config)),
        ..UpdateConnection::default()
    }
}

fn complete() -> OidcConnectionConfig {
    OidcConnectionConfig {
        issuer: Some("https://idp.acme.test".to_owned()),
        client_id: Some("genkan".to_owned()),
        client_secret: Some("s3cret".to_owned()),
        ..OidcConnectionConfig::default()
    }
}

async fn toggle(harness: &Harness, connection: &Connection, enabled: bool) -> Result<bool, Status> {
    let request = ToggleConnectionRequest {
        organization_id: connection.organization_id.clone().unwrap(),
        id: connection.id.clone(),
    };
    let answer = match enabled {
        true => api(harness).enable_connection(request).await?,
        false => api(harness).disable_connection(request).await?,
    };
    Ok(answer.into_inner().enabled)
}

async fn get(harness: &Harness, connection: &Connection) -> Result<Connection, Status> {
    let request = GetConnectionRequest {
        organization_id: connection.organization_id.clone().unwrap(),
        id: connection.id.clone(),
    };
    Ok(api(harness)
        .get_connection(request)
        .await?
        .into_inner()
        .connection
        .unwrap())
}

fn oidc_of(connection: &Connection) -> &OidcConnectionConfig {
    match &connection.settings {
        Some(connection::Settings::OidcConfig(config)) => config,
        other => panic!("no OIDC settings: {other:?}"),
    }
}

/// The settings with which Genkan would call the provider.
async fn secret_of(harness: &Harness, connection: &Connection) -> Option<String> {
    let id = ConnectionId::parse(&connection.id).unwrap();
    let found = harness
        .tx(async |tx, _| store::find(tx, &id).await)
        .await
        .unwrap();
    let secret = found.open_client_secret(harness.instance_key()).unwrap();
    secret.map(|secret| secret.expose().to_owned())
}

/// Every change that would send the secret to another server.
fn detours() -> Vec<(&'static str, UpdateConnection)> {
    let thief = || Some("https://thief.test".to_owned());
    let with = |set: &dyn Fn(&mut OidcConnectionConfig)| {
        let mut config = OidcConnectionConfig::default();
        set(&mut config);
        oidc(config)
    };
    let mut without_tls = oidc(OidcConnectionConfig::default());
    without_tls.debug_enabled = Some(true);
    vec![
        ("the issuer", with(&|config| config.issuer = thief())),
        (
            "the discovery document",
            with(&|config| config.discovery_endpoint = thief()),
        ),
        ("the token endpoint", with(&|config| config.token_uri = thief())),
        ("plain HTTP", without_tls),
    ]
}
