//! The request that an answer names, while it waits, and after.

use genkan_db::Tx;
use genkan_store::interaction::{self, Interaction};
use genkan_store::upstream_request::{self, UpstreamRequest};
use genkan_store::{Error, SecretHash, Timestamp, saml_assertion};

/// A request, as it is stored.
pub(super) enum RequestStatus {
    Waiting(UpstreamRequest, Box<Interaction>),
    Expired,
    Answered,
    Nothing,
}

/// Finds the request with this `state`, of any connection.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    state: &SecretHash,
    now: Timestamp,
) -> Result<RequestStatus, Error> {
    let Some(request) = upstream_request::find(tx, state).await? else {
        return Ok(match saml_assertion::has_answered(tx, state).await? {
            true => RequestStatus::Answered,
            false => RequestStatus::Nothing,
        });
    };
    if request.expires_at <= now {
        return Ok(RequestStatus::Expired);
    }
    let interaction = interaction::find_open(tx, &request.interaction_id, now).await?;
    Ok(match interaction {
        Some(interaction) => RequestStatus::Waiting(request, Box::new(interaction)),
        None => RequestStatus::Expired,
    })
}
