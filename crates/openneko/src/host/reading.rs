//! One reading of a plugin's entry and of its secrets.

use std::collections::BTreeMap;

use openneko_plugin::manifest::Entry;
use openneko_sandbox::Secret;

use crate::secrets;

/// A plugin as manifest and secrets described it at one moment.
///
/// A call has one reading. The decision to call, and the removal of secrets from the plugin's
/// messages, use the same one. A change in between counts for the next call.
#[derive(Debug)]
pub struct Reading {
    pub(super) entry: Entry,
    pub(super) values: Vec<(String, Secret)>,
}

impl Reading {
    /// An entry with its values: its own, then its secrets, and of both only those that
    /// its permissions name.
    pub fn new(entry: Entry, secrets: impl IntoIterator<Item = (String, Secret)>) -> Self {
        let own = entry.env.iter().flatten();
        let own = own.map(|(key, value)| (key.to_string(), Secret::new(value.clone())));
        let is_declared = |key: &str| entry.permissions.env.iter().any(|env| env.key.as_str() == key);
        let mut values: BTreeMap<_, _> = own.chain(secrets).collect();
        values.retain(|key, _| is_declared(key));
        Self {
            values: values.into_iter().collect(),
            entry,
        }
    }

    pub(super) fn of(entry: Entry, store: &secrets::Store) -> Result<Self, secrets::Error> {
        let secrets = store.get(entry.name.as_str())?;
        Ok(Self::new(entry, secrets))
    }

    /// The required values that are missing; an empty one counts as present.
    pub(super) fn missing(&self) -> Vec<String> {
        let required = self.entry.permissions.env.iter().filter(|env| env.is_required());
        required
            .map(|env| env.key.to_string())
            .filter(|key| self.values.iter().all(|(set, _)| set != key))
            .collect()
    }
}
