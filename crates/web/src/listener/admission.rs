//! How many connections may be open, in all and per client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Source;

/// Counts open connections.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    most_per_client: Option<usize>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    /// Empty unless there is a limit per client.
    per_client: HashMap<Source, usize>,
}

/// An open connection's place; dropping it makes room.
#[derive(Debug)]
pub(super) struct Seat {
    admission: Arc<Admission>,
    client: Option<Source>,
}

impl Admission {
    pub(super) fn new(most: usize, most_per_client: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_client,
            open: Mutex::default(),
        })
    }

    /// A place for a connection from `address`, if there is one now. The limit per client
    /// does not apply to the operator's proxies, which have many clients behind them.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Option<Seat> {
        let client = (!is_proxy).then(|| Source::of(address));
        let mut open = self.open.lock();
        if open.total >= self.most {
            return None;
        }
        if let (Some(most), Some(client)) = (self.most_per_client, client) {
            let theirs = open.per_client.entry(client).or_default();
            if *theirs >= most {
                return None;
            }
            *theirs += 1;
        }
        open.total += 1;
        Some(Seat {
            admission: Arc::clone(self),
            client,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock();
        open.total -= 1;
        let Some(client) = self.client else { return };
        if let Some(theirs) = open.per_client.get_mut(&client) {
            *theirs -= 1;
            if *theirs == 0 {
                open.per_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_closed_connection_makes_room() {
        let admission = Admission::new(2, None);
        let first = admission.admit(ip("192.0.2.1"), false);
        let second = admission.admit(ip("192.0.2.1"), false);
        assert!(first.is_some() && second.is_some());
        assert!(admission.admit(ip("192.0.2.2"), false).is_none());
        drop(first);
        assert!(admission.admit(ip("192.0.2.2"), false).is_some());
    }

    #[test]
    fn one_client_cannot_take_every_place() {
        let admission = Admission::new(10, Some(1));
        let first = admission.admit(ip("2001:db8::1"), false);
        assert!(first.is_some());
        assert!(
            admission.admit(ip("2001:db8::2"), false).is_none(),
            "the same /64"
        );
        assert!(admission.admit(ip("2001:db8:0:1::1"), false).is_some());
        drop(first);
        assert!(admission.admit(ip("2001:db8::2"), false).is_some());
        assert!(
            admission.open.lock().per_client.is_empty(),
            "nothing is kept of the departed"
        );
    }

    #[test]
    fn a_proxy_of_the_operator_is_no_client() {
        let admission = Admission::new(3, Some(1));
        let first = admission.admit(ip("2001:db8::1"), false);
        let proxied: Vec<_> = (0..2).map(|_| admission.admit(ip("2001:db8::2"), true)).collect();
        assert!(first.is_some() && proxied.iter().all(Option::is_some));
        assert!(
            admission.admit(ip("2001:db8::2"), true).is_none(),
            "one of all places"
        );
        drop(proxied);
        assert!(
            admission.admit(ip("2001:db8::3"), false).is_none(),
            "the same /64"
        );
    }
}
