//! Counters for things that happen too often for a row each: tokens that clients fetch
//! for themselves, the last use of a secret, failures and refusals.
//!
//! A busy service fetches thousands of tokens a second, and a stranger can cause as many
//! failures. A row for each would be too expensive and hide every other event. So they
//! are counted, and one event holds the number of a minute. The first failure of a minute
//! has an event of its own at once. A crash loses the counts since the last write.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use genkan_db::{Db, Tx};
use genkan_protocol::Timestamp;
use genkan_store::event::{self, Entry, Kind};
use genkan_store::{ClientId, ConnectionId, Error, InteractionId, OrganizationId, SecretId, Stamp, client};
use parking_lot::Mutex;
use serde_json::{Map, Value};

/// How often the numbers are written.
pub const WRITE_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(crate) struct Tally {
    clients: Mutex<HashMap<ClientId, TokenCount>>,
    secrets: Mutex<HashMap<SecretId, Timestamp>>,
    failures: Mutex<Failures>,
    /// When the hour of each connection began, and how many answers failed there in it that strangers can make.
    strangers: Windows<(ConnectionId, Stranger)>,
    /// When the minute of each connection began, and how many decryptions strangers have caused in it.
    decryptions: Windows<ConnectionId>,
    /// When the first answer of each test of a connection failed, and how many did.
    tests: Windows<InteractionId>,
    /// The same for each sign-in, counting failures without a trace with which its own browser came back.
    browsers: Windows<InteractionId>,
}

/// When the time of each began, and how many there were in it. Each exists in the database, so their number
/// is bounded.
#[derive(Debug)]
struct Windows<K>(Mutex<HashMap<K, (Timestamp, u64)>>);

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Windows<K> {
    /// The number of this one within its `length` of time.
    fn number(&self, key: K, now: Timestamp, length: Duration) -> u64 {
        let mut windows = self.0.lock();
        let (since, count) = windows.entry(key).or_insert((now, 0));
        if now.since(*since) >= length {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count
    }

    /// Forgets those that began longer ago.
    fn forget(&self, now: Timestamp, length: Duration) {
        self.0.lock().retain(|_, (since, _)| now.since(*since) < length);
    }
}

/// Longer than a sign-in or a test is open.
const OF_AN_INTERACTION: Duration = Duration::from_hours(2);

/// An answer that a stranger can bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stranger {
    /// The provider has not signed it, so anybody can make it.
    Unsigned,
    /// The provider has signed it, but it belongs to no sign-in. It takes such an answer to post one, so those
    /// of others do not hide it.
    Signed,
    /// The provider has signed it, but for another request, time or service than those of the sign-in.
    SignedForOther,
    /// One of these, and the browser that began the sign-in came back with it after the traces of the hour were used
    /// up. It takes a sign-in to do that, so answers that are only posted do not hide it.
    InOwnBrowser,
}

/// The failures that are counted together. Each subject exists in the database, so their
/// number is bounded; made-up names of strangers are not counted here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Sign-ins that failed at this connection.
    Connection(ConnectionId),
    /// Those by an answer that a stranger can bring. They are counted apart, and do not use up the traces of the
    /// others.
    Stranger(ConnectionId),
    /// Requests of this client that were refused for this reason, which is a code of ours or of RFC 6749.
    Client(ClientId, String),
}

#[derive(Debug, Default)]
struct Failures {
    /// When the minute of each began, and how many there were in it.
    minutes: HashMap<Subject, (Timestamp, u64)>,
    /// The failures after the first of a minute, which have no event yet.
    more: HashMap<Subject, RepeatedFailure>,
}

#[derive(Debug, Clone)]
struct RepeatedFailure {
    count: u64,
    since: Timestamp,
    /// The last one.
    last: FailureRecord,
}

/// A failure, with the facts of its event.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailureRecord {
    pub(crate) data: Map<String, Value>,
    pub(crate) organization_id: Option<OrganizationId>,
    /// The application of the sign-in.
    pub(crate) client_id: Option<ClientId>,
}

impl Subject {
    fn entry<'a>(&'a self, failure: &'a FailureRecord) -> Entry<'a> {
        let entry = match self {
            Self::Connection(connection_id) | Self::Stranger(connection_id) => {
                let entry = Entry::new(Kind::LoginFailed).connection(connection_id);
                match &failure.client_id {
                    Some(client_id) => entry.client(client_id),
                    None => entry,
                }
            }
            Self::Client(client_id, _) => Entry::new(Kind::ClientRefused).client(client_id),
        };
        let entry = entry.organization(failure.organization_id.as_ref());
        let add = |entry: Entry<'a>, (name, value): (&String, &Value)| entry.with(name, value.clone());
        failure.data.iter().fold(entry, add)
    }
}

/// Records the first failure of a minute.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    at: Stamp<'_>,
    subject: &Subject,
    failure: &FailureRecord,
) -> Result<(), Error> {
    event::record(tx, at, subject.entry(failure)).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TokenCount {
    tokens: u64,
    since: Timestamp,
}

impl Tally {
    /// A client has fetched a token for itself.
    pub(crate) fn count(&self, client_id: &ClientId, now: Timestamp) {
        self.add(
            client_id,
            TokenCount {
                tokens: 1,
                since: now,
            },
        );
    }

    fn add(&self, client_id: &ClientId, more: TokenCount) {
        let mut clients = self.clients.lock();
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
        let mut secrets = self.secrets.lock();
        match secrets.get_mut(secret_id) {
            Some(last) => *last = now.max(*last),
            None => {
                secrets.insert(secret_id.clone(), now);
            }
        }
    }

    /// The number of this failure of a stranger at a connection, within its hour.
    pub(crate) fn failed_for_stranger(
        &self,
        connection_id: &ConnectionId,
        stranger: Stranger,
        now: Timestamp,
    ) -> u64 {
        let key = (connection_id.clone(), stranger);
        self.strangers.number(key, now, Duration::from_hours(1))
    }

    /// The number of this failure within one test of a connection.
    pub(crate) fn failed_in_test(&self, interaction_id: &InteractionId, now: Timestamp) -> u64 {
        // Few people make them.
        self.tests.forget(now, OF_AN_INTERACTION);
        self.tests.number(interaction_id.clone(), now, OF_AN_INTERACTION)
    }

    /// The number of this failure within one sign-in, of those with which its own browser came back.
    pub(crate) fn failed_in_browser(&self, interaction_id: &InteractionId, now: Timestamp) -> u64 {
        self.browsers
            .number(interaction_id.clone(), now, OF_AN_INTERACTION)
    }

    /// The number of this decryption for a stranger at a connection, within its minute.
    pub(crate) fn decrypted_for_stranger(&self, connection_id: &ConnectionId, now: Timestamp) -> u64 {
        let key = connection_id.clone();
        self.decryptions.number(key, now, Duration::from_mins(1))
    }

    /// The number of this failure within its minute. The caller writes the event of the first
    /// one at once; [`Self::more`] counts the others.
    pub(crate) fn failed(&self, subject: &Subject, now: Timestamp) -> u64 {
        let mut failures = self.failures.lock();
        let (since, count) = failures.minutes.entry(subject.clone()).or_insert((now, 0));
        if now.since(*since) >= WRITE_EVERY {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count
    }

    /// A failure that has no event of its own.
    pub(crate) fn more(&self, subject: Subject, failure: FailureRecord, now: Timestamp) {
        self.add_failures(
            subject,
            RepeatedFailure {
                count: 1,
                since: now,
                last: failure,
            },
        );
    }

    fn add_failures(&self, subject: Subject, more: RepeatedFailure) {
        let mut failures = self.failures.lock();
        match failures.more.get_mut(&subject) {
            Some(known) => {
                known.count += more.count;
                if more.since >= known.since {
                    known.last = more.last;
                }
                known.since = known.since.min(more.since);
            }
            None => drop(failures.more.insert(subject, more)),
        }
    }

    fn take_failures(&self, now: Timestamp) -> HashMap<Subject, RepeatedFailure> {
        self.browsers.forget(now, OF_AN_INTERACTION);
        let mut failures = self.failures.lock();
        failures
            .minutes
            .retain(|_, (since, _)| now.since(*since) < WRITE_EVERY);
        std::mem::take(&mut failures.more)
    }

    fn take(&self) -> HashMap<ClientId, TokenCount> {
        std::mem::take(&mut *self.clients.lock())
    }

    fn take_secrets(&self) -> HashMap<SecretId, Timestamp> {
        std::mem::take(&mut *self.secrets.lock())
    }
}

impl Tally {
    /// Writes the counts. Counts that cannot be written are kept.
    ///
    /// # Errors
    ///
    /// [`Error`] if the store fails.
    pub(crate) async fn write(&self, db: &Db, at: Stamp<'_>) -> Result<(), Error> {
        let (taken, secrets) = (self.take(), self.take_secrets());
        let failures = self.take_failures(at.now);
        if taken.is_empty() && secrets.is_empty() && failures.is_empty() {
            return Ok(());
        }
        let written = db
            .tx(async |tx| -> Result<(), Error> {
                for (client_id, counted) in &taken {
                    let entry = Entry::new(Kind::TokenIssued)
                        .client(client_id)
                        .with("grant_type", "client_credentials")
                        .with("tokens", counted.tokens)
                        .with("since", counted.since.as_secs());
                    event::record(tx, at, entry).await?;
                }
                for (subject, more) in &failures {
                    let entry = subject
                        .entry(&more.last)
                        .with("count", more.count)
                        .with("since", more.since.as_secs());
                    event::record(tx, at, entry).await?;
                }
                client::secrets_used(tx, &secrets).await
            })
            .await;
        if written.is_err() {
            for (client_id, counted) in &taken {
                self.add(client_id, *counted);
            }
            for (subject, more) in failures {
                self.add_failures(subject, more);
            }
            for (secret_id, at) in &secrets {
                self.used(secret_id, *at);
            }
        }
        written
    }
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
            TokenCount {
                tokens: 2,
                since: at(10)
            }
        );
        assert_eq!(
            taken[&other],
            TokenCount {
                tokens: 1,
                since: at(11)
            }
        );
        assert!(tally.take().is_empty());
    }

    #[test]
    fn failures_are_numbered_within_their_minute_and_told_once() {
        let (tally, at) = (Tally::default(), Timestamp::from_secs);
        let one = Subject::Client(ClientId::parse("skc_1").unwrap(), String::new());
        let other = Subject::Client(ClientId::parse("skc_2").unwrap(), String::new());
        let numbers: Vec<u64> = [10, 20, 69, 70, 71]
            .map(|secs| tally.failed(&one, at(secs)))
            .to_vec();
        assert_eq!(numbers, [1, 2, 3, 1, 2]);
        assert_eq!(tally.failed(&other, at(71)), 1);
        let failure = |reason: &str| FailureRecord {
            data: Map::from_iter([("reason".to_owned(), Value::from(reason))]),
            ..FailureRecord::default()
        };
        for (secs, reason) in [(20, "a"), (69, "b"), (71, "c")] {
            tally.more(one.clone(), failure(reason), at(secs));
        }
        let taken = tally.take_failures(at(72));
        assert_eq!((taken[&one].count, taken[&one].since), (3, at(20)));
        assert_eq!(taken[&one].last.data["reason"], "c");
        assert!(tally.take_failures(at(200)).is_empty());
        assert!(
            tally.failures.lock().minutes.is_empty(),
            "what is over is forgotten"
        );
    }

    #[test]
    fn what_strangers_cause_is_numbered_within_its_time_for_each_connection() {
        let (tally, at) = (Tally::default(), Timestamp::from_secs);
        let [one, other] = ["conn_1", "conn_2"].map(|id| ConnectionId::parse(id).unwrap());
        let numbers = [10, 69, 70].map(|secs| tally.decrypted_for_stranger(&one, at(secs)));
        assert_eq!(numbers, [1, 2, 1]);
        assert_eq!(tally.decrypted_for_stranger(&other, at(70)), 1);
        let unsigned = |secs| tally.failed_for_stranger(&one, Stranger::Unsigned, at(secs));
        assert_eq!([10, 3609, 3610].map(unsigned), [1, 2, 1]);
        assert_eq!(tally.failed_for_stranger(&one, Stranger::Signed, at(3610)), 1);
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
        assert_eq!(tally.take()[&client], TokenCount { tokens: 2, since });
    }
}
