//! Connections as messages. Secrets are not part of them.

use genkan_contract::scalekit::v1::connections::{Connection as WireConnection, ListConnection};
use genkan_store::connection::{Connection, Endpoint};

use super::links::address;
use super::{ConnectionView, settings, words};
use crate::services::domains;
use crate::{Api, render};

/// A connection with the domains that it signs in.
pub(super) fn connection(api: &Api, shown: &ConnectionView) -> WireConnection {
    let ConnectionView {
        connection,
        domains: routed,
        environment_id,
    } = shown;
    WireConnection {
        id: connection.id.to_string(),
        name: connection.name.clone(),
        provider: words::provider_of(connection.provider).into(),
        r#type: words::kind_of(connection.kind()).into(),
        status: words::status_of(connection.status()).into(),
        enabled: connection.enabled,
        debug_enabled: connection.settings.common.insecure_http,
        organization_id: connection.organization_id.as_ref().map(ToString::to_string),
        ui_button_title: connection.ui_button_title.clone().unwrap_or_default(),
        configuration_type: words::configuration_type_of(connection.settings.configuration_type()),
        test_connection_uri: address(api, connection, Endpoint::Test),
        attribute_mapping: connection.settings.whole_mapping(),
        create_time: Some(render::time(connection.created_at)),
        update_time: Some(render::time(connection.updated_at)),
        key_id: connection.key_id.clone(),
        provider_key: connection.provider.as_str().to_owned(),
        domains: routed
            .iter()
            .map(|domain| domains::render(domain, environment_id))
            .collect(),
        settings: Some(settings::render(api, connection)),
        ..WireConnection::default()
    }
}

/// A connection in a list.
pub(super) fn listed(
    connection: &Connection,
    organization_name: &str,
    domains: Vec<String>,
) -> ListConnection {
    ListConnection {
        id: connection.id.to_string(),
        provider: words::provider_of(connection.provider).into(),
        r#type: words::kind_of(connection.kind()).into(),
        status: words::status_of(connection.status()).into(),
        enabled: connection.enabled,
        organization_id: connection
            .organization_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        ui_button_title: connection.ui_button_title.clone().unwrap_or_default(),
        domains,
        organization_name: organization_name.to_owned(),
        provider_key: connection.provider.as_str().to_owned(),
        key_id: connection.key_id.clone().unwrap_or_default(),
        created_at: Some(render::time(connection.created_at)),
        ..ListConnection::default()
    }
}
