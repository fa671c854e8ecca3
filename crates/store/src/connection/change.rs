//! Changes of a connection, and their effect.
//!
//! A form, a command and an API message each build a [`Change`] from their own fields. Its effect and its
//! mistakes are decided here, so that all three get the same answer.

use std::collections::BTreeMap;

use genkan_protocol::name;

use super::edit::{Edit, set};
use super::rules::{ConfigurationType, Mistake, Mistakes};
use super::settings::ProtocolChange;
use super::{Connection, Kind, seal_client_secret};
use crate::mistake::Fault;
use crate::{InstanceKey, Provider, Secret, Stamp};

/// Longer than any provider's secret.
pub const MAX_SECRET_BYTES: usize = 4096;

/// The values that were entered. All others stay.
#[derive(Debug, Default)]
pub struct Change<'a> {
    pub provider: Option<Provider>,
    /// If cleared, it is the product's name.
    pub name: Edit<String>,
    pub ui_button_title: Edit<String>,
    pub key_id: Edit<String>,
    pub jit_provisioning: Option<bool>,
    pub sync_profile: Option<bool>,
    pub insecure_http: Option<bool>,
    pub configuration_type: Option<ConfigurationType>,
    pub attributes: Attributes,
    pub client_secret: Edit<NewSecret<'a>>,
    /// The part for the connection's protocol.
    pub protocol: Option<ProtocolChange>,
}

/// The claims from which our attributes are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Attributes {
    #[default]
    Leave,
    /// The whole mapping, including attributes with a setting of their own, see
    /// [`Settings::set_whole_mapping`](super::Settings::set_whole_mapping).
    Replace(BTreeMap<String, String>),
    /// Some attributes, each as in [`Settings::map_attribute`](super::Settings::map_attribute).
    Edit {
        /// First forgets the attributes without a setting of their own.
        forget: bool,
        named: Vec<(String, String)>,
    },
}

/// Our secret at the provider, and the key that it is sealed with.
#[derive(Debug)]
pub struct NewSecret<'a> {
    pub secret: Secret,
    pub key: &'a InstanceKey,
}

/// An effect of a change that was not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeEffect {
    /// The change would have sent our secret to another server, and did not bring a secret. Therefore the
    /// secret was deleted.
    pub secret_is_forgotten: bool,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeError {
    /// Fields with wrong values, each once.
    Mistakes(Vec<Mistake>),
    /// The settings are for this kind, but the connection has another kind.
    OtherKind(Kind),
    /// The connection is enabled, and the change would send its secret to another server without naming it
    /// again.
    SecretWouldFollow,
    /// The connection is enabled, and these fields would be missing.
    Incomplete(Vec<&'static str>),
}

/// Makes all of a change or nothing. Without `http_allowed` a provider needs TLS, unless the connection
/// itself allows plain HTTP.
///
/// # Errors
///
/// [`ChangeError`].
pub fn apply(
    connection: &mut Connection,
    change: &Change<'_>,
    at: Stamp<'_>,
    http_allowed: bool,
) -> Result<ChangeEffect, ChangeError> {
    let mut changed = connection.clone();
    let mut mistakes = Mistakes::default();
    enter(&mut changed, change, &mut mistakes);
    if let Some(protocol) = &change.protocol
        && !changed.settings.protocol.enter(protocol, at, &mut mistakes)
    {
        return Err(ChangeError::OtherKind(protocol.kind()));
    }
    changed.look_for_mistakes(http_allowed, &mut mistakes);
    mistakes.into_result().map_err(ChangeError::Mistakes)?;

    let secret_is_forgotten = changed.forget_secret_that_would_follow(connection);
    if secret_is_forgotten && changed.enabled {
        return Err(ChangeError::SecretWouldFollow);
    }
    let missing = changed.missing();
    if changed.enabled && !missing.is_empty() {
        return Err(ChangeError::Incomplete(missing));
    }
    *connection = changed;
    Ok(ChangeEffect { secret_is_forgotten })
}

/// Makes the part of a change that every kind of connection has.
fn enter(connection: &mut Connection, change: &Change<'_>, mistakes: &mut Mistakes) {
    enter_name(connection, change);
    change.ui_button_title.enter(&mut connection.ui_button_title);
    change.key_id.enter(&mut connection.key_id);
    // A value from before this rule stays until it is changed.
    for (field, edit) in [
        ("name", &change.name),
        ("ui_button_title", &change.ui_button_title),
    ] {
        if let Edit::Set(text) = edit
            && !name::is_plain(text)
        {
            mistakes.add(Mistake::of_connection(field, Fault::NotPlain.to_string()));
        }
    }
    set(&mut connection.jit_provisioning, change.jit_provisioning);
    set(&mut connection.sync_profile, change.sync_profile);
    let settings = &mut connection.settings;
    set(&mut settings.common.insecure_http, change.insecure_http);
    let chosen = change.configuration_type;
    settings.common.configuration_type = chosen.or(settings.common.configuration_type);
    match &change.attributes {
        Attributes::Leave => {}
        Attributes::Replace(whole) => settings.set_whole_mapping(whole.clone()),
        Attributes::Edit { forget, named } => {
            if *forget {
                settings.common.attribute_mapping.clear();
            }
            for (ours, theirs) in named {
                settings.map_attribute(ours, theirs);
            }
        }
    }
    match &change.client_secret {
        Edit::Leave => {}
        Edit::Clear => connection.client_secret_sealed = None,
        Edit::Set(new) => {
            mistakes.note(check_secret(connection, new.secret.expose()));
            let sealed = seal_client_secret(new.key, &connection.id, &new.secret);
            connection.client_secret_sealed = Some(sealed);
        }
    }
}

/// If nobody chose the name, it follows the product.
fn enter_name(connection: &mut Connection, change: &Change<'_>) {
    if let Some(provider) = change.provider {
        if connection.name == connection.provider.title() {
            provider.title().clone_into(&mut connection.name);
        }
        connection.provider = provider;
    }
    let name = match &change.name {
        Edit::Leave => return,
        Edit::Set(name) => name.trim(),
        Edit::Clear => "",
    };
    connection.name = match name {
        "" => connection.provider.title(),
        name => name,
    }
    .to_owned();
}

fn check_secret(connection: &Connection, secret: &str) -> Result<(), Mistake> {
    let refuse = |reason: &str| Err(Mistake::new("client_secret", reason));
    if connection.settings.protocol.rules().way_of_secret().is_empty() {
        return refuse("is sent nowhere by a connection of this kind");
    }
    if secret.is_empty() {
        return refuse("is empty");
    }
    if secret.len() > MAX_SECRET_BYTES || secret.chars().any(char::is_control) {
        return refuse("is too long, or holds several lines");
    }
    Ok(())
}
