//! The addresses of the pages of a connection.

use genkan_protocol::oauth::append_query;
use genkan_store::Secret;
use genkan_store::connection::{Connection, Page};

use crate::Api;

/// The address of a page of a connection.
pub(super) fn address(api: &Api, connection: &Connection, page: Page) -> String {
    format!("{}{}", api.public_url(), connection.path(page))
}

/// The address at which a test of the connection begins, with its one-time secret.
pub(super) fn test_link(api: &Api, connection: &Connection, word: &Secret) -> String {
    append_query(&address(api, connection, Page::Test), &[("word", word.expose())])
}
