//! Answers of identity providers whose codes they did not accept.
//!
//! Anybody may come back with a code that they made up, and it is exchanged with
//! the customer's own credentials: a provider that counts failures would lock
//! the customer out. So failures of one connection have a budget, and each
//! client address a part of it. When the connection's is used up, an address
//! that has not failed there still gets through: one who floods shuts out
//! themselves and not the company.

use genkan_store::ConnectionId;

use super::TooMany;
use super::buckets::{Buckets, Taken};
use crate::app::App;
use crate::listener::Source;
use crate::web::context;

/// What one client may fail of all.
const SHARE: u32 = 2;

#[derive(Debug)]
pub(crate) struct Answers {
    of_connections: Buckets,
    of_clients: Buckets,
}

impl Answers {
    pub(crate) fn new(failures_per_minute: u32) -> Self {
        Self {
            of_connections: Buckets::new(failures_per_minute),
            of_clients: Buckets::new(failures_per_minute.div_ceil(SHARE)),
        }
    }
}

/// An exchange under way. It counts as failed as long as it lasts, so that many
/// at once are no way around; dropping it gives that back.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    app: &'a App,
    key: (ConnectionId, Source),
    taken: Option<Taken>,
}

/// Before a code is exchanged.
///
/// # Errors
///
/// [`TooMany`] if codes from there have failed too often.
pub(crate) fn begin<'a>(app: &'a App, connection_id: &ConnectionId) -> Result<Option<Attempt<'a>>, TooMany> {
    let Some(source) = context::source() else {
        return Ok(None);
    };
    let answers = &app.anonymous().answers;
    let key = (connection_id.clone(), source);
    let taken = answers.of_clients.take(&key, 1).map_err(TooMany::after)?;
    let attempt = Attempt {
        app,
        key,
        taken: Some(taken),
    };
    let is_first = || answers.of_clients.lacks_only(&attempt.key, 1);
    if !answers.of_connections.has_room(connection_id) && !is_first() {
        return Err(TooMany::after(std::time::Duration::from_secs(5)));
    }
    Ok(Some(attempt))
}

impl Attempt<'_> {
    /// The provider did not accept the code.
    pub(crate) fn failed(mut self) {
        self.taken = None;
        // Beyond the budget there is nothing left to take.
        let _ = self.app.anonymous().answers.of_connections.take(&self.key.0, 1);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.app
                .anonymous()
                .answers
                .of_clients
                .give_back(&self.key, taken);
        }
    }
}
