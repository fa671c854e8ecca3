//! Where the pages of a connection are.

use genkan_protocol::oauth::append_query;
use genkan_store::Secret;
use genkan_store::connection::{Connection, Page};

use crate::Api;

/// Where a page of a connection is.
pub(super) fn address(api: &Api, connection: &Connection, page: Page) -> String {
    format!("{}{}", api.public_url(), connection.path(page))
}

/// Where a test of the connection begins, with the word that lets it.
pub(super) fn test_link(api: &Api, connection: &Connection, word: &Secret) -> String {
    append_query(&address(api, connection, Page::Test), &[("word", word.expose())])
}
