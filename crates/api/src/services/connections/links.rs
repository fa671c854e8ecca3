//! The addresses of the pages of a connection.

use genkan_protocol::oauth::append_query;
use genkan_store::Secret;
use genkan_store::connection::{Connection, Endpoint};

use crate::Api;

/// The address of an endpoint of a connection.
pub(super) fn address(api: &Api, connection: &Connection, endpoint: Endpoint) -> String {
    format!("{}{}", api.public_url(), connection.path(endpoint))
}

/// The address at which a test of the connection begins, with its one-time secret.
pub(super) fn test_link(api: &Api, connection: &Connection, word: &Secret) -> String {
    append_query(
        &address(api, connection, Endpoint::Test),
        &[("word", word.expose())],
    )
}
