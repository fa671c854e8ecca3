//! Login traces: what was checked when a login failed, for those who must mend it.

use genkan_store::interaction::{Interaction, Request};
use genkan_store::{ClientId, Error, TraceId, login_trace};
use serde_json::{Map, Value};

use super::Failure;
use crate::app::App;
use crate::context;
use crate::tally::{self, Subject};

/// So many traces of one connection are kept in a minute …
const WHOLE: u64 = 10;
/// … and of what fails beyond that, one in so many: a stranger may fail as often
/// as they like, and the hundredth trace tells what the tenth did.
const ONE_IN: u64 = 100;

/// Keeps the trace of a failed login, with its event, and logs one line.
///
/// Where many fail within a minute there is no trace for each; then nothing is
/// stored of this one, and it is counted.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn record(
    app: &App,
    interaction: Option<&Interaction>,
    failure: &Failure,
) -> Result<Option<TraceId>, Error> {
    let now = app.now();
    let subject = Subject::Connection(failure.connection_id.clone());
    let number = app.tally().failed(&subject, now);
    // A test has a link that counts once, and somebody waits for what it tells.
    let is_test =
        interaction.is_some_and(|interaction| matches!(interaction.request, Request::TestConnection { .. }));
    let is_kept = is_test || number <= WHOLE || number.is_multiple_of(ONE_IN);
    let id = is_kept.then(|| app.ids().next::<TraceId>(now));
    let client_id = interaction.and_then(|interaction| match &interaction.request {
        Request::Authorize(request) => ClientId::parse(&request.client_id).ok(),
        Request::TestConnection { .. } => None,
    });
    let told = told(failure, id.as_ref(), client_id.as_ref());
    if let Some(id) = &id {
        let row = login_trace::LoginTrace {
            id: id.clone(),
            interaction_id: interaction.map(|interaction| interaction.id.clone()),
            connection_id: Some(failure.connection_id.clone()),
            organization_id: failure.organization_id.clone(),
            client_id,
            cause: failure.cause.clone(),
            remedy: failure.remedy.clone(),
            trace: failure.trace.clone(),
            created_at: now,
        };
        let at = app.at(now);
        app.db()
            .tx(async |tx| -> Result<(), Error> {
                login_trace::insert(tx, &row).await?;
                if number == 1 {
                    tally::record(tx, at, &subject, &told).await?;
                }
                Ok(())
            })
            .await?;
        tracing::warn!(
            reference = %id, cause = failure.cause, connection = %failure.connection_id, "login failed at the identity provider"
        );
    }
    if number > 1 {
        app.tally().more(subject, told, now);
    }
    Ok(id)
}

/// What the event says.
fn told(failure: &Failure, trace_id: Option<&TraceId>, client_id: Option<&ClientId>) -> tally::Failure {
    let mut data = Map::new();
    let mut set = |name: &str, value: &str| data.insert(name.to_owned(), Value::from(value));
    if let Some(id) = trace_id {
        set("trace_id", id.as_str());
    }
    set("cause", &failure.cause);
    if let Some(id) = context::request_id() {
        set("request_id", &id);
    }
    tally::Failure {
        data,
        organization_id: failure.organization_id.clone(),
        client_id: client_id.cloned(),
    }
}
