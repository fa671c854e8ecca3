//! Login traces: the checks of a failed login, for the people who must correct its cause.

use genkan_store::interaction::{Interaction, Request};
use genkan_store::{ClientId, Error, TraceId, login_trace};
use serde_json::{Map, Value};

use super::SignInFailure;
use crate::app::App;
use crate::context;
use crate::tally::{self, Subject};

/// This many traces of one connection are stored in a minute.
const WHOLE: u64 = 10;
/// Of further failures in that minute, one in this many gets a trace. A stranger may fail as often as they
/// like, and the hundredth trace says the same as the tenth.
const ONE_IN: u64 = 100;

/// Stores the trace of a failed login with its event, and logs one line.
///
/// If too many fail within a minute, nothing is stored for this one, and it is only counted.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn record(
    app: &App,
    interaction: Option<&Interaction>,
    failure: &SignInFailure,
) -> Result<Option<TraceId>, Error> {
    let now = app.now();
    let subject = Subject::Connection(failure.connection_id.clone());
    let number = app.tally().failed(&subject, now);
    // A test always gets a trace: its link counts once, and a person waits for the result.
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

/// The facts of the event.
fn told(
    failure: &SignInFailure,
    trace_id: Option<&TraceId>,
    client_id: Option<&ClientId>,
) -> tally::FailureRecord {
    let mut data = Map::new();
    let mut set = |name: &str, value: &str| data.insert(name.to_owned(), Value::from(value));
    if let Some(id) = trace_id {
        set("trace_id", id.as_str());
    }
    set("cause", &failure.cause);
    if let Some(id) = context::request_id() {
        set("request_id", &id);
    }
    tally::FailureRecord {
        data,
        organization_id: failure.organization_id.clone(),
        client_id: client_id.cloned(),
    }
}
