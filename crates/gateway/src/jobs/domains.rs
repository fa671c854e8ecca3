//! Looks for the TXT records of domains that wait for verification.

use std::time::Duration;

use genkan_api::dns;
use genkan_store::domain::{self, Proof};
use genkan_store::{Actor, Error, conflict};

use crate::app::App;

/// How often name servers are queried.
pub const EVERY: Duration = Duration::from_mins(10);

/// How long a record may take to appear. Afterwards it can still be verified by hand.
const PATIENCE: Duration = Duration::from_hours(7 * 24);

/// The most domains that one transaction gives up.
const GIVEN_UP_AT_ONCE: u32 = 50;

/// Queries each waiting domain, one after the other, and gives up those that have waited too long.
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn look(app: &App) -> Result<(), Error> {
    let pending = app.db().read(async |tx| domain::list_pending(tx).await).await?;
    for domain in &pending {
        let Some(name) = domain.txt_name() else { continue };
        if !dns::has_text(&name, &domain.txt_value, None)
            .await
            .unwrap_or(false)
        {
            continue;
        }
        let at = app.at(app.now()).by(Actor::Job);
        let verified = app
            .db()
            .tx(async |tx| domain::prove(tx, at, &domain.organization_id, &domain.id, Proof::Dns).await)
            .await;
        match verified {
            // The domain was deleted meanwhile, or another organization proved it first.
            Ok(_) | Err(Error::Stale | Error::Conflict(conflict::DOMAIN)) => {}
            Err(error) => return Err(error),
        }
    }
    let at = app.at(app.now()).by(Actor::Job);
    let since = at.now - PATIENCE;
    app.db()
        .tx(async |tx| domain::give_up_pending(tx, at, since, GIVEN_UP_AT_ONCE).await)
        .await?;
    Ok(())
}
