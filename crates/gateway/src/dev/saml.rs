//! The simulator's SAML side in a development instance.

use std::sync::Arc;

use genkan_protocol::saml::IdpMetadata;
use genkan_store::connection::key::Purpose;
use genkan_store::connection::{self, Connection, Protocol};
use genkan_store::{ConnectionId, Provider};

use super::seed;
use crate::app::App;
use crate::connections::saml::keys::Keeper;
use crate::failure::{Failure, chain, database_failed};
use crate::simulator::saml::{self, EncryptionCertificates};
use crate::simulator::{PATH, Simulator};
use crate::web::error::PageError;

/// The certificate that a connection shows in its metadata, read without the detour.
pub fn encryption_certificates(app: &App) -> EncryptionCertificates {
    let app = app.clone();
    Arc::new(move |connection_id| {
        let app = app.clone();
        Box::pin(async move { encryption_certificate(&app, &connection_id).await })
    })
}

async fn encryption_certificate(app: &App, connection_id: &str) -> Result<Option<Vec<u8>>, PageError> {
    let Ok(id) = ConnectionId::parse(connection_id) else {
        return Ok(None);
    };
    let found = app.db().read(async |tx| connection::find(tx, &id).await).await?;
    let Some(connection) = found.filter(|found| found.settings.as_saml().is_some()) else {
        return Ok(None);
    };
    let keys = Keeper::of(app).keys(&connection).await?;
    let shown = keys.in_metadata(Purpose::Decryption);
    Ok(shown.first().map(|key| key.certificate.clone()))
}

/// Enters the simulator's present key and address into the connections that lead to it. Its key is another one after
/// each start. Without such a connection none is made.
///
/// # Errors
///
/// If the database fails, or the simulator has no key.
pub(super) async fn follow(app: &App, simulator: &Simulator) -> Result<(), Failure> {
    let known = seed::connections(app, is_to_simulator)
        .await
        .map_err(database_failed)?;
    if known.is_empty() {
        return Ok(());
    }
    let cannot = |error: &dyn std::error::Error| {
        Failure::new(format!(
            "The simulator cannot sign people in by SAML: {}",
            chain(error)
        ))
    };
    let document = simulator.saml_metadata().await.map_err(|error| cannot(&error))?;
    let metadata = IdpMetadata::parse(&document).map_err(|error| cannot(&error))?;
    let at = app.at(app.now());
    for mut connection in known {
        let Protocol::Saml(settings) = &mut connection.settings.protocol else {
            continue;
        };
        // It answers both bindings at one address, so the choice stays.
        let binding = settings.idp_sso_request_binding;
        settings.set_metadata(at, &metadata);
        settings.idp_sso_request_binding = binding;
        if let Some(url) = &mut settings.idp_metadata_url {
            *url = simulator.saml_entity_id();
        }
        app.db()
            .tx_read_committed(async |tx| connection::update(tx, at, &connection).await)
            .await
            .map_err(database_failed)?;
    }
    Ok(())
}

/// Whether a connection leads to the simulator, perhaps at an earlier address.
fn is_to_simulator(connection: &Connection) -> bool {
    let settings = connection.settings.as_saml();
    let named = settings.and_then(|settings| settings.idp_entity_id.as_deref());
    connection.provider == Provider::IdpSimulator
        && named.is_some_and(|entity_id| entity_id.ends_with(&saml::entity_id(PATH)))
}
