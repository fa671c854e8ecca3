//! The install policy: which packages may be installed on this host.
//!
//! It is kept in `config.json` under `installPolicy`. If it cannot be read, that is
//! an error and never a lenient policy.

use std::io;
use std::path::PathBuf;

use openneko_plugin::json::{Json, Object};
use serde::{Deserialize, Serialize};

use crate::file::{self, Lock};
use crate::marketplace::OFFICIAL_URL;
use crate::paths::Paths;

const MAX_FILE_BYTES: u64 = 1 << 20;
const SECTION: &str = "installPolicy";

/// What may be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// Packages that no marketplace vouches for.
    pub allow_unverified: bool,
    /// Kept for the host of the original: there are no such installs here.
    pub allow_git_url_installs: bool,
    /// The addresses of the marketplaces to install from.
    pub allowed_marketplaces: Vec<String>,
    /// Kept for the host of the original: there are no skills here.
    pub allow_sandboxed_skill_escape: bool,
}

/// Why the policy cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is malformed: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allow_unverified: false,
            allow_git_url_installs: false,
            allowed_marketplaces: vec![OFFICIAL_URL.to_owned()],
            allow_sandboxed_skill_escape: false,
        }
    }
}

impl Policy {
    /// The policy of this host; the strict default if none was set.
    ///
    /// # Errors
    ///
    /// If `config.json` cannot be read or understood.
    pub fn read(paths: &Paths) -> Result<Self, Error> {
        Self::of_config(paths, &config(paths)?)
    }

    fn of_config(paths: &Paths, config: &Object) -> Result<Self, Error> {
        let section = config.get(SECTION).cloned();
        let policy = section.map(|section| section.to::<Self>()).transpose();
        let mut policy = policy
            .map_err(|error| malformed(paths, &error))?
            .unwrap_or_default();
        // The official marketplace is always one of them, as in the original.
        if !policy.allows_marketplace(OFFICIAL_URL) {
            policy.allowed_marketplaces.insert(0, OFFICIAL_URL.to_owned());
        }
        Ok(policy)
    }

    pub fn allows_marketplace(&self, url: &str) -> bool {
        self.allowed_marketplaces.iter().any(|allowed| allowed == url)
    }

    /// Changes the policy; the rest of the file stays.
    ///
    /// # Errors
    ///
    /// If `config.json` cannot be read, understood or written.
    pub fn edit(paths: &Paths, change: impl FnOnce(&mut Self)) -> Result<Self, Error> {
        let path = paths.config();
        let failed = |source| Error::Io {
            verb: "write",
            path: path.clone(),
            source,
        };
        file::private_dir(&paths.config_dir).map_err(failed)?;
        let lock = Lock::acquire(&path).map_err(failed)?;
        let mut config = config(paths)?;
        let mut policy = Self::of_config(paths, &config)?;
        change(&mut policy);
        let mut section = match config.get(SECTION) {
            Some(Json::Object(section)) => section.clone(),
            _ => Object::new(),
        };
        let new = Json::from(&policy).map_err(|error| malformed(paths, &error))?;
        for (key, value) in new.as_object().into_iter().flat_map(Object::iter) {
            section.insert(key, value.clone());
        }
        config.insert(SECTION, Json::Object(section));
        // The file may hold the credentials of other parts.
        lock.write(Json::Object(config).to_file().as_bytes(), 0o600)
            .map_err(failed)?;
        Ok(policy)
    }
}

fn config(paths: &Paths) -> Result<Object, Error> {
    let path = paths.config();
    let content = file::read(&path, MAX_FILE_BYTES).map_err(|source| Error::Io {
        verb: "read",
        path: path.clone(),
        source,
    })?;
    let Some(content) = content else {
        return Ok(Object::new());
    };
    serde_json::from_slice(&content).map_err(|error| malformed(paths, &error))
}

fn malformed(paths: &Paths, error: &serde_json::Error) -> Error {
    Error::Malformed {
        path: paths.config(),
        // The text of the error may quote the file.
        reason: if error.line() == 0 {
            error.to_string()
        } else {
            format!("line {} column {}", error.line(), error.column())
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(directory: &std::path::Path) -> Paths {
        let environment = [("XDG_CONFIG_HOME", directory.to_str().unwrap())];
        Paths::new(environment.into_iter().collect(), directory)
    }

    #[test]
    fn the_default_denies_and_what_else_the_file_holds_stays() {
        let directory = tempfile::tempdir().unwrap();
        let paths = paths(directory.path());
        assert_eq!(Policy::read(&paths).unwrap(), Policy::default());
        std::fs::create_dir_all(&paths.config_dir).unwrap();
        let text = r#"{"pg":{"password":"enc:v1:x"},"installPolicy":{"later":1,"allowUnverified":false}}"#;
        std::fs::write(paths.config(), text).unwrap();
        Policy::edit(&paths, |policy| policy.allow_unverified = true).unwrap();
        let text = std::fs::read_to_string(paths.config()).unwrap();
        assert!(
            text.contains(r#""password": "enc:v1:x""#) && text.contains(r#""later": 1"#),
            "{text}"
        );
        let policy = Policy::read(&paths).unwrap();
        assert!(policy.allow_unverified && policy.allows_marketplace(OFFICIAL_URL));
        assert!(!policy.allows_marketplace("https://evil.example/marketplace.json"));
    }

    #[test]
    fn a_policy_that_cannot_be_understood_is_not_a_lenient_one() {
        let directory = tempfile::tempdir().unwrap();
        let paths = paths(directory.path());
        std::fs::create_dir_all(&paths.config_dir).unwrap();
        for text in [
            "",
            "[]",
            r#"{"installPolicy":{"allowUnverified":"no"}}"#,
            r#"{"installPolicy":1}"#,
        ] {
            std::fs::write(paths.config(), text).unwrap();
            assert!(Policy::read(&paths).is_err(), "{text}");
            assert!(Policy::edit(&paths, |_| {}).is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(paths.config()).unwrap(), text);
        }
    }
}
