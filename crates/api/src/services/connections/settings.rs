//! What a caller enters: applied to a connection field by field. What a message
//! does not set stays as it is; an empty text clears, and a mask that names it empties
//! a list or map.

use genkan_contract::scalekit::v1::connections::connection as wire;
use genkan_contract::scalekit::v1::connections::{UpdateConnection, update_connection};
use genkan_store::connection::{Connection, Kind, Protocol};
use genkan_store::{InstanceKey, Stamp};
use prost_types::FieldMask;

use super::{oidc, saml, words};
use crate::mask::Masked;
use crate::{Api, Error};

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
    let common = &mut connection.settings.common;
    set(&mut common.insecure_http, change.debug_enabled);
    set_optional(&mut connection.ui_button_title, change.ui_button_title);
    set_optional(&mut connection.key_id, change.key_id);
    if let Some(name) = change.name {
        connection.name = match name.trim() {
            "" => connection.provider.title().to_owned(),
            name => name.to_owned(),
        };
    }
    if masked.replaces("attribute_mapping", change.attribute_mapping.is_empty()) {
        connection.settings.set_whole_mapping(change.attribute_mapping);
    }
    let configuration_type =
        words::configuration_type("connection.configuration_type", change.configuration_type)?;
    let common = &mut connection.settings.common;
    common.configuration_type = configuration_type.or(common.configuration_type);
    match change.settings {
        None => Ok(()),
        Some(update_connection::Settings::OidcConfig(config)) => {
            let has_scopes = masked.replaces("oidc_config.scopes", config.scopes.is_empty());
            oidc::apply(connection, config, has_scopes, key)
        }
        Some(update_connection::Settings::SamlConfig(config)) => saml::apply(connection, config, at),
        Some(_) => Err(Error::invalid(
            "connection.settings",
            "are of a kind that is not served by this version of Genkan: oidc_config and saml_config are",
        )),
    }
}

/// The settings of a kind in a message.
pub(super) const fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Oidc => oidc::FIELD,
        Kind::Saml => saml::FIELD,
    }
}

/// The settings of a connection as a message.
pub(super) fn render(api: &Api, connection: &Connection) -> wire::Settings {
    match &connection.settings.protocol {
        Protocol::Oidc(settings) => wire::Settings::OidcConfig(oidc::render(api, connection, settings)),
        Protocol::Saml(settings) => wire::Settings::SamlConfig(saml::render(api, connection, settings)),
    }
}

pub(super) fn other_kind(field: &str, kind: Kind) -> Error {
    Error::invalid(field, &format!("does not fit: this is a {kind} connection"))
}

pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// An empty text is "not entered".
pub(super) fn set_optional(field: &mut Option<String>, value: Option<String>) {
    if let Some(text) = value {
        *field = (!text.is_empty()).then_some(text);
    }
}
