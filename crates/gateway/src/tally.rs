//! How many tokens each client fetched for itself, and when a secret was last used.
//!
//! Such a token changes nothing in the database, and a busy service fetches
//! thousands a second: a row for each would cost more than the token and bury
//! every other event. So they are counted, and one event tells the number of a
//! minute. A crash loses what was counted since the last one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use genkan_protocol::Timestamp;
use genkan_store::event::{self, Entry, Kind};
use genkan_store::{ClientId, Error, SecretId, client};

use crate::app::App;

/// How often the numbers are written.
pub const WRITE_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(crate) struct Tally {
    clients: Mutex<HashMap<ClientId, Counted>>,
    secrets: Mutex<HashMap<SecretId, Timestamp>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    tokens: u64,
    since: Timestamp,
}

impl Tally {
    /// A client has fetched a token for itself.
    pub(crate) fn count(&self, client_id: &ClientId, now: Timestamp) {
        self.add(
            client_id,
            Counted {
                tokens: 1,
                since: now,
            },
        );
    }

    fn add(&self, client_id: &ClientId, more: Counted) {
        let mut clients = locked(&self.clients);
        match clients.get_mut(client_id) {
            Some(counted) => {
                counted.tokens += more.tokens;
                counted.since = counted.since.min(more.since);
            }
            None => {
                clients.insert(client_id.clone(), more);
            }
        }
    }

    /// A client has authenticated itself with a secret.
    pub(crate) fn used(&self, secret_id: &SecretId, now: Timestamp) {
        let mut secrets = locked(&self.secrets);
        match secrets.get_mut(secret_id) {
            Some(last) => *last = now.max(*last),
            None => {
                secrets.insert(secret_id.clone(), now);
            }
        }
    }

    fn take(&self) -> HashMap<ClientId, Counted> {
        std::mem::take(&mut *locked(&self.clients))
    }

    fn take_secrets(&self) -> HashMap<SecretId, Timestamp> {
        std::mem::take(&mut *locked(&self.secrets))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what was counted; what cannot be written is counted on.
///
/// # Errors
///
/// [`Error`] if the store fails.
pub async fn write(app: &App) -> Result<(), Error> {
    let (taken, secrets) = (app.tally().take(), app.tally().take_secrets());
    if taken.is_empty() && secrets.is_empty() {
        return Ok(());
    }
    let at = app.at(app.now());
    let written = app
        .db()
        .tx(async |tx| -> Result<(), Error> {
            for (client_id, counted) in &taken {
                let entry = Entry::new(Kind::TokenIssued)
                    .client(client_id)
                    .with("grant_type", "client_credentials")
                    .with("tokens", counted.tokens)
                    .with("since", counted.since.as_secs());
                event::record(tx, at, entry).await?;
            }
            client::secrets_used(tx, &secrets).await
        })
        .await;
    if written.is_err() {
        for (client_id, counted) in &taken {
            app.tally().add(client_id, *counted);
        }
        for (secret_id, at) in &secrets {
            app.tally().used(secret_id, *at);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_counted_from_its_first_token() {
        let tally = Tally::default();
        let (one, other) = (
            ClientId::parse("skc_1").unwrap(),
            ClientId::parse("skc_2").unwrap(),
        );
        let at = Timestamp::from_secs;
        tally.count(&one, at(10));
        tally.count(&other, at(11));
        tally.count(&one, at(12));
        let taken = tally.take();
        assert_eq!(
            taken[&one],
            Counted {
                tokens: 2,
                since: at(10)
            }
        );
        assert_eq!(
            taken[&other],
            Counted {
                tokens: 1,
                since: at(11)
            }
        );
        assert!(tally.take().is_empty());
    }

    #[test]
    fn the_last_use_of_a_secret_is_kept() {
        let tally = Tally::default();
        let (secret, at) = (SecretId::parse("sks_1").unwrap(), Timestamp::from_secs);
        for secs in [10, 12, 11] {
            tally.used(&secret, at(secs));
        }
        assert_eq!(tally.take_secrets()[&secret], at(12));
        assert!(tally.take_secrets().is_empty());
    }

    #[test]
    fn what_could_not_be_written_is_counted_on() {
        let tally = Tally::default();
        let client = ClientId::parse("skc_1").unwrap();
        tally.count(&client, Timestamp::from_secs(10));
        let taken = tally.take();
        tally.count(&client, Timestamp::from_secs(70));
        tally.add(&client, taken[&client]);
        let since = Timestamp::from_secs(10);
        assert_eq!(tally.take()[&client], Counted { tokens: 2, since });
    }
}
