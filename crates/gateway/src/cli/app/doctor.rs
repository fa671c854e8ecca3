//! `genkan app doctor`: shows what recently failed between an application and this instance, and how to
//! correct it.

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_store::client::{Client, ClientSecret};
use genkan_store::event::{self, Event, Filter, Kind};
use genkan_store::{MAX_LIMIT, Page};
use serde::Serialize;
use serde_json::Value;

use super::find;
use crate::cli::instance::Instance;
use crate::cli::output::{details, time};
use crate::cli::{Context, Failure};

/// The period that it examines.
const LATELY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One kind of trouble.
#[derive(Debug, Serialize)]
struct Trouble {
    /// A code such as `redirect_uri_not_registered`.
    reason: String,
    endpoint: String,
    /// The description that the application received, or that an event holds.
    description: String,
    count: u64,
    last_at: String,
    /// The last address that was sent, without parts that may be secret.
    redirect_uri: Option<String>,
    /// It is in the log, and on the error page.
    request_id: Option<String>,
    remedy: &'static str,
}

#[derive(Debug, Serialize)]
struct Report {
    id: String,
    name: String,
    since: String,
    redirect_uris: Vec<String>,
    /// The number of valid secrets.
    live_secrets: usize,
    troubles: Vec<Trouble>,
}

impl Report {
    fn text(&self) -> String {
        let mut text = details(&[
            ("Application", self.id.clone()),
            ("Name", self.name.clone()),
            ("Redirect URIs", self.redirect_uris.join(" ")),
            ("Live secrets", self.live_secrets.to_string()),
        ]);
        if self.troubles.is_empty() {
            text.push_str(&format!("\nNothing was refused since {}.\n", self.since));
        }
        for trouble in &self.troubles {
            text.push_str(&format!(
                "\n{} × {} at {}, last at {}\n  {}\n",
                trouble.count, trouble.reason, trouble.endpoint, trouble.last_at, trouble.description
            ));
            if let Some(uri) = &trouble.redirect_uri {
                text.push_str(&format!("  sent: {uri}\n"));
            }
            if let Some(id) = &trouble.request_id {
                text.push_str(&format!("  in the log: {id}\n"));
            }
            text.push_str(&format!("  → {}\n", trouble.remedy));
        }
        text
    }
}

pub(super) async fn run(app: &str, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let (client, secrets) = find(instance, app).await?;
    let now = instance.stamp().now;
    let since = now - LATELY;
    let filter = Filter {
        kind: Some(Kind::ClientRefused),
        client_id: Some(client.id.clone()),
        since: Some(since),
        ..Filter::default()
    };
    let page = Page::first(MAX_LIMIT);
    let events = instance
        .read(async |tx| event::list(tx, &filter, &page).await)
        .await?;
    let report = report(&client, &secrets, &events, (since, now));
    context.console.print(&report, || report.text())
}

fn report(
    client: &Client,
    secrets: &[ClientSecret],
    newest_first: &[Event],
    (since, now): (Timestamp, Timestamp),
) -> Report {
    let mut troubles: BTreeMap<(String, String), Trouble> = BTreeMap::new();
    for event in newest_first {
        // It is printed on a terminal, and anybody may have sent it.
        let clean = |text: &str| text.replace(char::is_control, "?");
        let text = |name: &str| event.data.get(name).and_then(Value::as_str).map(clean);
        let reason = text("reason").unwrap_or_default();
        let endpoint = text("endpoint").unwrap_or_default();
        let count = event.data.get("count").and_then(Value::as_u64).unwrap_or(1);
        let key = (reason.clone(), endpoint.clone());
        // Events come newest first, so the first one's facts are shown.
        let trouble = troubles.entry(key).or_insert_with(|| Trouble {
            remedy: remedy(&reason),
            description: text("description").unwrap_or_default(),
            count: 0,
            last_at: time(event.occurred_at),
            redirect_uri: text("redirect_uri"),
            request_id: text("request_id"),
            reason,
            endpoint,
        });
        trouble.count += count;
    }
    let mut troubles: Vec<Trouble> = troubles.into_values().collect();
    troubles.sort_by(|one, other| other.last_at.cmp(&one.last_at));
    Report {
        id: client.id.to_string(),
        name: client.name.clone(),
        since: time(since),
        redirect_uris: client.redirect_uris.clone(),
        live_secrets: secrets.iter().filter(|secret| secret.is_active(now)).count(),
        troubles,
    }
}

/// What to do about it.
fn remedy(reason: &str) -> &'static str {
    match reason {
        "redirect_uri_not_registered" => {
            "Compare the address that was sent with the redirect URIs above, to the letter: scheme, host, port, path, \
             a slash at the end. Register it with `genkan app update APP --redirect-uri …` (a list replaces the one \
             there is), or let the application send one of those."
        }
        "redirect_uri_missing" => {
            "Let the application send redirect_uri. It may leave it out only where exactly one is registered."
        }
        "client_secret_wrong" => {
            "The application has another secret than those that `genkan app show APP` lists; the last four \
             characters tell which. Make a new one with `genkan app secret add APP`, and give it to the application."
        }
        "client_secret_expired" => {
            "The application uses a secret that has ended or was disabled. Make a new one with `genkan app secret add \
             APP`, and give it to the application."
        }
        "client_secret_missing" => {
            "Let the application send its secret (client_secret_basic or client_secret_post). One that cannot keep a \
             secret is of type spa or native."
        }
        "client_secret_missing_with_pkce" => {
            "Let the application send its secret beside the code_verifier. If PKCE shall be enough: `genkan app update APP \
             --secret-optional-with-pkce`; one that cannot keep a secret is of type spa or native."
        }
        "invalid_client" => "Let the application authenticate itself with its secret for this request.",
        "invalid_grant" => {
            "The code or the refresh token did not count: used before, too old (a code lives for a minute), revoked, or \
             with another redirect_uri or code_verifier than at the start. The description says which. If it is \
             `already used`, look for a request that is sent twice."
        }
        "unauthorized_client" => {
            "The application is not registered for this kind of request. `genkan app show APP` says what it is."
        }
        "unsupported_response_type" => "Let the application ask for response_type=code; there is no other.",
        "unsupported_grant_type" => {
            "Let the application use authorization_code, refresh_token or client_credentials."
        }
        "invalid_scope" => "Ask for scopes that exist and that the application is registered for.",
        _ => "The description says what is wrong with the request; the application sends it.",
    }
}
