//! What a caller enters: applied to a connection field by field. What a message
//! does not set stays as it is; an empty text clears, and a mask that names it empties
//! a list or map.

use genkan_contract::scalekit::v1::connections::{
    OidcConnectionConfig, SamlConnectionConfigRequest, UpdateConnection, update_connection,
};
use genkan_protocol::saml::IdpCertificate;
use genkan_store::connection::{self, Connection, OidcSettings, SamlSettings, Settings};
use genkan_store::{InstanceKey, Secret, Stamp};
use prost_types::FieldMask;

use super::words;
use crate::Error;
use crate::mask::Masked;

/// What an update changes.
pub(super) type Change = Masked<UpdateConnection>;

impl Change {
    pub(super) fn of(wanted: Option<UpdateConnection>, mask: Option<FieldMask>) -> Result<Self, Error> {
        let wanted = wanted.ok_or_else(|| Error::required("connection"))?;
        let of = ("connection", "scalekit.v1.connections.UpdateConnection");
        Self::read(mask, of, wanted)
    }
}

/// Applies a change.
pub(super) fn apply(
    connection: &mut Connection,
    masked: &Change,
    at: Stamp<'_>,
    key: &InstanceKey,
) -> Result<(), Error> {
    let change = masked.message.clone();
    if let Some(kind) = words::kind("connection.type", change.r#type)?
        && kind != connection.kind()
    {
        return Err(Error::invalid(
            "connection.type",
            "cannot be changed: create another connection",
        ));
    }
    match words::provider(change.provider, &change.provider_key)? {
        Some(provider) => {
            // A name that nobody chose follows the provider.
            if connection.name == connection.provider.title() {
                provider.title().clone_into(&mut connection.name);
            }
            connection.provider = provider;
        }
        None if masked.is_masked() => {}
        None => return Err(Error::required("connection.provider")),
    }
    if let Some(debug_enabled) = change.debug_enabled {
        connection.settings.set_insecure_http(debug_enabled);
    }
    set_optional(&mut connection.ui_button_title, change.ui_button_title);
    set_optional(&mut connection.key_id, change.key_id);
    if let Some(name) = change.name {
        connection.name = match name.trim() {
            "" => connection.provider.title().to_owned(),
            name => name.to_owned(),
        };
    }
    if masked.replaces("attribute_mapping", change.attribute_mapping.is_empty()) {
        match &mut connection.settings {
            Settings::Oidc(settings) => settings.set_whole_mapping(change.attribute_mapping),
            Settings::Saml(settings) => settings.attribute_mapping = change.attribute_mapping,
        }
    }
    let configuration_type =
        words::configuration_type("connection.configuration_type", change.configuration_type)?;
    if configuration_type.is_some() {
        match &mut connection.settings {
            Settings::Oidc(settings) => settings.configuration_type = configuration_type,
            Settings::Saml(settings) => settings.configuration_type = configuration_type,
        }
    }
    match change.settings {
        None => Ok(()),
        Some(update_connection::Settings::OidcConfig(config)) => {
            let has_scopes = masked.replaces("oidc_config.scopes", config.scopes.is_empty());
            apply_oidc(connection, config, has_scopes, key)
        }
        Some(update_connection::Settings::SamlConfig(config)) => apply_saml(connection, config, at),
        Some(_) => Err(Error::invalid(
            "connection.settings",
            "are of a kind that is not served by this version of Genkan: oidc_config and saml_config are",
        )),
    }
}

fn apply_oidc(
    connection: &mut Connection,
    config: OidcConnectionConfig,
    has_scopes: bool,
    key: &InstanceKey,
) -> Result<(), Error> {
    const TOKEN_AUTH: &str = "connection.oidc_config.token_auth_type";
    let Settings::Oidc(settings) = &mut connection.settings else {
        return Err(other_kind("connection.oidc_config", "SAML"));
    };
    set(&mut settings.issuer, config.issuer);
    set(&mut settings.client_id, config.client_id);
    let OidcSettings {
        discovery_endpoint,
        authorize_uri,
        token_uri,
        user_info_uri,
        jwks_uri,
        ..
    } = settings;
    set_optional(discovery_endpoint, config.discovery_endpoint);
    set_optional(authorize_uri, config.authorize_uri);
    set_optional(token_uri, config.token_uri);
    set_optional(user_info_uri, config.user_info_uri);
    set_optional(jwks_uri, config.jwks_uri);
    if has_scopes {
        settings.scopes = words::scopes(&settings.scopes, &config.scopes)?;
    }
    if let Some(others) = &config.other_scopes {
        settings.scopes = words::with_other_scopes(&settings.scopes, others)?;
    }
    if let Some(token_auth_type) = words::token_auth_type(TOKEN_AUTH, config.token_auth_type)? {
        settings.token_auth_type = token_auth_type;
    }
    set(&mut settings.pkce_enabled, config.pkce_enabled);
    set(&mut settings.idp_logout_required, config.idp_logout_required);
    set(&mut settings.push_requests, config.push_requests);
    settings.check_hosted_domain = config.check_hosted_domain.or(settings.check_hosted_domain);
    set(
        &mut settings.allow_idp_initiated_login,
        config.allow_idp_initiated_login,
    );
    set(&mut settings.only_verified_email, config.only_verified_emails);
    set(
        &mut settings.trust_unverified_email,
        config.trust_unverified_emails,
    );
    if settings.only_verified_email && settings.trust_unverified_email {
        return Err(Error::invalid(
            "connection.oidc_config.only_verified_emails",
            "contradicts trust_unverified_emails: at most one of them is true",
        ));
    }
    set(&mut connection.sync_profile, config.sync_user_profile_on_login);
    set(
        &mut connection.jit_provisioning,
        config.jit_provisioning_with_sso_enabled,
    );
    if let Some(secret) = config.client_secret {
        let sealed =
            |secret| connection::seal_client_secret(key, &connection.id, &Secret::from_presented(secret));
        connection.client_secret_sealed = if secret.is_empty() {
            None
        } else {
            check_secret(&secret)?;
            Some(sealed(secret))
        };
    }
    Ok(())
}

/// Longer than any provider's secret.
const MAX_SECRET_BYTES: usize = 4096;

fn check_secret(secret: &str) -> Result<(), Error> {
    if secret.len() > MAX_SECRET_BYTES || secret.chars().any(char::is_control) {
        return Err(Error::invalid(
            "connection.oidc_config.client_secret",
            "is too long, or holds several lines",
        ));
    }
    Ok(())
}

fn apply_saml(
    connection: &mut Connection,
    config: SamlConnectionConfigRequest,
    at: Stamp<'_>,
) -> Result<(), Error> {
    let Settings::Saml(settings) = &mut connection.settings else {
        return Err(other_kind("connection.saml_config", "OIDC"));
    };
    let SamlSettings {
        idp_metadata_url,
        idp_entity_id,
        idp_sso_url,
        idp_slo_url,
        default_redirect_uri,
        certificate_id,
        sp_entity_id,
        sp_assertion_url,
        sp_slo_url,
        ..
    } = settings;
    set_optional(idp_metadata_url, config.idp_metadata_url);
    set_optional(idp_entity_id, config.idp_entity_id);
    set_optional(idp_sso_url, config.idp_sso_url);
    set_optional(idp_slo_url, config.idp_slo_url);
    set_optional(default_redirect_uri, config.default_redirect_uri);
    set_optional(certificate_id, config.certificate_id);
    set_optional(sp_entity_id, config.sp_entity_id);
    set_optional(sp_assertion_url, config.sp_assertion_url);
    set_optional(sp_slo_url, config.sp_slo_url);
    set(&mut settings.force_authn, config.force_authn);
    set(&mut settings.assertion_encrypted, config.assertion_encrypted);
    set(&mut settings.want_request_signed, config.want_request_signed);
    set(&mut settings.idp_slo_required, config.idp_slo_required);
    set(
        &mut settings.allow_idp_initiated_login,
        config.allow_idp_initiated_login,
    );
    set(
        &mut settings.name_id_format,
        words::name_id_format(
            "connection.saml_config.idp_name_id_format",
            config.idp_name_id_format,
        )?,
    );
    set(
        &mut settings.idp_sso_request_binding,
        words::request_binding(
            "connection.saml_config.idp_sso_request_binding",
            config.idp_sso_request_binding,
        )?,
    );
    set(
        &mut settings.idp_slo_request_binding,
        words::request_binding(
            "connection.saml_config.idp_slo_request_binding",
            config.idp_slo_request_binding,
        )?,
    );
    set(
        &mut settings.signing,
        words::signing(
            "connection.saml_config.saml_signing_option",
            config.saml_signing_option,
        )?,
    );
    if let Some(text) = config.idp_certificate {
        settings.set_certificates(at, &certificates(&text)?);
    }
    set_optional(&mut connection.ui_button_title, config.ui_button_title);
    set(&mut connection.sync_profile, config.sync_user_profile_on_login);
    set(
        &mut connection.jit_provisioning,
        config.jit_provisioning_with_sso_enabled,
    );
    Ok(())
}

/// The certificates in a text; none in an empty one.
fn certificates(text: &str) -> Result<Vec<IdpCertificate>, Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |error: genkan_protocol::saml::CertificateError| {
        Error::invalid("connection.saml_config.idp_certificate", &error.to_string())
    };
    IdpCertificate::parse_all(text).map_err(refuse)
}

fn other_kind(field: &str, kind: &str) -> Error {
    Error::invalid(field, &format!("does not fit: this is a {kind} connection"))
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// An empty text is "not entered".
fn set_optional(field: &mut Option<String>, value: Option<String>) {
    if let Some(text) = value {
        *field = (!text.is_empty()).then_some(text);
    }
}
