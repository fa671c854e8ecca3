//! SAML connections, between the messages and the store.

use genkan_contract::scalekit::v1::connections as wire;
use genkan_contract::scalekit::v1::connections::{
    SamlConnectionConfigRequest, SamlConnectionConfigResponse, UpdateConnection, update_connection,
};
use genkan_store::conflict;
use genkan_store::connection::{
    Change, Connection, Edit, Endpoint, NameIdFormat, ProtocolChange, RequestBinding, SamlChange,
    SamlSettings, ServiceProvider, SigningOption,
};

use super::links::address;
use super::words;
use crate::{Api, Error, Unreadable, render};

/// The settings in a message.
pub(super) const FIELD: &str = "connection.saml_config";

words::set!(name_id_format, name_id_format_of, NameIdFormat => NameIdFormat {
    Nil, Unspecified = Unspecified, Email = Email, Transient = Transient, Persistent = Persistent
});
words::set!(request_binding, request_binding_of, RequestBinding => RequestBinding {
    Unspecified, HttpPost = HttpPost, HttpRedirect = HttpRedirect
});

/// Enters the settings of a message into a change.
pub(super) fn enter(change: &mut Change<'_>, config: SamlConnectionConfigRequest) -> Result<(), Error> {
    let field = |name: &str| format!("{FIELD}.{name}");
    change.protocol = Some(ProtocolChange::Saml(SamlChange {
        idp_metadata: None,
        idp_metadata_url: Edit::of_text(config.idp_metadata_url),
        idp_entity_id: Edit::of_text(config.idp_entity_id),
        idp_sso_url: Edit::of_text(config.idp_sso_url),
        idp_sso_request_binding: request_binding(
            &field("idp_sso_request_binding"),
            config.idp_sso_request_binding,
        )?,
        idp_slo_url: Edit::of_text(config.idp_slo_url),
        idp_slo_request_binding: request_binding(
            &field("idp_slo_request_binding"),
            config.idp_slo_request_binding,
        )?,
        idp_slo_required: config.idp_slo_required,
        idp_certificate: Edit::of_text(config.idp_certificate),
        name_id_format: name_id_format(&field("idp_name_id_format"), config.idp_name_id_format)?,
        signing: signing(&field("saml_signing_option"), config.saml_signing_option)?,
        force_authn: config.force_authn,
        assertion_encrypted: config.assertion_encrypted,
        want_request_signed: config.want_request_signed,
        certificate_id: Edit::of_text(config.certificate_id),
        allow_idp_initiated_login: config.allow_idp_initiated_login,
        default_redirect_uri: Edit::of_text(config.default_redirect_uri),
        sp_entity_id: Edit::of_text(config.sp_entity_id),
        sp_assertion_url: Edit::of_text(config.sp_assertion_url),
        sp_slo_url: Edit::of_text(config.sp_slo_url),
        ..SamlChange::default()
    }));
    if config.ui_button_title.is_some() {
        change.ui_button_title = Edit::of_text(config.ui_button_title);
    }
    change.sync_profile = config.sync_user_profile_on_login;
    change.jit_provisioning = config.jit_provisioning_with_sso_enabled;
    Ok(())
}

/// The address of metadata that an update enters.
pub(super) fn entered_metadata_url(update: &UpdateConnection) -> Option<&str> {
    match &update.settings {
        Some(update_connection::Settings::SamlConfig(config)) => {
            config.idp_metadata_url.as_deref().filter(|url| !url.is_empty())
        }
        _ => None,
    }
}

/// Adds the document that was read at the address.
pub(super) fn add_metadata(change: &mut Change<'_>, document: Option<&str>) {
    if let Some(ProtocolChange::Saml(change)) = &mut change.protocol {
        change.idp_metadata = document.map(str::to_owned);
    }
}

/// Why the document was not read, as a mistake of its address.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands over the error")]
pub(super) fn unreadable(why: Unreadable) -> Error {
    Error::invalid(&format!("{FIELD}.idp_metadata_url"), &why.to_string())
}

/// Why a change was not stored.
pub(super) fn not_updated(error: genkan_store::Error) -> Error {
    let (name, why) = match error {
        genkan_store::Error::Conflict(conflict::CONNECTION_CERTIFICATE) => (
            "certificate_id",
            "names no key of this connection that is in its metadata and may sign",
        ),
        genkan_store::Error::Conflict(conflict::CONNECTION_REDIRECT) => (
            "default_redirect_uri",
            "is the initiate_login_uri of no application: register it there first",
        ),
        genkan_store::Error::Conflict(conflict::CONNECTION_ENTITY_ID) => (
            "sp_entity_id",
            "is that of another connection: its assertions would count for both",
        ),
        genkan_store::Error::Conflict(conflict::CONNECTION_ASSERTION_URL) => (
            "sp_assertion_url",
            "is that of another connection: its assertions would count for both",
        ),
        error => return error.into(),
    };
    Error::invalid(&format!("{FIELD}.{name}"), why)
}

/// The settings as a message.
pub(super) fn render(
    api: &Api,
    connection: &Connection,
    settings: &SamlSettings,
) -> SamlConnectionConfigResponse {
    let own = ServiceProvider::of(connection, settings, api.public_url());
    let slo_url = settings.sp_slo_url.clone();
    SamlConnectionConfigResponse {
        sp_entity_id: own.entity_id,
        sp_assertion_url: own.acs_url,
        sp_metadata_url: own.metadata_url,
        sp_slo_url: Some(slo_url.unwrap_or_else(|| address(api, connection, Endpoint::Logout))),
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

/// The required signatures of an answer; `None` if not set.
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
