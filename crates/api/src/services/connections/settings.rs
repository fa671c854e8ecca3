//! The message of a caller as a change of a connection. Absent fields stay. An empty text
//! clears, and a mask empties a list or map that it names.

use genkan_contract::scalekit::v1::connections::connection as wire;
use genkan_contract::scalekit::v1::connections::{UpdateConnection, update_connection};
use genkan_store::InstanceKey;
use genkan_store::connection::{Attributes, Change, Connection, Edit, Kind, Protocol};
use prost_types::FieldMask;

use super::{oidc, saml, words};
use crate::mask::MaskedUpdate;
use crate::{Api, Error};

/// The message of an update.
pub(super) type Update = MaskedUpdate<UpdateConnection>;

impl Update {
    pub(super) fn of(wanted: Option<UpdateConnection>, mask: Option<FieldMask>) -> Result<Self, Error> {
        let wanted = wanted.ok_or_else(|| Error::required("connection"))?;
        let of = ("connection", "scalekit.v1.connections.UpdateConnection");
        Self::read(mask, of, wanted)
    }
}

/// The change of `connection` that an update asks for.
pub(super) fn change<'k>(
    connection: &Connection,
    masked: &Update,
    key: &'k InstanceKey,
) -> Result<Change<'k>, Error> {
    let update = masked.message.clone();
    if let Some(kind) = words::kind("connection.type", update.r#type)?
        && kind != connection.kind()
    {
        return Err(Error::invalid(
            "connection.type",
            "cannot be changed: create another connection",
        ));
    }
    let provider = words::provider(update.provider, &update.provider_key)?;
    if provider.is_none() && !masked.is_masked() {
        return Err(Error::required("connection.provider"));
    }
    let attributes = match masked.replaces("attribute_mapping", update.attribute_mapping.is_empty()) {
        true => Attributes::Replace(update.attribute_mapping),
        false => Attributes::Leave,
    };
    let mut change = Change {
        provider,
        name: Edit::of_text(update.name),
        ui_button_title: Edit::of_text(update.ui_button_title),
        key_id: Edit::of_text(update.key_id),
        insecure_http: update.debug_enabled,
        configuration_type: words::configuration_type(
            "connection.configuration_type",
            update.configuration_type,
        )?,
        attributes,
        ..Change::default()
    };
    match update.settings {
        None => {}
        Some(update_connection::Settings::OidcConfig(config)) => {
            let has_scopes = masked.replaces("oidc_config.scopes", config.scopes.is_empty());
            oidc::enter(&mut change, connection, config, has_scopes, key)?;
        }
        Some(update_connection::Settings::SamlConfig(config)) => saml::enter(&mut change, config)?,
        Some(_) => {
            return Err(Error::invalid(
                "connection.settings",
                "are of a kind that is not served by this version of Genkan: oidc_config and saml_config are",
            ));
        }
    }
    Ok(change)
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
