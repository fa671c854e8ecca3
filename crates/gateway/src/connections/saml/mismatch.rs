//! An assertion that another browser fetches, or the right one without its cookie.

use genkan_store::parked_answer::{self, Content};
use genkan_store::{ConnectionId, Secret, connection};

use super::VerifiedAnswer;
use super::failure::failure;
use super::service_provider;
use crate::app::App;
use crate::connections::SignInFailure;
use crate::web::error::PageError;
use genkan_protocol::saml::Cause;

/// Why nobody is signed in by this handle, if an assertion waits under it. It goes on waiting.
///
/// # Errors
///
/// [`PageError`] if the store fails.
pub async fn mismatch(
    app: &App,
    connection_id: &ConnectionId,
    handle: &str,
) -> Result<Option<SignInFailure>, PageError> {
    let (handle, now) = (Secret::from_presented(handle).sha256(), app.now());
    let found = app
        .db()
        .read(async |tx| -> Result<_, genkan_store::Error> {
            let Some(parked) = parked_answer::find(tx, &handle, now).await? else {
                return Ok(None);
            };
            let connection = connection::find(tx, &parked.connection_id).await?;
            Ok(connection.map(|connection| (parked, connection)))
        })
        .await?;
    let Some((parked, connection)) = found.filter(|(_, connection)| connection.id == *connection_id) else {
        return Ok(None);
    };
    let Some(settings) = connection.settings.as_saml() else {
        return Ok(None);
    };
    let json = parked
        .open(app.instance_key(), Content::Assertion)
        .map_err(PageError::internal)?;
    let mut trace = VerifiedAnswer::parse(&json).map_err(PageError::internal)?.trace;
    trace.fail(
        "Browser",
        "the one that began the sign-in, with its cookie",
        "another one, or one that did not send the cookie",
    );
    let sp = service_provider(app, &connection, settings);
    Ok(Some(failure(&connection, &sp, Cause::BrowserMismatch, trace)))
}
