//! The fields that an update changes: those that its mask names, or else those that are
//! present.
//!
//! The encoding cannot tell an empty list or map from an absent one, so only a mask can
//! empty them. REST makes a mask of the names in the body of a `PATCH`.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use prost_types::FieldMask;

use crate::Error;
use crate::descriptors::pool;

/// The message of an update, and its mask.
#[derive(Debug)]
pub(crate) struct MaskedUpdate<M> {
    /// Only the fields that the mask names. If it names an absent text, that is present
    /// and empty here, which clears it.
    pub(crate) message: M,
    named: Option<BTreeSet<String>>,
}

impl<M: Message + Default> MaskedUpdate<M> {
    /// Reads the `update_mask` of a request whose field `field` holds `message`, of
    /// the type `type_name`.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if the mask names a field that the message does not have.
    pub(crate) fn read(
        mask: Option<FieldMask>,
        (field, type_name): (&str, &str),
        message: M,
    ) -> Result<Self, Error> {
        let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
            let named = None;
            return Ok(Self { message, named });
        };
        let descriptor = pool()
            .get_message_by_name(type_name)
            .expect("the services name messages of the contract");
        let whole = DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice())
            .expect("the message is of this type");
        let mut kept = DynamicMessage::new(descriptor.clone());
        let mut named = BTreeSet::new();
        for text in &mask.paths {
            let inside = text.strip_prefix(field).and_then(|rest| rest.strip_prefix('.'));
            let path = inside
                .and_then(|text| resolve(&descriptor, text))
                .or_else(|| resolve(&descriptor, text));
            let path = path.ok_or_else(|| {
                Error::invalid(
                    "update_mask",
                    &format!("names \"{text}\", which cannot be updated"),
                )
            })?;
            keep(&whole, &mut kept, &path);
            let names: Vec<&str> = path.iter().map(FieldDescriptor::name).collect();
            named.insert(names.join("."));
        }
        Ok(Self {
            message: M::decode(kept.encode_to_vec().as_slice()).expect("it has fields of the message only"),
            named: Some(named),
        })
    }

    /// Whether the list or map of a field replaces the stored one.
    pub(crate) fn replaces(&self, path: &str, is_empty: bool) -> bool {
        self.named
            .as_ref()
            .map_or(!is_empty, |named| named.contains(path))
    }

    /// Whether there is a mask.
    pub(crate) const fn is_masked(&self) -> bool {
        self.named.is_some()
    }
}

/// The fields of a path. It ends at a list or map, which is replaced as a whole.
fn resolve(descriptor: &MessageDescriptor, path: &str) -> Option<Vec<FieldDescriptor>> {
    let mut current = Some(descriptor.clone());
    let mut fields = Vec::new();
    for name in path.split('.') {
        let field = current.take()?.get_field_by_name(name)?;
        let is_whole = field.is_map() || field.is_list();
        current = inner(&field);
        fields.push(field);
        if is_whole {
            break;
        }
    }
    Some(fields)
}

/// The message of a field, if it is changed field by field.
fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(inner)
            if !field.is_list() && !field.is_map() && !inner.full_name().starts_with("google.protobuf.") =>
        {
            Some(inner)
        }
        _ => None,
    }
}

fn keep(from: &DynamicMessage, into: &mut DynamicMessage, path: &[FieldDescriptor]) {
    let [field, rest @ ..] = path else { return };
    if let (false, Some(descriptor)) = (rest.is_empty(), inner(field)) {
        if !into.has_field(field) {
            into.set_field(field, Value::Message(DynamicMessage::new(descriptor)));
        }
        let from = from.get_field(field);
        if let (Some(from), Value::Message(into)) = (from.as_message(), into.get_field_mut(field)) {
            keep(from, into, rest);
        }
    } else if from.has_field(field) {
        into.set_field(field, from.get_field(field).into_owned());
    } else if let Some(empty) = empty_text(field) {
        into.set_field(field, empty);
    }
}

/// The value that clears an optional text.
fn empty_text(field: &FieldDescriptor) -> Option<Value> {
    match field.kind() {
        _ if field.is_list() || field.is_map() => None,
        Kind::String if field.supports_presence() => Some(Value::String(String::new())),
        Kind::Message(kind) if kind.full_name() == "google.protobuf.StringValue" => {
            Some(Value::Message(DynamicMessage::new(kind)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use genkan_contract::scalekit::v1::connections::{
        OidcConnectionConfig, UpdateConnection, update_connection,
    };

    use super::*;

    const TYPE: &str = "scalekit.v1.connections.UpdateConnection";

    fn change() -> UpdateConnection {
        UpdateConnection {
            key_id: Some("okta".to_owned()),
            ui_button_title: Some("Acme".to_owned()),
            settings: Some(update_connection::Settings::OidcConfig(OidcConnectionConfig {
                issuer: Some("https://idp.acme.test".to_owned()),
                pkce_enabled: Some(false),
                ..OidcConnectionConfig::default()
            })),
            ..UpdateConnection::default()
        }
    }

    fn masked(paths: &[&str]) -> Result<MaskedUpdate<UpdateConnection>, Error> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        MaskedUpdate::read(Some(FieldMask { paths }), ("connection", TYPE), change())
    }

    #[test]
    fn without_a_mask_what_holds_something_counts() {
        let masked = masked(&[]).unwrap();
        assert_eq!(masked.message, change());
        assert!(masked.replaces("attribute_mapping", false));
        assert!(!masked.replaces("attribute_mapping", true));
    }

    #[test]
    fn a_mask_keeps_what_it_names_and_clears_what_is_not_there() {
        let masked = masked(&[
            "connection.key_id",
            "oidc_config.issuer",
            "oidc_config.token_uri",
            "attribute_mapping.email",
        ])
        .unwrap();
        let Some(update_connection::Settings::OidcConfig(config)) = &masked.message.settings else {
            panic!("{:?}", masked.message);
        };
        assert_eq!(config.issuer.as_deref(), Some("https://idp.acme.test"));
        assert_eq!(config.token_uri.as_deref(), Some(""));
        assert_eq!(config.pkce_enabled, None);
        assert_eq!(masked.message.key_id.as_deref(), Some("okta"));
        assert_eq!(masked.message.ui_button_title, None);
        assert!(masked.replaces("attribute_mapping", true));
        assert!(!masked.replaces("oidc_config.scopes", false));
    }

    #[test]
    fn a_mask_that_names_no_field_is_refused() {
        for path in [
            "id",
            "",
            "connection",
            "oidc_config.",
            "oidc_config.issuer.value",
            "connection.",
        ] {
            assert!(masked(&[path]).is_err(), "{path}");
        }
    }
}
