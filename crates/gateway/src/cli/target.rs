//! Finds the instance that a command is about.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::config::{Config, DEFAULT_FILE, Development, Environment, Mistakes, PublicUrl};

/// The folder of a development instance, if none is named.
const DEFAULT_DATA_DIR: &str = "genkan-data";

/// The file that `genkan dev` writes for applications. It contains the public URL.
const DEV_ENV_FILE: &str = "dev.env";

/// The instance that the command line names.
#[derive(Debug)]
pub(super) struct Target {
    /// `--config`
    config: Option<PathBuf>,
    /// `--data-dir`
    data_dir: Option<PathBuf>,
    /// `GENKAN_CONFIG`
    from_environment: Option<PathBuf>,
}

impl Target {
    pub(super) fn new(config: Option<PathBuf>, data_dir: Option<PathBuf>, environment: &Environment) -> Self {
        Self {
            config,
            data_dir,
            from_environment: environment.config_file(),
        }
    }

    /// The folder of the development instance that `genkan dev` runs.
    pub(super) fn development_folder(&self) -> Result<PathBuf, Failure> {
        if self.config.is_some() {
            return Err(Failure::usage("`genkan dev` reads no configuration file.")
                .remedy("Leave --config out, or run `genkan serve`."));
        }
        Ok(self
            .data_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)))
    }

    /// The file that `genkan serve` and `genkan config` read. `None` if variables contain everything.
    pub(super) fn config_file(&self) -> Result<Option<PathBuf>, Failure> {
        if self.data_dir.is_some() {
            return Err(Failure::usage(
                "--data-dir names a development instance, which has no configuration file.",
            )
            .remedy("Write data_dir in the configuration, or set GENKAN_DATA_DIR."));
        }
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let named = self.config.as_ref().or(self.from_environment.as_ref());
        Ok(named.cloned().or_else(default))
    }

    /// The configuration of the instance, as its server reads it.
    pub(super) fn load(&self, environment: &Environment) -> Result<Config, Failure> {
        Ok(self.try_load(environment)??)
    }

    /// The same, but mistakes are separate from the failure to find an instance.
    pub(super) fn try_load(&self, environment: &Environment) -> Result<Result<Config, Mistakes>, Failure> {
        if let Some(data_dir) = &self.data_dir {
            return development(data_dir, environment);
        }
        let file = self.config_file()?;
        if file.is_some() || environment.has("public_url") {
            return Ok(Config::load(file.as_deref(), environment));
        }
        let data_dir = Path::new(DEFAULT_DATA_DIR);
        if data_dir.is_dir() {
            return development(data_dir, environment);
        }
        Err(
            Failure::new("There is no instance here: neither ./genkan.toml nor ./genkan-data exists.")
                .remedy("Name one with --config FILE or --data-dir DIR, or start one with `genkan dev`."),
        )
    }
}

fn development(data_dir: &Path, environment: &Environment) -> Result<Result<Config, Mistakes>, Failure> {
    if !data_dir.join("genkan.db").exists() && !environment.has("database.url") {
        return Err(Failure::new(format!(
            "There is no development instance in {}.",
            data_dir.display()
        ))
        .remedy("Start one with `genkan dev --data-dir DIR`; its first start takes a second."));
    }
    let options = Development {
        public_url: public_url(data_dir),
        listen: ([127, 0, 0, 1], 8080).into(),
        data_dir: data_dir.to_owned(),
    };
    Ok(Config::development(&options, environment))
}

/// The public URL of the development instance in `data_dir`.
fn public_url(data_dir: &Path) -> PublicUrl {
    let written = std::fs::read_to_string(data_dir.join(DEV_ENV_FILE)).unwrap_or_default();
    let value = written
        .lines()
        .find_map(|line| line.strip_prefix("SCALEKIT_ENVIRONMENT_URL="));
    let default = || PublicUrl::parse("http://localhost:8080").expect("a loopback address");
    value
        .and_then(|value| PublicUrl::parse(value.trim_matches('"')).ok())
        .unwrap_or_else(default)
}
