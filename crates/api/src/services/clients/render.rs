//! Clients, secrets and resources as messages.

use std::time::Duration;

use genkan_contract::scalekit::v1::clients as wire;
use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret, MACHINE_TOKEN_LIFETIME, Owner};
use genkan_store::resource::{self, Resource};

use crate::render::time;

fn seconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)
}

fn claims(client: &Client) -> Vec<wire::CustomClaim> {
    let claim = |claim: &genkan_store::client::CustomClaim| wire::CustomClaim {
        key: claim.key.clone(),
        value: claim.value.clone(),
    };
    client.custom_claims.iter().map(claim).collect()
}

/// A secret; its value is known only when it is made.
pub(super) fn secret(secret: &ClientSecret, now: Timestamp) -> wire::ClientSecret {
    let status = if secret.is_active(now) {
        wire::ClientSecretStatus::Active
    } else {
        wire::ClientSecretStatus::Inactive
    };
    wire::ClientSecret {
        id: secret.id.to_string(),
        create_time: Some(time(secret.created_at)),
        update_time: Some(time(secret.updated_at)),
        secret_suffix: secret.suffix.clone(),
        created_by: secret.created_by.as_ref().map(ToString::to_string),
        status: status.into(),
        expire_time: secret.expires_at.map(time),
        last_used_time: secret.last_used_at.map(time),
        plain_secret: None,
    }
}

fn secrets(all: &[ClientSecret], now: Timestamp) -> Vec<wire::ClientSecret> {
    all.iter().map(|one| secret(one, now)).collect()
}

/// An application of the environment.
pub(super) fn application(client: &Client, all: &[ClientSecret], now: Timestamp) -> wire::Client {
    wire::Client {
        id: client.id.to_string(),
        key_id: client.id.to_string(),
        create_time: Some(time(client.created_at)),
        update_time: Some(time(client.updated_at)),
        secrets: secrets(all, now),
        post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
        back_channel_logout_uris: client.back_channel_logout_uris.clone(),
        initiate_login_uri: client.initiate_login_uri.clone().unwrap_or_default(),
        post_login_uris: client.redirect_uris.clone(),
        name: client.name.clone(),
        access_token_expiry: client.access_token_lifetime.map(seconds),
        scopes: client.scope.as_slice().to_vec(),
        custom_claims: claims(client),
        disallow_scalekit_api_access: !client.management_access,
        grant_types: client.grant_types.iter().map(ToString::to_string).collect(),
        client_type: client.kind.to_string(),
        enforce_pkce: client.requires_pkce(),
        ip_allowlist: None,
        introspect_all: client.introspect_all,
    }
}

/// A client of an organization or a resource.
pub(super) fn machine_client(
    client: &Client,
    all: &[ClientSecret],
    resource: Option<&Resource>,
    now: Timestamp,
) -> wire::M2mClient {
    let (organization_id, resource_id) = match &client.owner {
        Owner::Organization(id) => (id.to_string(), String::new()),
        Owner::Resource(id) => (String::new(), id.to_string()),
        Owner::Environment => (String::new(), String::new()),
    };
    let of_resource = resource.and_then(|resource| resource.settings.access_token_lifetime);
    wire::M2mClient {
        client_id: client.id.to_string(),
        secrets: secrets(all, now),
        name: client.name.clone(),
        description: client.description.clone(),
        organization_id,
        create_time: Some(time(client.created_at)),
        update_time: Some(time(client.updated_at)),
        scopes: client.scope.as_slice().to_vec(),
        audience: client.audience.clone(),
        custom_claims: claims(client),
        expiry: seconds(
            client
                .access_token_lifetime
                .or(of_resource)
                .unwrap_or(MACHINE_TOKEN_LIFETIME),
        ),
        resource_id,
        redirect_uris: client.redirect_uris.clone(),
        is_dcr: false,
        is_cimd: false,
        metadata_uri: String::new(),
    }
}

/// A resource.
pub(super) fn resource(resource: &Resource) -> wire::Resource {
    let settings = &resource.settings;
    wire::Resource {
        id: resource.id.to_string(),
        name: resource.name.clone(),
        resource_uri: settings.resource_uri.clone(),
        description: settings.description.clone(),
        resource_type: resource_type(resource.kind).into(),
        disable_dynamic_client_registration: settings.disable_dynamic_client_registration,
        logo_uri: settings.logo_uri.clone(),
        access_token_expiry: settings.access_token_lifetime.map_or(0, seconds),
        refresh_token_expiry: settings.refresh_token_lifetime.map_or(0, seconds),
        create_time: Some(time(resource.created_at)),
        update_time: Some(time(resource.updated_at)),
        provider: settings.provider.clone(),
        protected_metadata: None,
        protected_metadata_uri: String::new(),
        resource_id: settings.audience.clone(),
        scopes: settings.scope.iter().map(scope).collect(),
        connection_details: None,
        disallow_connection_update: false,
        intersect_scopes_user_permission: settings.intersect_scopes_user_permission,
        enable_cimd: settings.enable_cimd,
        xaa_enabled: settings.xaa_enabled,
        cimd_client_allowlist: settings
            .cimd_client_allowlist
            .iter()
            .map(|allowed| wire::CimdAllowlistEntry {
                r#type: allowed.kind.clone(),
                value: allowed.value.clone(),
            })
            .collect(),
        cimd_client_allowlist_enabled: settings.cimd_client_allowlist_enabled,
        resource_scope_selection_allowed: settings.resource_scope_selection_allowed,
    }
}

/// A scope is its name: no list of the environment gives it another one.
fn scope(name: &str) -> wire::Scope {
    wire::Scope {
        id: name.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        enabled: true,
    }
}

const fn resource_type(kind: resource::Kind) -> wire::ResourceType {
    match kind {
        resource::Kind::Web => wire::ResourceType::Web,
        resource::Kind::Mobile => wire::ResourceType::Mobile,
        resource::Kind::Desktop => wire::ResourceType::Desktop,
        resource::Kind::Server => wire::ResourceType::Server,
        resource::Kind::McpServer => wire::ResourceType::McpServer,
    }
}
