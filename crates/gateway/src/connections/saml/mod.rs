//! Connections of type SAML. They can be set up, but nobody can sign in through them yet.

use genkan_protocol::Trace;
use genkan_store::connection::Connection;

use super::{SignInFailure, UnreachableProvider};

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

pub(super) fn reach(connection: &Connection) -> UnreachableProvider {
    UnreachableProvider {
        why: format!(
            "{} is not a valid document: this version signs nobody in by SAML",
            connection.id
        ),
        remedy: None,
    }
}
