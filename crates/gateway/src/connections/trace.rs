//! Login traces: what was checked when a login failed, for those who must mend it.

use genkan_store::event::{self, Entry, Kind};
use genkan_store::interaction::{Interaction, Request};
use genkan_store::{ClientId, Error, TraceId, login_trace};

use super::Failure;
use crate::app::App;

/// Keeps the trace of a failed login, with its event, and logs one line.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn record(
    app: &App,
    interaction: Option<&Interaction>,
    failure: &Failure,
) -> Result<TraceId, Error> {
    let now = app.now();
    let id = app.ids().next::<TraceId>(now);
    let client_id = interaction.and_then(|interaction| match &interaction.request {
        Request::Authorize(request) => ClientId::parse(&request.client_id).ok(),
        Request::TestConnection { .. } => None,
    });
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
            let mut entry = Entry::new(Kind::LoginFailed)
                .organization(row.organization_id.as_ref())
                .with("trace_id", row.id.as_str())
                .with("cause", row.cause.as_str())
                .with("connection_id", failure.connection_id.as_str());
            if let Some(client_id) = &row.client_id {
                entry = entry.client(client_id);
            }
            event::record(tx, at, entry).await
        })
        .await?;
    tracing::warn!(
        reference = %id, cause = failure.cause, connection = %failure.connection_id, "login failed at the identity provider"
    );
    Ok(id)
}
