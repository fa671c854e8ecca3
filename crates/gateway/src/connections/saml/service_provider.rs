//! Our names and addresses at the provider of a connection.

use genkan_store::connection::{Connection, SamlSettings, ServiceProvider};

use crate::app::App;

/// Our side of a connection. The values that the connection names count here, and so everywhere.
pub fn service_provider(app: &App, connection: &Connection, settings: &SamlSettings) -> ServiceProvider {
    ServiceProvider::of(connection, settings, app.issuer())
}
