//! Connections of type SAML. They can be set up, but nobody can sign in through them yet.

pub mod keys;
pub mod metadata_page;
mod service_provider;

use genkan_protocol::Trace;
use genkan_protocol::saml;
use genkan_store::connection::{Connection, NameIdFormat, SamlSettings};

use super::{SignInFailure, UnreachableProvider};
pub use service_provider::service_provider;

/// The failure of every sign-in through such a connection.
pub(super) fn not_supported(connection: &Connection) -> SignInFailure {
    let mut trace = Trace::default();
    trace.fail("Protocol", "OpenID Connect", "SAML");
    let remedy = "This version of Genkan keeps SAML connections and does not sign anybody in through them. \
                  Connect the provider by OpenID Connect, or disable the connection.";
    SignInFailure::new(connection, "saml_not_supported", remedy, trace).explained(
        "Your company’s sign-in uses SAML, which this version of the sign-in service does not speak.",
    )
}

/// The format of names that the connection asks for. `None`: the provider decides.
pub const fn name_id_format(settings: &SamlSettings) -> Option<saml::NameIdFormat> {
    match settings.name_id_format {
        NameIdFormat::Unspecified => None,
        NameIdFormat::Email => Some(saml::NameIdFormat::Email),
        NameIdFormat::Transient => Some(saml::NameIdFormat::Transient),
        NameIdFormat::Persistent => Some(saml::NameIdFormat::Persistent),
    }
}

pub(super) fn reach(connection: &Connection) -> UnreachableProvider {
    UnreachableProvider {
        why: format!(
            "{} is not a valid document: this version signs nobody in by SAML",
            connection.id
        ),
        remedy: None,
    }
}
