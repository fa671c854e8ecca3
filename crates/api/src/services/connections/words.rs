//! The closed sets of connections, between the messages and the store.
//!
//! Numbers are the contract's. Those of providers differ from the ones of
//! directories.

use genkan_contract::scalekit::v1::connections as wire;
use genkan_store::connection::{ConfigurationType, Kind, Provider, Status};

use crate::Error;

/// What the other kinds of the contract are told.
fn unserved(field: &str, kind: wire::ConnectionType) -> Error {
    Error::invalid(
        field,
        &format!(
            "{} connections are not served by this version of Genkan: OIDC and SAML are",
            kind.as_str_name()
        ),
    )
}

/// The kind in a field; `None` if it is not set.
pub(super) fn kind(field: &str, number: i32) -> Result<Option<Kind>, Error> {
    match wire::ConnectionType::try_from(number) {
        Ok(wire::ConnectionType::Invalid) => Ok(None),
        Ok(wire::ConnectionType::Oidc) => Ok(Some(Kind::Oidc)),
        Ok(wire::ConnectionType::Saml) => Ok(Some(Kind::Saml)),
        Ok(other) => Err(unserved(field, other)),
        Err(_) => Err(Error::invalid(field, "is not one of the defined values")),
    }
}

pub(super) const fn kind_of(kind: Kind) -> wire::ConnectionType {
    match kind {
        Kind::Oidc => wire::ConnectionType::Oidc,
        Kind::Saml => wire::ConnectionType::Saml,
    }
}

/// The provider in its two fields; `None` if neither is set.
pub(super) fn provider(number: i32, key: &str) -> Result<Option<Provider>, Error> {
    use wire::ConnectionProvider as Wire;
    let by_number = match Wire::try_from(number) {
        Err(_) => {
            return Err(Error::invalid(
                "connection.provider",
                "is not one of the defined values",
            ));
        }
        Ok(Wire::Unspecified) => None,
        Ok(Wire::Okta) => Some(Provider::Okta),
        Ok(Wire::Google) => Some(Provider::Google),
        Ok(Wire::MicrosoftAd) => Some(Provider::MicrosoftAd),
        Ok(Wire::Auth0) => Some(Provider::Auth0),
        Ok(Wire::Onelogin) => Some(Provider::OneLogin),
        Ok(Wire::PingIdentity) => Some(Provider::PingIdentity),
        Ok(Wire::Jumpcloud) => Some(Provider::JumpCloud),
        Ok(Wire::Custom) => Some(Provider::Custom),
        Ok(Wire::Github) => Some(Provider::Github),
        Ok(Wire::Gitlab) => Some(Provider::Gitlab),
        Ok(Wire::Linkedin) => Some(Provider::LinkedIn),
        Ok(Wire::Salesforce) => Some(Provider::Salesforce),
        Ok(Wire::Microsoft) => Some(Provider::Microsoft),
        Ok(Wire::IdpSimulator) => Some(Provider::IdpSimulator),
        Ok(Wire::Scalekit) => Some(Provider::Scalekit),
        Ok(Wire::Adfs) => Some(Provider::Adfs),
    };
    if by_number == Some(Provider::Scalekit) && key != Provider::Scalekit.as_str() {
        return Err(Error::invalid(
            "connection.provider_key",
            "must be SCALEKIT for the provider SCALEKIT",
        ));
    }
    if by_number.is_some() || key.is_empty() {
        return Ok(by_number);
    }
    let unknown =
        |error: genkan_store::UnknownWord| Error::invalid("connection.provider_key", &error.to_string());
    key.to_ascii_uppercase().parse().map(Some).map_err(unknown)
}

pub(super) const fn provider_of(provider: Provider) -> wire::ConnectionProvider {
    use wire::ConnectionProvider as Wire;
    match provider {
        Provider::Okta => Wire::Okta,
        Provider::Google => Wire::Google,
        Provider::MicrosoftAd => Wire::MicrosoftAd,
        Provider::Auth0 => Wire::Auth0,
        Provider::OneLogin => Wire::Onelogin,
        Provider::PingIdentity => Wire::PingIdentity,
        Provider::JumpCloud => Wire::Jumpcloud,
        Provider::Adfs => Wire::Adfs,
        Provider::Github => Wire::Github,
        Provider::Gitlab => Wire::Gitlab,
        Provider::LinkedIn => Wire::Linkedin,
        Provider::Salesforce => Wire::Salesforce,
        Provider::Microsoft => Wire::Microsoft,
        Provider::Scalekit => Wire::Scalekit,
        Provider::Custom => Wire::Custom,
        Provider::IdpSimulator => Wire::IdpSimulator,
    }
}

/// The status to search for; `None` if it is not set.
pub(super) const fn status(status: wire::ConnectionStatus) -> Option<Status> {
    match status {
        wire::ConnectionStatus::Unspecified => None,
        wire::ConnectionStatus::Draft => Some(Status::Draft),
        wire::ConnectionStatus::InProgress => Some(Status::InProgress),
        wire::ConnectionStatus::Completed => Some(Status::Completed),
    }
}

pub(super) const fn status_of(status: Status) -> wire::ConnectionStatus {
    match status {
        Status::Draft => wire::ConnectionStatus::Draft,
        Status::InProgress => wire::ConnectionStatus::InProgress,
        Status::Completed => wire::ConnectionStatus::Completed,
    }
}

/// Makes the two directions of a set whose zero means "as it is".
macro_rules! set {
    ($read:ident, $write:ident, $wire:ident => $own:ident { $zero:ident, $($name:ident = $word:ident),* $(,)? }) => {
        /// The value of a field; `None` if it is not set.
        pub(super) fn $read(field: &str, number: i32) -> Result<Option<$own>, Error> {
            match wire::$wire::try_from(number) {
                Ok(wire::$wire::$zero) => Ok(None),
                $(Ok(wire::$wire::$name) => Ok(Some($own::$word)),)*
                Err(_) => Err(Error::invalid(field, "is not one of the defined values")),
            }
        }

        pub(super) const fn $write(value: $own) -> i32 {
            match value { $($own::$word => wire::$wire::$name as i32),* }
        }
    };
}

pub(super) use set;

set!(configuration_type, configuration_type_of, ConfigurationType => ConfigurationType {
    Unspecified, Discovery = Discovery, Manual = Manual
});
