//! The closed sets of connections, between the messages and the store.
//!
//! The numbers are those of `proto/`. Providers have other numbers than directories.

use genkan_contract::scalekit::v1::connections as wire;
use genkan_store::Provider;
use genkan_store::connection::{ConfigurationType, Kind, Status};

use crate::Error;

/// The kind in a field; `None` if it is not set.
pub(super) fn kind(field: &str, number: i32) -> Result<Option<Kind>, Error> {
    let kind = match wire::ConnectionType::try_from(number) {
        Ok(wire::ConnectionType::Invalid) => return Ok(None),
        Ok(kind) => kind.as_str_name(),
        Err(_) => return Err(Error::invalid(field, "is not one of the defined values")),
    };
    let unserved = |_| {
        let served: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let served = served.join(" and ");
        Error::invalid(
            field,
            &format!("{kind} connections are not served by this version of Genkan: {served} are"),
        )
    };
    kind.parse().map(Some).map_err(unserved)
}

pub(super) fn kind_of(kind: Kind) -> wire::ConnectionType {
    wire::ConnectionType::from_str_name(kind.as_str()).unwrap_or_default()
}

/// The provider in its two fields; `None` if neither is set.
pub(super) fn provider(number: i32, key: &str) -> Result<Option<Provider>, Error> {
    use wire::ConnectionProvider as Wire;
    let by_number = match Wire::try_from(number) {
        Ok(Wire::Unspecified) => None,
        Ok(product) => product.as_str_name().parse::<Provider>().ok(),
        Err(_) => {
            return Err(Error::invalid(
                "connection.provider",
                "is not one of the defined values",
            ));
        }
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

/// The number of a product. If `proto/` does not know the product, only its key names it.
pub(super) fn provider_of(provider: Provider) -> wire::ConnectionProvider {
    wire::ConnectionProvider::from_str_name(provider.as_str()).unwrap_or(wire::ConnectionProvider::Custom)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_products_have_the_names_of_the_contract() {
        for kind in Kind::ALL {
            assert_eq!(self::kind("type", kind_of(*kind).into()).unwrap(), Some(*kind));
        }
        for number in 1..=wire::ConnectionProvider::Adfs.into() {
            let product = provider(number, "SCALEKIT").unwrap().unwrap();
            assert_eq!(i32::from(provider_of(product)), number, "{product}");
        }
    }
}
