//! `package.json`: a package's own description, compared with the marketplace's.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use openneko_plugin::capability::Capabilities;
use openneko_plugin::json::{Json, Object};
use openneko_plugin::permission::{HostPattern, Permissions};
use openneko_plugin::{PackageName, Version};

const MAX_BYTES: u64 = 1 << 20;

/// Scripts that npm would run during an installation. None is ever run here; a package
/// that needs one is refused.
const FORBIDDEN_SCRIPTS: [&str; 9] = [
    "preinstall",
    "install",
    "postinstall",
    "prepare",
    "prepublish",
    "prepublishOnly",
    "preuninstall",
    "uninstall",
    "postuninstall",
];

/// The content of a plugin's `package.json`.
#[derive(Debug, Clone)]
pub struct Description {
    /// The file that is run, relative to the package.
    pub runner: String,
    pub permissions: Option<Permissions>,
    pub capabilities: Option<Capabilities>,
    /// Whether it brings a folder of instructions for agents.
    pub has_skill: bool,
}

/// Why a package's description is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the package has no readable package.json: {0}")]
    Unreadable(String),
    #[error("package.json says {field} {found:?}, but {expected:?} was asked for")]
    Differs {
        field: &'static str,
        found: String,
        expected: String,
    },
    #[error(
        "the package has install scripts ({0}): openneko runs none, and a plugin that needs one is refused"
    )]
    Scripts(String),
    #[error(
        "the package depends on other packages ({0}): openneko installs none, so a plugin must bundle what it needs"
    )]
    Dependencies(String),
    #[error("package.json must declare openneko.runner, the file to run")]
    NoRunner,
    #[error("openneko.{field} {path:?} leaves the package")]
    Leaves { field: &'static str, path: String },
    #[error("openneko.runner {0:?} is not a file of the package")]
    RunnerMissing(String),
    #[error("package.json asks to reach {0}, which its marketplace does not list")]
    Hosts(String),
    #[error("openneko.{0} in package.json is malformed: {1}")]
    Malformed(&'static str, String),
}

impl Description {
    /// Reads and checks `package.json` in `folder`, whose files are `files`.
    ///
    /// # Errors
    ///
    /// [`Error`] for another package or version, scripts, dependencies, or a
    /// runner that is no file of the package.
    pub(super) fn read(
        folder: &Path,
        files: &[String],
        name: &PackageName,
        version: &Version,
    ) -> Result<Self, Error> {
        let text = read(&folder.join("package.json"))?;
        let root: Object =
            serde_json::from_str(&text).map_err(|error| Error::Unreadable(error.to_string()))?;
        check_is(&root, "name", name.as_str())?;
        check_is(&root, "version", version.as_str())?;
        check_scripts(&root)?;
        check_dependencies(&root)?;
        let empty = Object::new();
        let openneko = root.get("openneko").and_then(Json::as_object).unwrap_or(&empty);
        let runner = openneko
            .get("runner")
            .and_then(Json::as_str)
            .ok_or(Error::NoRunner)?;
        let inner = inside("runner", runner)?;
        if !files.contains(&inner) {
            return Err(Error::RunnerMissing(runner.to_owned()));
        }
        let skill = openneko.get("skill").and_then(Json::as_str);
        skill.map(|path| inside("skill", path)).transpose()?;
        Ok(Self {
            runner: inner,
            permissions: part(openneko, "permissions")?,
            capabilities: part(openneko, "capabilities")?,
            has_skill: skill.is_some(),
        })
    }

    /// Checks that the package asks for no host beyond those in `promised`.
    ///
    /// # Errors
    ///
    /// [`Error::Hosts`] with the others.
    pub fn check_hosts(&self, promised: &Permissions) -> Result<(), Error> {
        let asked = self
            .permissions
            .iter()
            .flat_map(|permissions| &permissions.network);
        let beyond: Vec<&str> = asked
            .filter(|host| !promised.network.iter().any(|pattern| covers(pattern, host)))
            .map(HostPattern::as_str)
            .collect();
        if beyond.is_empty() {
            return Ok(());
        }
        Err(Error::Hosts(beyond.join(", ")))
    }
}

/// Whether `pattern` allows everything that `host` allows.
fn covers(pattern: &HostPattern, host: &HostPattern) -> bool {
    if pattern == host {
        return true;
    }
    // `*.` stands for exactly one label.
    let rest = pattern.as_str().strip_prefix("*.");
    let of_host = host
        .as_str()
        .split_once('.')
        .filter(|(label, _)| !label.contains('*'));
    matches!((rest, of_host), (Some(rest), Some((_, of_host))) if rest == of_host)
}

fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |error: std::io::Error| Error::Unreadable(error.to_string());
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::Unreadable("it is larger than 1 MiB".to_owned()));
    }
    Ok(text)
}

fn check_is(root: &Object, field: &'static str, expected: &str) -> Result<(), Error> {
    let found = root.get(field).and_then(Json::as_str).unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    Err(Error::Differs {
        field,
        found: found.to_owned(),
        expected: expected.to_owned(),
    })
}

fn check_scripts(root: &Object) -> Result<(), Error> {
    let scripts = match root.get("scripts") {
        None | Some(Json::Null) => return Ok(()),
        Some(Json::Object(scripts)) => scripts,
        Some(_) => return Err(Error::Unreadable("scripts is not an object".to_owned())),
    };
    let found: Vec<&str> = FORBIDDEN_SCRIPTS
        .into_iter()
        .filter(|name| scripts.get(name).is_some())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::Scripts(found.join(", ")))
}

fn check_dependencies(root: &Object) -> Result<(), Error> {
    let dependencies = match root.get("dependencies") {
        None | Some(Json::Null) => return Ok(()),
        Some(Json::Object(dependencies)) => dependencies,
        Some(_) => return Err(Error::Unreadable("dependencies is not an object".to_owned())),
    };
    // npm takes both spellings.
    let bundled = root
        .get("bundleDependencies")
        .or_else(|| root.get("bundledDependencies"));
    let is_bundled = |name: &str| match bundled {
        Some(Json::Bool(all)) => *all,
        Some(Json::Array(names)) => names.iter().any(|bundled| bundled.as_str() == Some(name)),
        _ => false,
    };
    let missing: Vec<&str> = dependencies
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !is_bundled(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Dependencies(missing.join(", ")))
}

/// A path as the archive names it: relative, without `.` and `..`.
fn inside(field: &'static str, path: &str) -> Result<String, Error> {
    let leaves = || Error::Leaves {
        field,
        path: path.to_owned(),
    };
    if path.starts_with('/') || path.contains(['\\', '\0']) {
        return Err(leaves());
    }
    let mut inner = PathBuf::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(leaves()),
            part => inner.push(part),
        }
    }
    Ok(inner.to_string_lossy().into_owned())
}

fn part<T: serde::de::DeserializeOwned>(openneko: &Object, field: &'static str) -> Result<Option<T>, Error> {
    let Some(value) = openneko.get(field) else {
        return Ok(None);
    };
    let value = value
        .to()
        .map_err(|error| Error::Malformed(field, error.to_string()))?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap()
    }

    #[test]
    fn a_wildcard_covers_one_label_and_itself() {
        let covered = |pattern_: &str, host: &str| covers(&pattern(pattern_), &pattern(host));
        assert!(covered("*.scalekit.com", "*.scalekit.com"));
        assert!(covered("*.scalekit.com", "acme.scalekit.com"));
        assert!(covered("a.com", "A.com"));
        for (pattern, host) in [
            ("*.scalekit.com", "scalekit.com"),
            ("*.scalekit.com", "a.b.scalekit.com"),
            ("*.scalekit.com", "*.*.scalekit.com"),
            ("a.com", "*.a.com"),
            ("a.com", "b.com"),
            ("*.a.com", "x*.a.com"),
            ("*.a.com", "**.a.com"),
        ] {
            assert!(!covered(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn a_path_stays_inside() {
        assert_eq!(inside("runner", "./dist//run.js").unwrap(), "dist/run.js");
        for path in ["/etc/passwd", "../x", "a/../../x", "a/..", "a\\..\\x", "a\0"] {
            assert!(inside("runner", path).is_err(), "{path}");
        }
    }
}
