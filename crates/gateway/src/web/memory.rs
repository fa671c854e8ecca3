//! A bounded memory of values that expire, for the simulator and the demo application,
//! which keep nothing beyond a restart.

use std::collections::HashMap;

use genkan_protocol::Timestamp;

/// The most entries that are kept, unless a memory of larger values says otherwise.
const CAPACITY: usize = 4096;

/// Values by a name, until they expire. Beyond `MOST` entries, the one that expires first is dropped.
#[derive(Debug)]
pub(crate) struct Memory<V, const MOST: usize = CAPACITY> {
    entries: HashMap<String, (Timestamp, V)>,
}

impl<V, const MOST: usize> Default for Memory<V, MOST> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
        }
    }
}

impl<V, const MOST: usize> Memory<V, MOST> {
    pub(crate) fn insert(&mut self, name: String, value: V, now: Timestamp, expires_at: Timestamp) {
        // A value in place of another one needs no room.
        self.entries.remove(&name);
        if self.entries.len() >= MOST {
            self.entries.retain(|_, (expires_at, _)| *expires_at > now);
        }
        if self.entries.len() >= MOST {
            let first = self.entries.iter().min_by_key(|(_, (expires_at, _))| *expires_at);
            if let Some(name) = first.map(|(name, _)| name.clone()) {
                self.entries.remove(&name);
            }
        }
        self.entries.insert(name, (expires_at, value));
    }

    /// Removes a value and returns it, if it is still live.
    pub(crate) fn take(&mut self, name: &str, now: Timestamp) -> Option<V> {
        let (expires_at, value) = self.entries.remove(name)?;
        (expires_at > now).then_some(value)
    }

    /// Forgets every value that `keep` refuses.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.entries.retain(|_, (_, value)| keep(value));
    }

    pub(crate) fn find(&self, name: &str, now: Timestamp) -> Option<&V> {
        let (expires_at, value) = self.entries.get(name)?;
        (*expires_at > now).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_value_is_taken_once_and_not_after_its_time() {
        let mut memory: Memory<_> = Memory::default();
        memory.insert("a".to_owned(), 1, at(0), at(60));
        memory.insert("b".to_owned(), 2, at(0), at(60));
        assert_eq!(memory.find("a", at(59)), Some(&1));
        assert_eq!(memory.take("a", at(59)), Some(1));
        assert_eq!(memory.take("a", at(59)), None);
        assert_eq!(memory.find("b", at(60)), None);
        assert_eq!(memory.take("b", at(60)), None);
    }

    #[test]
    fn it_never_grows_beyond_its_capacity() {
        let mut memory: Memory<_> = Memory::default();
        for n in 0..CAPACITY + 100 {
            let expires_at = at(1000 + i64::try_from(n).unwrap());
            memory.insert(n.to_string(), n, at(0), expires_at);
        }
        assert_eq!(memory.entries.len(), CAPACITY);
        assert_eq!(memory.find("0", at(1)), None);
        assert!(memory.find(&(CAPACITY + 99).to_string(), at(1)).is_some());

        memory.insert("late".to_owned(), 0, at(1_000_000), at(1_000_060));
        assert_eq!(memory.entries.len(), 1, "what has expired makes room");
    }

    #[test]
    fn a_memory_of_larger_values_keeps_fewer() {
        let mut memory: Memory<_, 2> = Memory::default();
        for (name, end) in [("a", 60), ("b", 61), ("c", 62)] {
            memory.insert(name.to_owned(), end, at(0), at(end));
        }
        memory.insert("c".to_owned(), 63, at(0), at(63));
        let found = ["a", "b", "c"].map(|name| memory.find(name, at(1)).copied());
        assert_eq!(found, [None, Some(61), Some(63)]);
    }
}
