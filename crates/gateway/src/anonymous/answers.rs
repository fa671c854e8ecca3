//! Answers of identity providers, charged to the client that brings them.

use genkan_store::ConnectionId;

use super::LimitExceeded;
use crate::app::App;
use crate::budget::Attempt;
use crate::context;

/// Call it before a code is exchanged.
///
/// # Errors
///
/// [`LimitExceeded`] if codes of this client or connection have failed too often.
pub(crate) fn begin<'a>(
    app: &'a App,
    connection_id: &ConnectionId,
) -> Result<Option<Attempt<'a>>, LimitExceeded> {
    let Some(source) = context::source() else {
        return Ok(None);
    };
    let attempt = app.budget().answers.begin((connection_id.clone(), source));
    attempt.map(Some).map_err(LimitExceeded::after)
}
