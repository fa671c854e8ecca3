//! Connections that speak SAML, between the messages and the store.

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::{SamlConnectionConfigRequest, SamlConnectionConfigResponse};
use genkan_protocol::saml::IdpCertificate;
use genkan_store::Stamp;
use genkan_store::connection::{
    Connection, NameIdFormat, Page, Protocol, RequestBinding, SamlSettings, SigningOption,
};

use super::render::address;
use super::settings::{other_kind, set, set_optional};
use super::words;
use crate::{Api, Error, render};

/// The settings in a message.
pub(super) const FIELD: &str = "connection.saml_config";

words::set!(name_id_format, name_id_format_of, NameIdFormat => NameIdFormat {
    Nil, Unspecified = Unspecified, Email = Email, Transient = Transient, Persistent = Persistent
});
words::set!(request_binding, request_binding_of, RequestBinding => RequestBinding {
    Unspecified, HttpPost = HttpPost, HttpRedirect = HttpRedirect
});

/// Enters what a message says; the rest stays.
pub(super) fn apply(
    connection: &mut Connection,
    config: SamlConnectionConfigRequest,
    at: Stamp<'_>,
) -> Result<(), Error> {
    let kind = connection.kind();
    let Protocol::Saml(settings) = &mut connection.settings.protocol else {
        return Err(other_kind(FIELD, kind));
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
        name_id_format(
            "connection.saml_config.idp_name_id_format",
            config.idp_name_id_format,
        )?,
    );
    set(
        &mut settings.idp_sso_request_binding,
        request_binding(
            "connection.saml_config.idp_sso_request_binding",
            config.idp_sso_request_binding,
        )?,
    );
    set(
        &mut settings.idp_slo_request_binding,
        request_binding(
            "connection.saml_config.idp_slo_request_binding",
            config.idp_slo_request_binding,
        )?,
    );
    set(
        &mut settings.signing,
        signing(
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

/// The settings as a message.
pub(super) fn render(
    api: &Api,
    connection: &Connection,
    settings: &SamlSettings,
) -> SamlConnectionConfigResponse {
    let own = |entered: &Option<String>, page: Page| {
        entered.clone().unwrap_or_else(|| address(api, connection, page))
    };
    SamlConnectionConfigResponse {
        sp_entity_id: own(&settings.sp_entity_id, Page::Entity),
        sp_assertion_url: own(&settings.sp_assertion_url, Page::Callback),
        sp_metadata_url: address(api, connection, Page::Entity),
        sp_slo_url: Some(own(&settings.sp_slo_url, Page::Logout)),
        idp_metadata_url: settings.idp_metadata_url.clone(),
        idp_entity_id: settings.idp_entity_id.clone(),
        idp_sso_url: settings.idp_sso_url.clone(),
        idp_certificates: settings
            .certificates
            .iter()
            .map(|certificate| wire::IdpCertificate {
                certificate: certificate.pem.clone(),
                create_time: Some(render::time(certificate.created_at)),
                expiry_time: Some(render::time(certificate.expires_at)),
                id: certificate.id.to_string(),
                issuer: certificate.issuer.clone(),
            })
            .collect(),
        idp_slo_url: settings.idp_slo_url.clone(),
        ui_button_title: connection.ui_button_title.clone(),
        idp_name_id_format: name_id_format_of(settings.name_id_format),
        idp_sso_request_binding: request_binding_of(settings.idp_sso_request_binding),
        idp_slo_request_binding: request_binding_of(settings.idp_slo_request_binding),
        saml_signing_option: signing_of(settings.signing).into(),
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

/// What of an answer must be signed; `None` if it is not set.
fn signing(field: &str, number: i32) -> Result<Option<SigningOption>, Error> {
    use wire::SamlSigningOptions as Wire;
    match Wire::try_from(number) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::NoSigning) => Err(Error::invalid(
            field,
            "cannot be NO_SIGNING: an unsigned answer can be anybody's",
        )),
        Ok(Wire::SamlOnlyResponseSigning) => Ok(Some(SigningOption::Response)),
        Ok(Wire::SamlOnlyAssertionSigning) => Ok(Some(SigningOption::Assertion)),
        Ok(Wire::SamlResponseAssertionSigning) => Ok(Some(SigningOption::Both)),
        Ok(Wire::SamlResponseOrAssertionSigning) => Ok(Some(SigningOption::Either)),
        Err(_) => Err(Error::invalid(field, "is not one of the defined values")),
    }
}

const fn signing_of(signing: SigningOption) -> wire::SamlSigningOptions {
    use wire::SamlSigningOptions as Wire;
    match signing {
        SigningOption::Response => Wire::SamlOnlyResponseSigning,
        SigningOption::Assertion => Wire::SamlOnlyAssertionSigning,
        SigningOption::Both => Wire::SamlResponseAssertionSigning,
        SigningOption::Either => Wire::SamlResponseOrAssertionSigning,
    }
}
