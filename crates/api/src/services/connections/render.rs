//! Connections as messages. Secrets are not part of them.

use genkan_contract::scalekit::v1::connections::{
    Connection as WireConnection, IdpCertificate, ListConnection, OidcConnectionConfig,
    SamlConnectionConfigResponse, connection as wire,
};
use genkan_protocol::oauth::append_query;
use genkan_store::Secret;
use genkan_store::connection::{Connection, Kind, OidcSettings, SamlSettings, Settings, hosted_domain};

use super::{Shown, words};
use crate::services::domains;
use crate::{Api, render};

/// Where things of a connection are.
fn address(api: &Api, connection: &Connection, what: &str) -> String {
    let protocol = match connection.kind() {
        Kind::Oidc => "oidc",
        Kind::Saml => "saml",
    };
    format!("{}/sso/v1/{protocol}/{}{what}", api.public_url(), connection.id)
}

/// Where a test of the connection begins, with the word that lets it.
pub(super) fn test_link(api: &Api, connection: &Connection, word: &Secret) -> String {
    append_query(&address(api, connection, "/test"), &[("word", word.expose())])
}

/// A connection with the domains that it signs in.
pub(super) fn connection(api: &Api, shown: &Shown) -> WireConnection {
    let Shown {
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
        debug_enabled: connection.settings.insecure_http(),
        organization_id: connection.organization_id.as_ref().map(ToString::to_string),
        ui_button_title: connection.ui_button_title.clone().unwrap_or_default(),
        configuration_type: words::configuration_type_of(connection.settings.configuration_type()),
        test_connection_uri: address(api, connection, "/test"),
        attribute_mapping: match &connection.settings {
            Settings::Oidc(settings) => settings.whole_mapping(),
            Settings::Saml(settings) => settings.attribute_mapping.clone(),
        },
        create_time: Some(render::time(connection.created_at)),
        update_time: Some(render::time(connection.updated_at)),
        key_id: connection.key_id.clone(),
        provider_key: connection.provider.as_str().to_owned(),
        domains: routed
            .iter()
            .map(|domain| domains::render(domain, environment_id))
            .collect(),
        settings: Some(match &connection.settings {
            Settings::Oidc(settings) => wire::Settings::OidcConfig(oidc(api, connection, settings)),
            Settings::Saml(settings) => wire::Settings::SamlConfig(saml(api, connection, settings)),
        }),
        ..WireConnection::default()
    }
}

fn oidc(api: &Api, connection: &Connection, settings: &OidcSettings) -> OidcConnectionConfig {
    let entered = |text: &String| (!text.is_empty()).then(|| text.clone());
    OidcConnectionConfig {
        issuer: entered(&settings.issuer),
        discovery_endpoint: settings.discovery_endpoint.clone(),
        authorize_uri: settings.authorize_uri.clone(),
        token_uri: settings.token_uri.clone(),
        user_info_uri: settings.user_info_uri.clone(),
        jwks_uri: settings.jwks_uri.clone(),
        client_id: entered(&settings.client_id),
        client_secret: None,
        scopes: words::scopes_of(&settings.scopes),
        other_scopes: Some(words::other_scopes_of(&settings.scopes)).filter(|scopes| !scopes.is_empty()),
        token_auth_type: words::token_auth_type_of(settings.token_auth_type),
        redirect_uri: address(api, connection, "/callback"),
        pkce_enabled: Some(settings.pkce_enabled),
        idp_logout_required: Some(settings.idp_logout_required),
        // Addresses that this version does not serve are not handed out.
        post_logout_redirect_uri: None,
        backchannel_logout_redirect_uri: None,
        sync_user_profile_on_login: Some(connection.sync_profile),
        jit_provisioning_with_sso_enabled: Some(connection.jit_provisioning),
        // It means nothing at another provider.
        check_hosted_domain: settings
            .check_hosted_domain
            .filter(|_| hosted_domain::applies(connection)),
        allow_idp_initiated_login: Some(settings.allow_idp_initiated_login),
        only_verified_emails: Some(settings.only_verified_email),
        trust_unverified_emails: Some(settings.trust_unverified_email),
        push_requests: Some(settings.push_requests),
    }
}

fn saml(api: &Api, connection: &Connection, settings: &SamlSettings) -> SamlConnectionConfigResponse {
    let own = |entered: &Option<String>, what: &str| {
        entered.clone().unwrap_or_else(|| address(api, connection, what))
    };
    SamlConnectionConfigResponse {
        sp_entity_id: own(&settings.sp_entity_id, ""),
        sp_assertion_url: own(&settings.sp_assertion_url, "/callback"),
        sp_metadata_url: address(api, connection, ""),
        sp_slo_url: Some(own(&settings.sp_slo_url, "/slo")),
        idp_metadata_url: settings.idp_metadata_url.clone(),
        idp_entity_id: settings.idp_entity_id.clone(),
        idp_sso_url: settings.idp_sso_url.clone(),
        idp_certificates: settings
            .certificates
            .iter()
            .map(|certificate| IdpCertificate {
                certificate: certificate.pem.clone(),
                create_time: Some(render::time(certificate.created_at)),
                expiry_time: Some(render::time(certificate.expires_at)),
                id: certificate.id.to_string(),
                issuer: certificate.issuer.clone(),
            })
            .collect(),
        idp_slo_url: settings.idp_slo_url.clone(),
        ui_button_title: connection.ui_button_title.clone(),
        idp_name_id_format: words::name_id_format_of(settings.name_id_format),
        idp_sso_request_binding: words::request_binding_of(settings.idp_sso_request_binding),
        idp_slo_request_binding: words::request_binding_of(settings.idp_slo_request_binding),
        saml_signing_option: words::signing_of(settings.signing).into(),
        allow_idp_initiated_login: Some(settings.allow_idp_initiated_login),
        force_authn: Some(settings.force_authn),
        default_redirect_uri: settings.default_redirect_uri.clone(),
        assertion_encrypted: Some(settings.assertion_encrypted),
        want_request_signed: Some(settings.want_request_signed),
        certificate_id: settings.certificate_id.clone(),
        idp_slo_required: Some(settings.idp_slo_required),
        sync_user_profile_on_login: Some(connection.sync_profile),
        jit_provisioning_with_sso_enabled: Some(connection.jit_provisioning),
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
