//! The command that changes the setting of a remedy.
//!
//! A remedy names the provider's side first. For a reader at a terminal, the command follows, with the
//! identifiers of this connection.

use genkan_store::ConnectionId;
use genkan_store::connection::Connection;

/// The command for a cause that one of our settings can correct.
fn command(cause: &str) -> Option<&'static str> {
    Some(match cause {
        "email_not_verified" => "`genkan connection update CONNECTION --trust-unverified-email` lets it.",
        "mandatory_attribute_missing" | "mandatory_attribute_malformed" => {
            "`genkan connection update CONNECTION --attribute email=CLAIM` maps it."
        }
        "user_not_provisioned" => {
            "`genkan user invite ADDRESS --organization ORGANIZATION` invites them, \
             `genkan connection update CONNECTION --jit on` turns it on."
        }
        "email_domain_not_trusted" => "`genkan domain create DOMAIN --organization ORGANIZATION` adds it.",
        "user_not_active" => {
            "`genkan user enable USER`, or `genkan user membership activate USER --organization ORGANIZATION`."
        }
        "id_token_issuer_mismatch" | "provider_metadata_missing" | "provider_metadata_invalid" => {
            "`genkan connection update CONNECTION --issuer URL --client-secret-stdin` changes it, and wants the secret \
             with it."
        }
        "provider_metadata_incomplete" => {
            "`genkan connection update CONNECTION --authorize-uri URL --token-uri URL --jwks-uri URL \
             --client-secret-stdin` enters them, and wants the secret with them."
        }
        "id_token_audience_mismatch" | "id_token_authorized_party_mismatch" => {
            "`genkan connection update CONNECTION --client-id ID` enters it."
        }
        "connection_incomplete" => {
            "`genkan connection update CONNECTION` enters it; --help lists the options."
        }
        _ => return None,
    })
}

/// A remedy with its command, and with the identifiers of the connection.
pub(super) fn complete(connection: &Connection, cause: &str, remedy: String) -> String {
    let whole = match command(cause) {
        // A remedy with a command of its own needs no other.
        Some(command) if !remedy.contains("`genkan ") => format!("{remedy} {command}"),
        _ => remedy,
    };
    let organization = connection.organization_id.as_ref();
    let organization = organization.map_or("ORGANIZATION", |id| id.as_str());
    of_this(&connection.id, &whole).replace("ORGANIZATION", organization)
}

/// A remedy with the identifier of the connection in it.
pub(super) fn of_this(id: &ConnectionId, remedy: &str) -> String {
    remedy.replace("CONNECTION", id.as_str())
}
