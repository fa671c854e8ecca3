//! Genkan as the provider of a connection sees it: our names and addresses, for the administrator there to
//! enter.

use serde::Serialize;

use super::{Connection, Endpoint, SamlSettings};

/// Our side of a SAML connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceProvider {
    /// What we call ourselves: the audience of assertions (SAML Core §2.5.1.4).
    pub entity_id: String,
    /// Where answers are posted: the assertion consumer service (Profiles §4.1.4.1).
    pub acs_url: String,
    /// Where our metadata are.
    pub metadata_url: String,
}

impl ServiceProvider {
    /// Our side of `connection`. A name or address that was entered takes the place of ours everywhere. It
    /// belongs to a service that Genkan replaces, and leads here.
    pub fn of(connection: &Connection, settings: &SamlSettings, public_url: &str) -> Self {
        let own = |endpoint: Endpoint| format!("{public_url}{}", connection.path(endpoint));
        let entered = |value: &Option<String>, endpoint| value.clone().unwrap_or_else(|| own(endpoint));
        Self {
            entity_id: entered(&settings.sp_entity_id, Endpoint::Entity),
            acs_url: entered(&settings.sp_assertion_url, Endpoint::Callback),
            metadata_url: own(Endpoint::Entity),
        }
    }
}
