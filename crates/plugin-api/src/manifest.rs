//! `openneko.plugins.json`: which plugins are installed, and what they may do.
//!
//! ```
//! use openneko_plugin::manifest::Manifest;
//!
//! let (mut manifest, bad) = Manifest::parse(r#"{
//!   "schema": "https://open-neko.github.io/plugins/manifest.schema.json",
//!   "plugins": [
//!     {
//!       "name": "@open-neko/plugin-scalekit",
//!       "version": "0.2.1",
//!       "integrity": "sha512-unknown",
//!       "permissions": { "network": ["*.scalekit.com"], "env": [] },
//!       "capabilities": { "auth": { "providerLabel": "Scalekit" } },
//!       "futureField": true
//!     },
//!     { "name": "broken" }
//!   ]
//! }"#)?;
//! assert_eq!(bad[0].to_string(), "plugins[1] (broken): missing field `version`");
//! assert_eq!(manifest.auth_provider().unwrap().version.as_str(), "0.2.1");
//! // Unknown fields and bad entries stay.
//! assert!(manifest.to_file().contains("futureField"));
//! assert!(manifest.to_file().contains("broken"));
//! # Ok::<(), openneko_plugin::manifest::Malformed>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::capability::{Action, ActionKind, Auth, Capabilities, Channel, Connect};
use crate::json::{Json, Object};
pub use crate::permission::{EnvKey, EnvVar, HostPattern, Inject, Integrity, Permissions};
use crate::{PackageName, Version};

/// The required `schema` of a manifest.
pub const SCHEMA: &str = "https://open-neko.github.io/plugins/manifest.schema.json";

/// Longest manifest that is read, in bytes.
pub const MAX_SIZE: usize = 4 << 20;

/// A manifest, with everything that its file held.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The whole file except for the plugins.
    root: Object,
    slots: Vec<Slot>,
}

/// A place in the list of plugins: the text as it was read, and the entry if it is good.
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    json: Json,
    entry: Option<Entry>,
}

/// One installed plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The package.
    pub name: PackageName,
    /// The installed version.
    pub version: Version,
    /// The digest of the tarball it was unpacked from.
    pub integrity: Integrity,
    /// The hosts that it may reach, and the values that it gets.
    #[serde(default)]
    pub permissions: Permissions,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Environment values that are no secrets. Secrets come on top of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<EnvKey, String>>,
    /// Hosts that the operator granted beyond the permissions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// The slug of the marketplace it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marketplace: Option<String>,
    /// `marketplace`, `unverified` or `git-url`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_source: Option<String>,
    /// When, as ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<String>,
    /// The install policy at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_snapshot: Option<Json>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Object,
}

/// One host that an operator granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// A host name, in lower case.
    pub host: String,
    /// The TCP port.
    #[serde(default = "https")]
    pub port: u16,
    /// Whether it may be an address of a private network.
    #[serde(default)]
    pub allow_private: bool,
    /// When, as ISO 8601.
    pub granted_at: String,
}

const fn https() -> u16 {
    443
}

/// An entry that cannot be used. It stays in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEntry {
    /// Where it is, such as `plugins[2]` or `plugins[2].versions[0]`.
    pub place: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl BadEntry {
    pub(crate) fn new(place: String, json: &Json, reason: impl fmt::Display) -> Self {
        let name = json.as_object().and_then(|object| object.get("name")?.as_str());
        Self {
            place,
            name: name.map(|name| name.chars().take(80).collect()),
            reason: plain(&reason.to_string()),
        }
    }
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(name) = &self.name {
            write!(f, " ({})", name.escape_debug())?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The reason without its line and column, which are those of a copy, and without control
/// characters.
fn plain(reason: &str) -> String {
    let reason = reason
        .rsplit_once(" at line ")
        .map_or(reason, |(reason, _)| reason);
    reason.chars().take(300).filter(|c| !c.is_control()).collect()
}

/// A file that is not a manifest or not a catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is malformed: {reason}")]
pub struct Malformed {
    what: &'static str,
    reason: String,
}

impl Malformed {
    pub(crate) fn manifest(reason: impl fmt::Display) -> Self {
        Self {
            what: "manifest",
            reason: reason.to_string(),
        }
    }

    pub(crate) fn catalog(reason: impl fmt::Display) -> Self {
        Self {
            what: "marketplace",
            reason: reason.to_string(),
        }
    }
}

impl Default for Manifest {
    fn default() -> Self {
        Self::new()
    }
}

impl Manifest {
    /// A manifest without plugins.
    pub fn new() -> Self {
        let members = [
            ("schema".to_owned(), Json::String(SCHEMA.to_owned())),
            ("plugins".to_owned(), Json::Array(Vec::new())),
        ];
        Self {
            root: members.into_iter().collect(),
            slots: Vec::new(),
        }
    }

    /// Reads a manifest. Unusable entries are returned beside it, and stay in the
    /// file when it is written.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the file as a whole cannot be read: no JSON, another
    /// schema, no list of plugins, or more than [`MAX_SIZE`] bytes.
    pub fn parse(text: &str) -> Result<(Self, Vec<BadEntry>), Malformed> {
        if text.len() > MAX_SIZE {
            return Err(Malformed::manifest("it is too large"));
        }
        let mut root: Object = serde_json::from_str(text).map_err(Malformed::manifest)?;
        if root.get("schema").and_then(Json::as_str) != Some(SCHEMA) {
            return Err(Malformed::manifest(format_args!(
                "its \"schema\" is not {SCHEMA}"
            )));
        }
        let Some(Json::Array(plugins)) = root.get("plugins").cloned() else {
            return Err(Malformed::manifest("it has no list \"plugins\""));
        };
        root.insert("plugins", Json::Null);

        let (mut slots, mut bad) = (Vec::<Slot>::new(), Vec::new());
        for (index, json) in plugins.into_iter().enumerate() {
            let entry = read_entry(&json).and_then(|entry| {
                let is_second = slots
                    .iter()
                    .flat_map(|slot| &slot.entry)
                    .any(|other| other.name == entry.name);
                if is_second {
                    Err("it is listed twice".to_owned())
                } else {
                    Ok(entry)
                }
            });
            let entry = entry
                .map_err(|reason| bad.push(BadEntry::new(format!("plugins[{index}]"), &json, reason)))
                .ok();
            slots.push(Slot { json, entry });
        }
        Ok((Self { root, slots }, bad))
    }

    /// The file's text. Unchanged entries are exactly as they were read.
    pub fn to_file(&self) -> String {
        let mut root = self.root.clone();
        root.insert(
            "plugins",
            Json::Array(self.slots.iter().map(|slot| slot.json.clone()).collect()),
        );
        Json::Object(root).to_file()
    }

    /// The good entries, in the order of the file.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref())
    }

    /// The entry of a plugin, if it is a good one.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.name.as_str() == name)
    }

    /// The plugin that signs people in: the first one that can.
    pub fn auth_provider(&self) -> Option<&Entry> {
        self.entries().find(|entry| entry.capabilities.auth.is_some())
    }

    /// Whether any entry, even a bad one, says that it signs people in. If so, and
    /// [`Manifest::auth_provider`] is `None`, a host stays closed.
    pub fn mentions_auth(&self) -> bool {
        self.slots.iter().any(|slot| match (&slot.entry, &slot.json) {
            (Some(entry), _) => entry.capabilities.auth.is_some(),
            (None, Json::Object(json)) => match json.get("capabilities") {
                Some(Json::Object(capabilities)) => capabilities.get("auth").is_some(),
                // We cannot tell what it was.
                _ => true,
            },
            (None, _) => true,
        })
    }

    /// Puts an entry into the list, in the place of the one of that name.
    ///
    /// The new entry replaces the old one whole. So an update must begin with the
    /// old entry, to keep the operator's settings.
    pub fn upsert(&mut self, entry: Entry) {
        let json = Json::from(&entry).expect("an entry has string keys");
        let same = |slot: &&mut Slot| name_of(&slot.json) == Some(entry.name.as_str());
        match self.slots.iter_mut().find(same) {
            Some(slot) => {
                match (&mut slot.json, json) {
                    (Json::Object(old), Json::Object(new)) => old.become_like(new),
                    (old, new) => *old = new,
                }
                slot.entry = Some(entry);
            }
            None => self.slots.push(Slot {
                json,
                entry: Some(entry),
            }),
        }
    }

    /// Removes every entry of that name, also bad ones. Returns whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.slots.len();
        self.slots.retain(|slot| name_of(&slot.json) != Some(name));
        self.slots.len() < before
    }
}

fn name_of(json: &Json) -> Option<&str> {
    json.as_object()?.get("name")?.as_str()
}

fn read_entry(json: &Json) -> Result<Entry, String> {
    let entry: Entry = json.to().map_err(|error| error.to_string())?;
    if entry.capabilities.is_empty() {
        return Err("its capabilities name nothing that it can do".to_owned());
    }
    Ok(entry)
}

#[cfg(test)]
#[path = "manifest/tests.rs"]
mod tests;
