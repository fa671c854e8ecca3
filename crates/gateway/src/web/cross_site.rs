//! Whether a page of the application sent the browser here, or another site.
//!
//! Source: Fetch Metadata Request Headers §2.4, RFC 9110 §10.1.3.

use genkan_protocol::oauth::redirect_uri::{is_any_loopback, is_at_origin};
use genkan_store::client::Client;
use http::{HeaderMap, header};

use crate::app::App;

/// Whether the browser names the origin of a request. Old browsers do not, and none does on
/// plain HTTP, except to `localhost`.
pub fn is_told(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site")
}

/// Whether another site sent the browser, and not a page of `client`. If a page hides its
/// address, it counts as another site, because an attacker's page would hide it.
pub fn is_foreign(app: &App, headers: &HeaderMap, client: &Client) -> bool {
    let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let policy = app.redirect_policy(client);
    // In development an application may be anywhere on this machine.
    let is_on_this_machine =
        |page: &str| app.settings().development && client.any_loopback_redirect && is_any_loopback(page);
    let is_own = |page: &str| {
        is_on_this_machine(page)
            || client
                .redirect_uris
                .iter()
                .chain(&client.post_logout_redirect_uris)
                .chain(&client.initiate_login_uri)
                .any(|registered| is_at_origin(registered, page, policy))
    };
    get("sec-fetch-site") == Some("cross-site") && !get(header::REFERER.as_str()).is_some_and(is_own)
}
