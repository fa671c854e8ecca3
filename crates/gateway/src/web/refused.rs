//! The record of a refused request of an application: a line in the log for the operator,
//! and an event for the application's developer.
//!
//! The answer itself says little, because anybody may have sent the request. The record
//! names the client, the reason, and the address in the request.

use genkan_store::{ClientId, Error};
use serde_json::{Map, Value};

use crate::app::App;
use crate::context;
use crate::tally::{self, FailureRecord, Subject};

/// A refused request.
#[derive(Debug)]
pub struct RefusedRequest<'a> {
    /// `authorize`, `token`, `introspect`, `revoke`.
    pub endpoint: &'static str,
    /// As it was sent; such a client may not exist.
    pub client_id: &'a str,
    /// Whether there is such a client.
    pub is_known: bool,
    /// A code: an error of RFC 6749, or one of ours.
    pub reason: &'a str,
    /// A sentence that the application may see as well.
    pub description: &'a str,
    pub redirect_uri: Option<&'a str>,
}

/// The most that is kept of a text from anybody.
const LONGEST: usize = 200;

/// Writes the line, and the event if there is such a client: a made-up name leaves only a
/// line. After the [first lines](crate::lines) of a minute there is one at the level debug. In a minute, the first refusal for each reason has its event at once; the others are
/// counted.
pub async fn record(app: &App, refused: RefusedRequest<'_>) {
    let client = bounded(refused.client_id);
    let redirect_uri = refused.redirect_uri.map(shown);
    let line = format!("{}: {}", refused.endpoint, refused.reason);
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                endpoint = refused.endpoint,
                client,
                is_known = refused.is_known,
                reason = refused.reason,
                redirect_uri,
                "refused a request of an application: {}",
                bounded(refused.description)
            )
        };
    }
    if context::has_line(&line) {
        log!(info);
    } else {
        log!(debug);
    }
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
    let failure = FailureRecord {
        data,
        ..FailureRecord::default()
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

/// The text on one line, cut to a readable length.
fn bounded(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    let mut short: String = text.chars().take(LONGEST).map(clean).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// An address without its secrets: the values of its query, its fragment, and credentials
/// before the host.
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
