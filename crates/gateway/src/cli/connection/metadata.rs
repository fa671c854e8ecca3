//! Reads the metadata of a SAML provider from the address that a command enters.

use genkan_store::connection::{self, Change, ChangeError, Connection, Edit, ProtocolChange};
use genkan_store::environment::Kind;

use super::settings::refused;
use crate::cli::Failure;
use crate::cli::instance::Instance;
use crate::documents::saml_metadata;
use crate::outbound::Scheme;
use crate::server;

/// Adds the document to a change that enters its address. Everything else is checked before, so a change
/// that is refused requests nothing.
pub(super) async fn read(
    change: &mut Change<'_>,
    connection: &Connection,
    instance: &Instance,
) -> Result<(), Failure> {
    let Some(ProtocolChange::Saml(entered)) = &change.protocol else {
        return Ok(());
    };
    let Edit::Set(url) = entered.idp_metadata_url.clone() else {
        return Ok(());
    };
    let kind = instance.environment.kind;
    let is_development = kind == Kind::Development;
    match connection::apply(&mut connection.clone(), change, instance.stamp(), is_development) {
        // The document may bring what is missing.
        Ok(_) | Err(ChangeError::Incomplete(_)) => {}
        Err(why) => return Err(refused(connection.kind(), why)),
    }
    let allows_http = change.insecure_http;
    let allows_http = allows_http.unwrap_or(connection.settings.common.insecure_http);
    let scheme = match is_development || allows_http {
        true => Scheme::HttpAllowed,
        false => Scheme::HttpsOnly,
    };
    let outbound = server::outbound(&instance.config, kind)?;
    let document = saml_metadata::fetch(&outbound, &url, scheme).await;
    let document = document.map_err(|why| {
        Failure::new(format!("--saml-metadata-url {why}.")).remedy(
            "Ask from this machine with curl, or store the document and name it: --saml-metadata-file.",
        )
    })?;
    if let Some(ProtocolChange::Saml(entered)) = &mut change.protocol {
        entered.idp_metadata = Some(document);
    }
    Ok(())
}
