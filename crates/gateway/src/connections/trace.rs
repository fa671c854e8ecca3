//! Login traces: the checks of a failed login, for the people who must correct its cause.

use genkan_db::Tx;
use genkan_store::interaction::{Interaction, Request};
use genkan_store::login_trace::{self, LoginTrace};
use genkan_store::{ClientId, Error, Timestamp, TraceId, login_message};
use serde_json::{Map, Value};

use super::SignInFailure;
use super::failure::AnswerOrigin;
use crate::app::App;
use crate::context;
use crate::tally::{self, Stranger, Subject};

/// This many traces of one connection are stored in a minute, without those of [`OF_STRANGERS`].
const WHOLE: u64 = 10;
/// This many traces of each kind of answer that a [`Stranger`] can bring are stored for one connection in an hour.
/// They may be posted again and again, so they must not hide the others.
const OF_STRANGERS: u64 = 20;
/// This many traces of one sign-in are stored for the browser that began it, after those [`OF_STRANGERS`] were used
/// up. They have an hour's limit of the same height.
const OF_A_BROWSER: u64 = 3;
/// This many traces of one test are stored. Its link counts once, but a failed answer by SAML uses nothing up,
/// so the next one may be posted to the same request.
const OF_A_TEST: u64 = 3;
/// Of further failures in that minute, one in this many gets a trace. A stranger may fail as often as they
/// like, and the hundredth trace says the same as the tenth.
const ONE_IN: u64 = 100;

/// Stores the trace of an answer that belongs to no sign-in. It has no event.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn record_stranger(app: &App, failure: &SignInFailure) -> Result<Option<TraceId>, Error> {
    let now = app.now();
    let stranger = match failure.origin() {
        AnswerOrigin::Anybody => Stranger::Unsigned,
        AnswerOrigin::Elsewhere | AnswerOrigin::Provider => Stranger::Signed,
    };
    if number_of_stranger(app, failure, stranger) > OF_STRANGERS {
        return Ok(None);
    }
    let row = row(app, (None, None), failure, now);
    app.db().tx(async |tx| insert(tx, &row, failure).await).await?;
    log(failure, &row.id);
    Ok(Some(row.id))
}

/// Stores the trace of a failed login with its event, and logs one line.
///
/// If too many fail within a minute, nothing is stored for this one, and it is only counted.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn record(
    app: &App,
    interaction: &Interaction,
    failure: &SignInFailure,
) -> Result<Option<TraceId>, Error> {
    let now = app.now();
    let connection_id = failure.connection_id.clone();
    let subject = match failure.origin() {
        AnswerOrigin::Anybody | AnswerOrigin::Elsewhere => Subject::Stranger(connection_id),
        AnswerOrigin::Provider => Subject::Connection(connection_id),
    };
    let number = app.tally().failed(&subject, now);
    let is_kept = match (&interaction.request, failure.origin()) {
        // However many others fail: its link counts once, and a person waits for the result.
        (Request::TestConnection { .. }, _) => app.tally().failed_in_test(&interaction.id, now) <= OF_A_TEST,
        // Strangers can begin sign-ins, and answer them themselves.
        (_, AnswerOrigin::Anybody) => number_of_stranger(app, failure, Stranger::Unsigned) <= OF_STRANGERS,
        (_, AnswerOrigin::Elsewhere) => {
            number_of_stranger(app, failure, Stranger::SignedForOther) <= OF_STRANGERS
        }
        (_, AnswerOrigin::Provider) => number <= WHOLE || number.is_multiple_of(ONE_IN),
    };
    let client_id = client_of(interaction);
    let row = is_kept.then(|| row(app, (Some(interaction), client_id.clone()), failure, now));
    let id = row.as_ref().map(|row| row.id.clone());
    let told = told(failure, id.as_ref(), client_id.as_ref());
    if row.is_some() || number == 1 {
        let at = app.at(now);
        app.db()
            .tx(async |tx| -> Result<(), Error> {
                if let Some(row) = &row {
                    insert(tx, row, failure).await?;
                }
                if number == 1 {
                    tally::record(tx, at, &subject, &told).await?;
                }
                Ok(())
            })
            .await?;
    }
    if let Some(id) = &id {
        log(failure, id);
    }
    if number > 1 {
        app.tally().more(subject, told, now);
    }
    Ok(id)
}

/// Stores the trace of a failure for the browser that began the sign-in and has come back. [`record`] has counted
/// the failure, and stored no trace, because strangers had used up those of the hour.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn record_in_browser(
    app: &App,
    interaction: &Interaction,
    failure: &SignInFailure,
    id: &TraceId,
) -> Result<Option<TraceId>, Error> {
    let now = app.now();
    // A browser that fails again and again uses up its own traces first.
    if app.tally().failed_in_browser(&interaction.id, now) > OF_A_BROWSER
        || number_of_stranger(app, failure, Stranger::InOwnBrowser) > OF_STRANGERS
    {
        return Ok(None);
    }
    let row = LoginTrace {
        id: id.clone(),
        ..row(app, (Some(interaction), client_of(interaction)), failure, now)
    };
    app.db()
        .tx(async |tx| -> Result<(), Error> {
            // The same page may be loaded twice at once.
            match login_trace::find(tx, id).await? {
                Some(_) => Ok(()),
                None => insert(tx, &row, failure).await,
            }
        })
        .await?;
    log(failure, id);
    Ok(Some(id.clone()))
}

fn client_of(interaction: &Interaction) -> Option<ClientId> {
    match &interaction.request {
        Request::Authorize(request) => ClientId::parse(&request.client_id).ok(),
        Request::TestConnection { .. } => None,
    }
}

fn number_of_stranger(app: &App, failure: &SignInFailure, stranger: Stranger) -> u64 {
    let connection_id = &failure.connection_id;
    app.tally()
        .failed_for_stranger(connection_id, stranger, app.now())
}

fn row(
    app: &App,
    (interaction, client_id): (Option<&Interaction>, Option<ClientId>),
    failure: &SignInFailure,
    now: Timestamp,
) -> LoginTrace {
    LoginTrace {
        id: app.ids().next::<TraceId>(now),
        interaction_id: interaction.map(|interaction| interaction.id.clone()),
        connection_id: Some(failure.connection_id.clone()),
        organization_id: failure.organization_id.clone(),
        client_id,
        cause: failure.cause.code().to_owned(),
        remedy: failure.remedy.clone(),
        trace: failure.trace.clone(),
        created_at: now,
    }
}

async fn insert(tx: &mut Tx<'_>, row: &LoginTrace, failure: &SignInFailure) -> Result<(), Error> {
    login_trace::insert(tx, row).await?;
    match &failure.messages {
        Some(messages) => {
            let end = row.created_at + messages.kept();
            login_message::insert(tx, &row.id, &messages.texts, end).await
        }
        None => Ok(()),
    }
}

fn log(failure: &SignInFailure, id: &TraceId) {
    tracing::warn!(
        reference = %id, cause = failure.cause.code(), connection = %failure.connection_id, "login failed at the identity provider"
    );
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
    set("cause", failure.cause.code());
    if let Some(id) = context::request_id() {
        set("request_id", &id);
    }
    tally::FailureRecord {
        data,
        organization_id: failure.organization_id.clone(),
        client_id: client_id.cloned(),
    }
}
