//! For people who come from Google: checks whether their account is the company's own.

use genkan_store::admission::Refusal;
use genkan_store::connection::hosted_domain::{self, HostedDomainCheck};

use super::{SignInFailure, UpstreamIdentity};
use crate::app::App;
use crate::web::error::PageError;

const CHECK: &str = "Hosted domain (hd)";

/// Adds a line to the trace. The transaction that would sign the person in checks this again. A test ends
/// here.
///
/// # Errors
///
/// The outer error is a page: the store has failed.
pub(super) async fn check(
    app: &App,
    mut identity: UpstreamIdentity,
) -> Result<Result<UpstreamIdentity, SignInFailure>, PageError> {
    let looked = app
        .db()
        .read(async |tx| hosted_domain::look(tx, &identity.connection, &identity.attributes).await)
        .await?;
    let Some(HostedDomainCheck {
        received,
        is_own,
        is_refused,
    }) = looked
    else {
        return Ok(Ok(identity));
    };
    let received = received.as_deref().unwrap_or("none");
    if is_refused {
        identity
            .trace
            .fail(CHECK, "a domain of the organization", received);
        return Ok(Err(identity.refused(&Refusal::HostedDomainForeign)));
    }
    let note = if is_own {
        received.to_owned()
    } else {
        format!(
            "{received} is no domain of the organization. This connection lets it pass: \
             `genkan connection update {} --check-hosted-domain on` ends that",
            identity.connection.id
        )
    };
    identity.trace.pass(CHECK, note);
    Ok(Ok(identity))
}
