//! The budget of codes that an identity provider refuses.
//!
//! Anybody can come back with a made-up code, and Genkan exchanges it with the
//! customer's own credentials. A provider that counts failures would lock the
//! customer out. So the failures of one connection have a budget, and each client
//! address has a part of it. After the connection's budget, an address without
//! recent failures there still gets through, with a few exchanges at once, because a
//! company may be one address. So a flood shuts out its own senders, and not the
//! company.

use std::collections::HashMap;
use std::time::Duration;

use genkan_store::ConnectionId;
use genkan_web::listener::Source;
use parking_lot::Mutex;

use super::buckets::{Buckets, Withdrawal};

/// One client may use one part in so many of the connection's budget.
const SHARE: u32 = 2;

/// How many exchanges of one client may be under way after the connection's budget is
/// used up. Each could be one more failure at the provider.
const AT_ONCE: u32 = 20;

type Key = (ConnectionId, Source);

#[derive(Debug)]
pub(crate) struct Answers {
    of_connections: Buckets,
    of_clients: Buckets,
    /// Only clients that have some.
    under_way: Mutex<HashMap<Key, u32>>,
}

impl Answers {
    pub(crate) fn new(failures_per_minute: u32) -> Self {
        Self {
            of_connections: Buckets::new(failures_per_minute),
            of_clients: Buckets::new(failures_per_minute.div_ceil(SHARE)),
            under_way: Mutex::default(),
        }
    }

    /// Counts one more, or one less, and returns how many there are now.
    fn under_way(&self, key: &Key, change: i32) -> u32 {
        let mut under_way = self.under_way.lock();
        let count = under_way.get(key).copied().unwrap_or_default();
        let count = count.saturating_add_signed(change);
        match count {
            0 => under_way.remove(key),
            _ => under_way.insert(key.clone(), count),
        };
        count
    }
}

/// An exchange under way. It counts as failed until it succeeds. So a client cannot evade
/// the budget with many exchanges at once, nor by hanging up before the provider has
/// answered.
#[derive(Debug)]
#[must_use = "an exchange that went well is given back"]
pub(crate) struct Attempt<'a> {
    answers: &'a Answers,
    key: Key,
    of_client: Withdrawal,
    /// `None` if nothing was left to take.
    of_connection: Option<Withdrawal>,
}

impl Answers {
    /// Call it before a code is exchanged.
    ///
    /// # Errors
    ///
    /// How long to wait, if codes of this client or connection have failed too often.
    pub(crate) fn begin(&self, key: Key) -> Result<Attempt<'_>, Duration> {
        let of_client = self.of_clients.take(&key, 1)?;
        let of_connection = self.of_connections.take(&key.0, 1).ok();
        let under_way = self.under_way(&key, 1);
        let attempt = Attempt {
            answers: self,
            key,
            of_client,
            of_connection,
        };
        let has_not_failed = || self.of_clients.lacks_only(&attempt.key, under_way);
        if attempt.of_connection.is_some() || (under_way <= AT_ONCE && has_not_failed()) {
            return Ok(attempt);
        }
        attempt.give_back();
        Err(Duration::from_secs(5))
    }
}

impl Attempt<'_> {
    /// The provider was not asked, or did not refuse the code.
    pub(crate) fn give_back(self) {
        self.answers.of_clients.give_back(&self.key, self.of_client);
        if let Some(taken) = self.of_connection {
            self.answers.of_connections.give_back(&self.key.0, taken);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.answers.under_way(&self.key, -1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn key(last: u8) -> Key {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        (ConnectionId::parse("conn_1").unwrap(), Source::of(address))
    }

    /// Uses up the budget of a connection, twenty failures for each of three addresses.
    fn used_up() -> Answers {
        let answers = Answers::new(60);
        for stranger in [1, 2, 3] {
            for _ in 0..20 {
                drop(answers.begin(key(stranger)).unwrap());
            }
        }
        answers
    }

    #[test]
    fn strangers_at_several_addresses_have_one_budget_together() {
        let answers = used_up();
        for stranger in [1, 2, 3] {
            assert!(answers.begin(key(stranger)).is_err(), "{stranger}");
        }
        let other = (ConnectionId::parse("conn_2").unwrap(), key(1).1);
        assert!(answers.begin(other).is_ok(), "another connection");
    }

    #[test]
    fn many_at_once_are_no_way_around_the_budget() {
        let answers = Answers::new(60);
        let under_way: Vec<_> = (1..=3)
            .flat_map(|address| (0..30).map(move |_| address))
            .filter_map(|address| answers.begin(key(address)).ok())
            .collect();
        // The third address has no known failure yet.
        assert_eq!(under_way.len(), 60 + 20);
    }

    #[test]
    fn colleagues_behind_one_address_come_through_while_strangers_have_used_up_the_budget() {
        let answers = used_up();
        let mut under_way: Vec<_> = (0..AT_ONCE).map(|_| answers.begin(key(9)).unwrap()).collect();
        assert!(
            answers.begin(key(9)).is_err(),
            "no more at once than a guess is worth"
        );
        under_way.pop().unwrap().give_back();
        drop(answers.begin(key(9)).unwrap());
        assert!(answers.begin(key(9)).is_err(), "one of them failed");

        for attempt in under_way {
            attempt.give_back();
        }
        assert!(answers.under_way.lock().is_empty(), "nothing is kept of them");
    }

    #[test]
    fn people_who_get_in_use_up_nothing() {
        let answers = Answers::new(60);
        for _ in 0..200 {
            answers.begin(key(1)).unwrap().give_back();
        }
        assert!(answers.begin(key(1)).is_ok());
    }
}
