//! A request of an application that was refused: a line for whoever runs this
//! instance, and an event that the application's developer can be shown.
//!
//! The answer itself says little, because anybody may have asked. Here stands
//! which client it was, why, and the address that it sent.

use genkan_store::{ClientId, Error};
use serde_json::{Map, Value};

use crate::app::App;
use crate::context;
use crate::tally::{self, Failure, Subject};

/// What was refused.
#[derive(Debug)]
pub struct Refused<'a> {
    /// `authorize`, `token`, `introspect`, `revoke`.
    pub endpoint: &'static str,
    /// As it was sent; it may name nobody.
    pub client_id: &'a str,
    /// Whether there is such a client.
    pub is_known: bool,
    /// A code: an error of RFC 6749, or one of ours.
    pub reason: &'a str,
    /// A sentence that the application may see as well.
    pub description: &'a str,
    pub redirect_uri: Option<&'a str>,
}

/// What is kept of a text that anybody may have written.
const LONGEST: usize = 200;

/// Writes the line, and the event if there is such a client: what a stranger
/// makes up leaves a line only. Of many in a minute the first of each reason has its
/// event at once, the others are counted.
pub async fn record(app: &App, refused: Refused<'_>) {
    let client = bounded(refused.client_id);
    let redirect_uri = refused.redirect_uri.map(shown);
    tracing::info!(
        endpoint = refused.endpoint,
        client,
        is_known = refused.is_known,
        reason = refused.reason,
        redirect_uri,
        "refused a request of an application: {}",
        bounded(refused.description)
    );
    let Some(client_id) = ClientId::parse(refused.client_id)
        .ok()
        .filter(|_| refused.is_known)
    else {
        return;
    };
    let mut data = Map::new();
    let mut set = |name: &str, value: &str| data.insert(name.to_owned(), Value::from(value));
    set("endpoint", refused.endpoint);
    set("reason", refused.reason);
    set("description", &bounded(refused.description));
    if let Some(redirect_uri) = &redirect_uri {
        set("redirect_uri", redirect_uri);
    }
    if let Some(id) = context::request_id() {
        set("request_id", &id);
    }
    let failure = Failure {
        data,
        ..Failure::default()
    };
    let (subject, now) = (Subject::Client(client_id, refused.reason.to_owned()), app.now());
    if app.tally().failed(&subject, now) > 1 {
        app.tally().more(subject, failure, now);
        return;
    }
    let at = app.at(now);
    let written = app
        .db()
        .tx(async |tx| -> Result<(), Error> { tally::record(tx, at, &subject, &failure).await })
        .await;
    if let Err(error) = written {
        // The answer does not depend on it.
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "an event cannot be written"
        );
    }
}

/// On one line, and no longer than worth reading.
fn bounded(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    let mut short: String = text.chars().take(LONGEST).map(clean).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// An address without what may be secret in it: the values of its query, its
/// fragment, and credentials before the host.
pub fn shown(uri: &str) -> String {
    let (address, query) = match uri.split_once(['?', '#']) {
        None => (uri, None),
        Some((address, rest)) => {
            let query = uri[address.len()..].starts_with('?').then_some(rest);
            (address, query)
        }
    };
    let address = match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.split(['/', '\\']).next().unwrap_or_default();
            match authority.rfind('@') {
                Some(at) => format!("{scheme}://…{}", &rest[at..]),
                None => address.to_owned(),
            }
        }
        None => address.to_owned(),
    };
    let Some(query) = query else {
        return bounded(&address);
    };
    let query = query.split('#').next().unwrap_or_default();
    let names: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=…"),
            None => "…".to_owned(),
        })
        .collect();
    bounded(&format!("{address}?{}", names.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        for (uri, expected) in [
            ("https://app.test/callback", "https://app.test/callback"),
            (
                "https://app.test/cb?a=hunter2&b=x#hunter2",
                "https://app.test/cb?a=…&b=…",
            ),
            ("https://app.test/cb#access_token=hunter2", "https://app.test/cb"),
            ("https://ada:hunter2@app.test/cb", "https://…@app.test/cb"),
            ("https://app.test/cb?hunter2", "https://app.test/cb?…"),
            ("com.acme.app:/callback", "com.acme.app:/callback"),
            ("a\u{1b}[31m\nb", "a?[31m?b"),
        ] {
            assert_eq!(shown(uri), expected);
        }
        assert_eq!(shown(&"ä".repeat(5_000)).chars().count(), LONGEST + 1);
    }
}
