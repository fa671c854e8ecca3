//! The settings of a connection, without its secret.
//!
//! [`Common`] is for every kind of connection. The settings of each protocol are in a file of their own,
//! with the same functions: [`Rules`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::oidc::{OidcChange, OidcSettings};
use super::rules::{ConfigurationType, EmailTrust, Mistakes, Rules};
use super::saml::{SamlChange, SamlSettings};
use crate::Stamp;
use crate::row::words;

words! {
    /// The protocol that is spoken.
    pub enum Kind {
        Oidc = "OIDC",
        Saml = "SAML",
    }
}

impl Kind {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Oidc => "OpenID Connect",
            Self::Saml => "SAML",
        }
    }
}

/// How to speak to the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    #[serde(flatten)]
    pub common: Common,
    #[serde(flatten)]
    pub protocol: Protocol,
}

/// The settings of every provider, whatever its protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// From our attribute (`email`, `given_name`, …) to the provider's name for it.
    #[serde(default)]
    pub attribute_mapping: BTreeMap<String, String>,
    /// Development: the provider may be reached without TLS.
    #[serde(default)]
    pub insecure_http: bool,
    /// The administrator's choice. `None`: the settings imply it.
    #[serde(default)]
    pub configuration_type: Option<ConfigurationType>,
}

/// The settings of one protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Protocol {
    #[serde(rename = "OIDC")]
    Oidc(OidcSettings),
    #[serde(rename = "SAML")]
    Saml(SamlSettings),
}

/// A change of the settings of one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtocolChange {
    Oidc(OidcChange),
    Saml(SamlChange),
}

impl Settings {
    /// The settings of a new connection.
    pub fn new(kind: Kind) -> Self {
        Self::from(Protocol::new(kind))
    }

    /// The protocol that is spoken.
    pub const fn kind(&self) -> Kind {
        self.protocol.kind()
    }

    /// The settings of an OpenID Provider.
    pub const fn as_oidc(&self) -> Option<&OidcSettings> {
        match &self.protocol {
            Protocol::Oidc(settings) => Some(settings),
            Protocol::Saml(_) => None,
        }
    }

    pub const fn as_oidc_mut(&mut self) -> Option<&mut OidcSettings> {
        match &mut self.protocol {
            Protocol::Oidc(settings) => Some(settings),
            Protocol::Saml(_) => None,
        }
    }

    /// The settings of a SAML provider.
    pub const fn as_saml(&self) -> Option<&SamlSettings> {
        match &self.protocol {
            Protocol::Saml(settings) => Some(settings),
            Protocol::Oidc(_) => None,
        }
    }

    /// Where the provider's endpoints come from.
    pub fn configuration_type(&self) -> ConfigurationType {
        let chosen = self.common.configuration_type;
        chosen.unwrap_or_else(|| self.protocol.rules().implied_configuration())
    }

    /// Which of the provider's e-mail addresses count.
    pub fn email_trust(&self) -> EmailTrust {
        self.protocol.rules().email_trust()
    }

    /// From each of our attributes to its claim, including attributes with a setting of their own, as in
    /// the contract.
    pub fn whole_mapping(&self) -> BTreeMap<String, String> {
        let mut whole = self.common.attribute_mapping.clone();
        for (attribute, source) in self.protocol.rules().own_attributes() {
            match source {
                Some(source) => drop(whole.insert(attribute.to_owned(), source.to_owned())),
                None => drop(whole.remove(attribute)),
            }
        }
        whole
    }

    /// Replaces the whole mapping. An attribute that is not in it is read from no claim.
    pub fn set_whole_mapping(&mut self, mut whole: BTreeMap<String, String>) {
        let rules = self.protocol.rules_mut();
        let own: Vec<&str> = rules.own_attributes().into_iter().map(|(name, _)| name).collect();
        for attribute in own {
            rules.name_attribute(attribute, whole.remove(attribute).as_deref());
        }
        self.common.attribute_mapping = whole;
    }

    /// Sets the claim of one attribute. An empty name removes it.
    pub fn map_attribute(&mut self, attribute: &str, source: &str) {
        if self.protocol.rules_mut().name_attribute(attribute, Some(source)) {
            return;
        }
        let mapping = &mut self.common.attribute_mapping;
        match source {
            "" => drop(mapping.remove(attribute)),
            source => drop(mapping.insert(attribute.to_owned(), source.to_owned())),
        }
    }

    /// Whether our secret could reach somebody whom it did not reach with the settings `before`: another
    /// server, or without TLS anybody on the way.
    pub(super) fn sends_secret_elsewhere(&self, before: &Self) -> bool {
        let (rules, rules_before) = (self.protocol.rules(), before.protocol.rules());
        self.kind() != before.kind()
            || rules.way_of_secret() != rules_before.way_of_secret()
            || (self.common.insecure_http && !before.common.insecure_http)
    }
}

impl From<Protocol> for Settings {
    /// The default settings of the protocol.
    fn from(protocol: Protocol) -> Self {
        let common = Common::default();
        Self { common, protocol }
    }
}

impl ProtocolChange {
    /// The kind of connection that it fits.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Oidc(_) => Kind::Oidc,
            Self::Saml(_) => Kind::Saml,
        }
    }
}

impl Protocol {
    /// Makes a change. Says whether it fits this kind of connection.
    pub(super) fn enter(&mut self, change: &ProtocolChange, at: Stamp<'_>, mistakes: &mut Mistakes) -> bool {
        match (self, change) {
            (Self::Oidc(settings), ProtocolChange::Oidc(change)) => change.enter(settings, mistakes),
            (Self::Saml(settings), ProtocolChange::Saml(change)) => change.enter(settings, at, mistakes),
            (Self::Oidc(_) | Self::Saml(_), _) => return false,
        }
        true
    }

    /// The settings of a new connection.
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Oidc => Self::Oidc(OidcSettings::default()),
            Kind::Saml => Self::Saml(SamlSettings::default()),
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Oidc(_) => Kind::Oidc,
            Self::Saml(_) => Kind::Saml,
        }
    }

    /// The rules of this kind.
    pub(super) fn rules(&self) -> &dyn Rules {
        match self {
            Self::Oidc(settings) => settings,
            Self::Saml(settings) => settings,
        }
    }

    pub(super) fn rules_mut(&mut self) -> &mut dyn Rules {
        match self {
            Self::Oidc(settings) => settings,
            Self::Saml(settings) => settings,
        }
    }
}
