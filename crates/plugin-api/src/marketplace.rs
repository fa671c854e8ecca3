//! The catalog of a marketplace: its plugins and their versions.
//!
//! ```
//! use openneko_plugin::marketplace::{Catalog, Prereleases};
//!
//! let (catalog, bad) = Catalog::parse(r#"{
//!   "name": "Acme", "owner": "acme", "description": "Plugins of Acme",
//!   "plugins": [{
//!     "name": "@acme/plugin-sso", "title": "Acme SSO", "description": "Signs people in",
//!     "source": "https://github.com/acme/plugins",
//!     "versions": [
//!       { "version": "1.10.0-rc.1", "integrity": "sha512-AAAA", "permissions": {}, "capabilities": { "auth": {} }, "publishedAt": "2026-06-02" },
//!       { "version": "1.9.0", "integrity": "sha512-AAAA", "permissions": {}, "capabilities": { "auth": {} }, "publishedAt": "2026-06-01" }
//!     ]
//!   }]
//! }"#)?;
//! assert!(bad.is_empty());
//! let plugin = catalog.get("@acme/plugin-sso").unwrap();
//! assert_eq!(plugin.select(None, Prereleases::Exclude)?.version.as_str(), "1.9.0");
//! assert_eq!(plugin.select(None, Prereleases::Include)?.version.as_str(), "1.10.0-rc.1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::{Deserialize, Serialize};

use crate::PackageName;
use crate::capability::Capabilities;
use crate::json::{Json, Object};
pub use crate::manifest::{BadEntry, Malformed};
use crate::permission::{Integrity, Permissions};

/// Longest catalog that is read, in bytes.
pub const MAX_SIZE: usize = 8 << 20;

/// The catalog of a marketplace.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// The name of the marketplace.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// What the marketplace offers.
    pub description: String,
    /// The plugins that could be read.
    pub plugins: Vec<Plugin>,
    root: Json,
}

/// A plugin of a catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// The npm package.
    pub name: PackageName,
    /// For people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// Where its source is.
    pub source: String,
    /// The versions that could be read, in no order.
    pub versions: Vec<Version>,
    /// Fields that this version does not know, `homepage` and `maintainers`.
    #[serde(flatten)]
    pub extra: Object,
}

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The version.
    pub version: crate::Version,
    /// The digest of its tarball.
    pub integrity: Integrity,
    /// The hosts that it may reach, and the values that it gets.
    pub permissions: Permissions,
    /// What it can do.
    pub capabilities: Capabilities,
    /// A date, `YYYY-MM-DD`.
    #[serde(rename = "publishedAt", default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yanked: bool,
    /// Why it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_reason: Option<String>,
    /// Whether it is not published yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// Fields that this version does not know, and `provenanceWaived`.
    #[serde(flatten)]
    pub extra: Object,
}

/// Whether prereleases may be chosen.
///
/// OpenNeko's own client always included them. But a version that nobody asked for
/// by name should be one that its author calls finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prereleases {
    /// Only when named exactly.
    #[default]
    Exclude,
    /// As any other version.
    Include,
}

/// Why no version of a plugin can be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The version that was asked for was taken back.
    #[error(
        "marketplace: {name} has no published non-yanked version {version}{}",
        because(reason)
    )]
    Yanked {
        /// The plugin.
        name: PackageName,
        /// What was asked for.
        version: String,
        /// What the marketplace says about it.
        reason: Option<String>,
    },
    /// The version that was asked for is not there.
    #[error("marketplace: {name} has no published non-yanked version {version}")]
    Unknown {
        /// The plugin.
        name: PackageName,
        /// What was asked for.
        version: String,
    },
    /// Every version was taken back.
    #[error("marketplace: every published version of {name} is yanked{}", because(reason))]
    AllYanked {
        /// The plugin.
        name: PackageName,
        /// What the marketplace says about the newest of them.
        reason: Option<String>,
    },
    /// There are prereleases, and nobody asked for one.
    #[error("marketplace: {name} has only prereleases; --pre installs the newest, {newest}")]
    OnlyPrereleases {
        /// The plugin.
        name: PackageName,
        /// The newest of them.
        newest: crate::Version,
    },
    /// There is no published version that could be read.
    #[error("marketplace: {0} has no published version")]
    None(PackageName),
}

fn because(reason: &Option<String>) -> String {
    match reason {
        Some(reason) => {
            let reason: String = reason.chars().filter(|c| !c.is_control()).take(280).collect();
            format!(" (yanked: {reason})")
        }
        None => String::new(),
    }
}

impl Plugin {
    /// The version to install: the one that is `asked` for, else the newest.
    ///
    /// # Errors
    ///
    /// [`SelectError`], with the marketplace's reason if a version was yanked.
    pub fn select(&self, asked: Option<&str>, prereleases: Prereleases) -> Result<&Version, SelectError> {
        let name = || self.name.clone();
        if let Some(asked) = asked {
            let version = || asked.chars().take(80).collect();
            let found = self
                .versions
                .iter()
                .find(|version| version.version.as_str() == asked && !version.draft);
            return match found {
                Some(found) if !found.yanked => Ok(found),
                Some(found) => Err(SelectError::Yanked {
                    name: name(),
                    version: version(),
                    reason: found.yanked_reason.clone(),
                }),
                None => Err(SelectError::Unknown {
                    name: name(),
                    version: version(),
                }),
            };
        }

        let published = || self.versions.iter().filter(|version| !version.draft);
        let live = || published().filter(|version| !version.yanked);
        let wanted =
            |version: &&Version| prereleases == Prereleases::Include || !version.version.is_prerelease();
        let newest = |one: &&Version, other: &&Version| one.version.cmp(&other.version);
        if let Some(version) = live().filter(wanted).max_by(newest) {
            return Ok(version);
        }
        Err(match (live().max_by(newest), published().max_by(newest)) {
            (Some(version), _) => SelectError::OnlyPrereleases {
                name: name(),
                newest: version.version.clone(),
            },
            (None, Some(version)) => SelectError::AllYanked {
                name: name(),
                reason: version.yanked_reason.clone(),
            },
            (None, None) => SelectError::None(name()),
        })
    }
}

impl Catalog {
    /// Reads a catalog. Unusable plugins and versions are returned beside it, and
    /// stay in the document when it is written.
    ///
    /// If a plugin or a version is listed twice, it is ambiguous, and neither is
    /// used.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the document as a whole cannot be read: no JSON, no
    /// name, owner, description or plugins, or more than [`MAX_SIZE`] bytes.
    pub fn parse(text: &str) -> Result<(Self, Vec<BadEntry>), Malformed> {
        if text.len() > MAX_SIZE {
            return Err(Malformed::catalog("it is too large"));
        }
        let root: Object = serde_json::from_str(text).map_err(Malformed::catalog)?;
        let field = |key: &str| match root.get(key).and_then(Json::as_str) {
            Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
            _ => Err(Malformed::catalog(format_args!("it has no {key:?}"))),
        };
        let (name, owner, description) = (field("name")?, field("owner")?, field("description")?);
        let Some(Json::Array(listed)) = root.get("plugins") else {
            return Err(Malformed::catalog("it has no list \"plugins\""));
        };

        let (mut plugins, mut bad) = (Vec::new(), Vec::new());
        for (index, json) in listed.iter().enumerate() {
            let place = format!("plugins[{index}]");
            let is_repeated = is_repeated(listed, index, "name");
            match read_plugin(json, &place, &mut bad) {
                Ok(_) if is_repeated => bad.push(BadEntry::new(place, json, "it is listed twice")),
                Ok(plugin) => plugins.push(plugin),
                Err(reason) => bad.push(BadEntry::new(place, json, reason)),
            }
        }
        let catalog = Self {
            name,
            owner,
            description,
            plugins,
            root: Json::Object(root),
        };
        Ok((catalog, bad))
    }

    /// The document's text, with everything that it held.
    pub fn to_file(&self) -> String {
        self.root.to_file()
    }

    /// The plugin of that name.
    pub fn get(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.name.as_str() == name)
    }
}

fn read_plugin(json: &Json, place: &str, bad: &mut Vec<BadEntry>) -> Result<Plugin, String> {
    let Json::Object(object) = json else {
        return Err("it is not an object".to_owned());
    };
    let mut object = object.clone();
    let Some(Json::Array(listed)) = object.get("versions").cloned() else {
        return Err("it has no list \"versions\"".to_owned());
    };
    object.insert("versions", Json::Array(Vec::new()));
    let mut plugin: Plugin = Json::Object(object).to().map_err(|error| error.to_string())?;
    for (index, json) in listed.iter().enumerate() {
        let reason = match read_version(json) {
            Ok(_) if is_repeated(&listed, index, "version") => "it is listed twice".to_owned(),
            Ok(version) => {
                plugin.versions.push(version);
                continue;
            }
            Err(reason) => reason,
        };
        let mut entry = BadEntry::new(format!("{place}.versions[{index}]"), json, reason);
        entry.name = Some(plugin.name.to_string());
        bad.push(entry);
    }
    Ok(plugin)
}

fn read_version(json: &Json) -> Result<Version, String> {
    let version: Version = json.to().map_err(|error| error.to_string())?;
    if version.capabilities.is_empty() {
        return Err("its capabilities name nothing that it can do".to_owned());
    }
    Ok(version)
}

/// Whether another of `listed` has the same text under `key`.
fn is_repeated(listed: &[Json], index: usize, key: &str) -> bool {
    let text = |json: &Json| Some(json.as_object()?.get(key)?.as_str()?.to_owned());
    let Some(this) = text(&listed[index]) else {
        return false;
    };
    listed
        .iter()
        .enumerate()
        .any(|(other, json)| other != index && text(json).as_deref() == Some(&this))
}

#[cfg(test)]
#[path = "marketplace/tests.rs"]
mod tests;
