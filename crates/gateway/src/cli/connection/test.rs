//! `genkan connection test`

use std::time::Duration;

use clap::Args;
use genkan_protocol::Trace;
use genkan_protocol::oauth::append_query;
use genkan_store::connection::Endpoint;
use genkan_store::connection_test::{self, ConnectionTest, LINK_LIFETIME, Status};
use genkan_store::{ConnectionId, ConnectionTestId, Secret, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::find;
use crate::cli::instance::Instance;
use crate::cli::output::{details, time};
use crate::cli::{Context, Failure, trace};

const EXAMPLES: &str = "\
Examples:
  genkan connection test conn_241053847510274048012
  genkan connection test conn_241053847510274048012 --no-wait --json

The link counts once, for ten minutes. Whoever opens it signs in at the
identity provider with this connection's settings; nobody is signed in at an
application.
The server must be running.";

/// How long the person may take at the provider.
const PATIENCE: Duration = Duration::from_mins(10);

/// How often the command checks for the result.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TestArgs {
    /// Its identifier
    connection: String,
    /// Print the link and leave; the API tells the result
    #[arg(long)]
    no_wait: bool,
}

/// A new test, with its link.
#[derive(Serialize)]
struct Link {
    id: String,
    /// The API's identifier of the test.
    test_request_id: String,
    test_uri: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Outcome {
    id: String,
    test_request_id: String,
    status: &'static str,
    /// A code such as `invalid_id_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// What to change, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    checks: Trace,
    /// What the provider sent about the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Map<String, Value>>,
}

pub(super) async fn run(args: &TestArgs, instance: &Instance, context: &mut Context) -> Result<(), Failure> {
    let connection = find(instance, &args.connection).await?;
    let (at, word) = (instance.stamp(), Secret::generate());
    let (test_id, hash): (ConnectionTestId, _) = (at.id(), word.sha256());
    let expires_at = instance
        .change(async |tx| connection_test::insert(tx, &test_id, &connection.id, &hash, at.now).await)
        .await?;
    let path = connection.path(Endpoint::Test);
    let link = Link {
        id: connection.id.to_string(),
        test_request_id: test_id.to_string(),
        test_uri: append_query(
            &instance.config.public_url.join(&path),
            &[("word", word.expose())],
        ),
        expires_at: time(expires_at),
    };
    if args.no_wait {
        context.console.print(&link, || format!("{}\n", link.test_uri))?;
        context
            .console
            .note("Open it in a browser and sign in. It counts once, for ten minutes.");
        return Ok(());
    }
    context.console.note(&format!(
        "Open this in a browser and sign in. It counts once, for ten minutes:\n{}\nWaiting for the result; Ctrl-C \
         stops waiting.",
        link.test_uri
    ));
    let test = wait(instance, &connection.id, &test_id, at.now).await?;
    let outcome = Outcome::of(test);
    context.console.print(&outcome, || outcome.text())?;
    match outcome.cause {
        None => Ok(()),
        Some(_) => Err(Failure::new("The test failed.").remedy("What to do stands above.")),
    }
}

/// Waits for the result of the test.
async fn wait(
    instance: &Instance,
    connection_id: &ConnectionId,
    id: &ConnectionTestId,
    began: Timestamp,
) -> Result<ConnectionTest, Failure> {
    loop {
        let found = instance
            .read(async |tx| connection_test::find(tx, connection_id, id).await)
            .await?;
        let test = found.ok_or_else(|| Failure::not_found("The connection was deleted meanwhile."))?;
        if test.status != Status::Pending {
            return Ok(test);
        }
        let now = instance.stamp().now;
        if test.link_expires_at.is_some_and(|until| until <= now) {
            return Err(Failure::new("Nobody opened the link in time.")
                .remedy("The same command makes another one; is the server running?"));
        }
        if began + LINK_LIFETIME + PATIENCE <= now {
            return Err(Failure::new(
                "The link was opened, and nobody came back from the identity provider.",
            )
            .remedy("Look at what the provider shows there, then run the command again."));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Outcome {
    fn of(test: ConnectionTest) -> Self {
        let (cause, remedy, failed) = match test.failure {
            None => (None, None, None),
            Some(failure) => (
                Some(failure.error),
                Some(failure.description),
                serde_json::from_value(failure.details).ok(),
            ),
        };
        Self {
            id: test.connection_id.to_string(),
            test_request_id: test.id.to_string(),
            status: test.status.as_str(),
            cause,
            remedy,
            checks: test.trace.or(failed).unwrap_or_default(),
            claims: test.user_info,
        }
    }

    fn text(&self) -> String {
        let mut rows = vec![
            ("Connection", self.id.clone()),
            ("Test", self.test_request_id.clone()),
            ("Result", self.status.to_owned()),
        ];
        rows.extend(self.cause.clone().map(|cause| ("Cause", cause)));
        rows.extend(trace::failed(self.checks.checks()));
        rows.extend(self.remedy.clone().map(|remedy| ("What to do", remedy)));
        let claims: Vec<(&str, String)> = self
            .claims
            .iter()
            .flatten()
            .map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name.as_str(), text)
            })
            .collect();
        let mut text = format!("{}\n{}", details(&rows), trace::checks(self.checks.checks()));
        if !claims.is_empty() {
            text.push_str(&format!(
                "\nWhat the identity provider sent:\n{}",
                details(&claims)
            ));
        }
        text
    }
}
