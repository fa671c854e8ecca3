//! The paths of openneko's files, and the one place that reads the process environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The environment of the process, read once at start and passed on as a value.
///
/// `Debug` shows no values: some of them are secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the environment of this process; values that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
        let variables = std::env::vars_os();
        Self(
            variables
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The value of `name`; a variable that is empty counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Every variable.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a variable in upper or lower case, such as `https_proxy`.
    pub fn get_any_case(&self, name: &str) -> Option<&str> {
        self.get(name)
            .or_else(|| self.get(&name.to_ascii_lowercase()))
            .or_else(|| self.get(&name.to_ascii_uppercase()))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `$XDG_CONFIG_HOME/openneko`, else `$HOME/.config/openneko`.
    pub config_dir: PathBuf,
    /// Files that grow or may be deleted: `$XDG_STATE_HOME/openneko`, else `$HOME/.local/state/openneko`.
    pub state_dir: PathBuf,
    /// `OPENNEKO_PLUGINS_MANIFEST_PATH`, else `openneko.plugins.json` in the current directory.
    pub manifest: PathBuf,
    /// `OPENNEKO_PLUGIN_INSTALL_DIR`, else the current directory.
    pub install_dir: PathBuf,
    /// The base of relative paths on the command line.
    pub current_dir: PathBuf,
    /// For `.npmrc`.
    pub home: Option<PathBuf>,
    pub environment: Environment,
}

/// The current directory was deleted or may not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the current directory: {0}")]
pub struct NoCurrentDirectory(#[from] std::io::Error);

impl Paths {
    /// The paths by the environment of this process.
    ///
    /// # Errors
    ///
    /// If the process has no current directory.
    pub fn from_env() -> Result<Self, NoCurrentDirectory> {
        Ok(Self::new(Environment::of_process(), &std::env::current_dir()?))
    }

    /// The paths by `environment`, for a process in `current_dir`.
    pub fn new(environment: Environment, current_dir: &Path) -> Self {
        let home = environment.get("HOME").map(PathBuf::from);
        // The last resort is the original's; `file::private_dir` refuses it if somebody else made it.
        let base = home.clone().unwrap_or_else(|| PathBuf::from("/tmp"));
        let directory = |variable, fallback: &str| {
            let xdg = environment.get(variable).map(PathBuf::from);
            // XDG Base Directory Specification: a relative path is invalid and ignored.
            xdg.filter(|path| path.is_absolute())
                .unwrap_or_else(|| base.join(fallback))
                .join("openneko")
        };
        let file = |variable| environment.get(variable).map(|path| current_dir.join(path));
        Self {
            config_dir: directory("XDG_CONFIG_HOME", ".config"),
            state_dir: directory("XDG_STATE_HOME", ".local/state"),
            manifest: file("OPENNEKO_PLUGINS_MANIFEST_PATH")
                .unwrap_or_else(|| current_dir.join("openneko.plugins.json")),
            install_dir: file("OPENNEKO_PLUGIN_INSTALL_DIR").unwrap_or_else(|| current_dir.to_owned()),
            current_dir: current_dir.to_owned(),
            home,
            environment,
        }
    }

    /// Environment values of the plugins, sealed.
    pub fn secrets(&self) -> PathBuf {
        self.config_dir.join("secrets.json")
    }

    /// The text from which the key of the secrets is derived.
    pub fn secret_key(&self) -> PathBuf {
        self.config_dir.join("secret-key")
    }

    /// The marketplaces that are trusted.
    pub fn marketplaces(&self) -> PathBuf {
        self.config_dir.join("marketplaces.json")
    }

    /// Settings of the host, among them the install policy.
    pub fn config(&self) -> PathBuf {
        self.config_dir.join("config.json")
    }

    /// Below it each installed version of a plugin has its folder.
    pub fn plugins(&self) -> PathBuf {
        self.install_dir.join("plugins")
    }

    /// A PEM file of certificate authorities to trust beside the public ones.
    pub fn extra_ca_certs(&self) -> Option<PathBuf> {
        ["OPENNEKO_EXTRA_CA_CERTS", "NODE_EXTRA_CA_CERTS"]
            .iter()
            .find_map(|name| self.environment.get(name))
            .map(|path| self.current_dir.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(variables: &[(&str, &str)]) -> Paths {
        Paths::new(variables.iter().copied().collect(), Path::new("/srv"))
    }

    #[test]
    fn the_config_directory_follows_xdg_then_home_then_tmp() {
        let of = |variables: &[(&str, &str)]| paths(variables).config_dir;
        assert_eq!(
            of(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]),
            Path::new("/x/openneko")
        );
        assert_eq!(of(&[("HOME", "/h")]), Path::new("/h/.config/openneko"));
        assert_eq!(
            of(&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")]),
            Path::new("/h/.config/openneko")
        );
        assert_eq!(
            of(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")]),
            Path::new("/h/.config/openneko")
        );
        assert_eq!(of(&[]), Path::new("/tmp/.config/openneko"));
    }

    #[test]
    fn manifest_and_install_directory_follow_their_variables() {
        let plain = paths(&[]);
        assert_eq!(plain.manifest, Path::new("/srv/openneko.plugins.json"));
        assert_eq!(plain.plugins(), Path::new("/srv/plugins"));
        let set = paths(&[
            ("OPENNEKO_PLUGINS_MANIFEST_PATH", "/config/plugins.json"),
            ("OPENNEKO_PLUGIN_INSTALL_DIR", "/var/lib/openneko"),
        ]);
        assert_eq!(set.manifest, Path::new("/config/plugins.json"));
        assert_eq!(set.plugins(), Path::new("/var/lib/openneko/plugins"));
    }

    #[test]
    fn the_environment_is_not_shown() {
        let environment: Environment = [("OPENNEKO_SESSION_SECRET", "hunter2")].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"{"OPENNEKO_SESSION_SECRET"}"#);
    }
}
