//! Configuration: `genkan.toml`, `GENKAN_…` variables, defaults.
//!
//! The keys are declared in `keys.rs`, one documented field each.

mod files;
mod instance_key;
mod key;
mod keys;
mod mistake;
mod proxy;
mod reader;
mod reference;
mod rules;
mod setting;
mod show;
mod smtp;
#[cfg(test)]
mod tests;
mod url;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use genkan_web::listener;

pub use instance_key::InstanceKeyFileError;
pub use key::{Fallback, Key};
pub use keys::{
    Applications, Config, Database, Limits, Log, Mail, Outbound, Proxy, Retention, Session, Tls, Tokens, keys,
};
pub use mistake::{Mistake, Mistakes, Place};
pub use proxy::{NoProxy, ProxyUrl};
pub(crate) use reader::nearest;
use reader::{Reader, WrittenValue};
pub use reference::reference;
pub use setting::{ByteSize, Form, InstanceKeyBytes, LogFilter, LogFormat, TlsMode, parse_duration};
pub use show::EffectiveValue;
pub use smtp::{SenderName, SmtpSecurity, SmtpUrl};
pub use url::{DatabaseUrl, PublicUrl};

use crate::budget::Policy;

/// How long a client may take to read an answer after its begin.
const READING_TIME: Duration = Duration::from_secs(30);

/// The most connections of one client if clients connect directly. It allows many people behind one
/// address, but never all connections.
const CONNECTIONS_PER_CLIENT: usize = 1_000;

/// The variables in which other programs look for a proxy. This program does not read them, because a
/// variable for somebody's shell would silently redirect every sign-in.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The prefix of every environment variable.
pub const PREFIX: &str = "GENKAN_";

/// Names the configuration file. It is no key, so it has no default and cannot be in the file.
const CONFIG_FILE_VARIABLE: &str = "GENKAN_CONFIG";

/// The file that is read if none is named.
pub const DEFAULT_FILE: &str = "genkan.toml";

/// The variables of this process that concern the configuration.
#[derive(Clone, Default)]
pub struct Environment(Vec<(String, String)>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be secrets.
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Environment {
    /// The variables of this process. If a value is not UTF-8, it gets replacement characters, which no key
    /// accepts.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn of_process() -> Self {
        let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let concerns_us =
                |name: &String| name.starts_with(PREFIX) || PROXY_VARIABLES.contains(&name.as_str());
            let name = name.into_string().ok().filter(concerns_us)?;
            Some((name, value.to_string_lossy().into_owned()))
        };
        Self(std::env::vars_os().filter_map(ours).collect())
    }

    /// `GENKAN_CONFIG`: the file to read if the command line names none.
    pub fn config_file(&self) -> Option<PathBuf> {
        let (_, value) = self.0.iter().find(|(name, _)| name == CONFIG_FILE_VARIABLE)?;
        (!value.trim().is_empty()).then(|| PathBuf::from(value))
    }

    /// The variables that name a proxy for other programs. They are not read.
    pub fn foreign_proxies(&self) -> Vec<&str> {
        let is_set = |(name, value): &&(String, String)| {
            PROXY_VARIABLES.contains(&name.as_str()) && !value.trim().is_empty()
        };
        self.0
            .iter()
            .filter(is_set)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Whether `key` is set here.
    pub fn has(&self, key: &str) -> bool {
        let key = keys().find(|candidate| candidate.name == key);
        let is_set =
            |(name, value): &(String, String), key: &Key| *name == key.variable() && !value.trim().is_empty();
        key.is_some_and(|key| self.0.iter().any(|variable| is_set(variable, key)))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The options of `genkan dev`.
#[derive(Debug, Clone)]
pub struct Development {
    pub public_url: PublicUrl,
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
}

impl Config {
    /// Reads `file` and `environment`. A variable has precedence over the file.
    ///
    /// It does not read the files that the configuration names, see [`Config::check_files`].
    ///
    /// # Errors
    ///
    /// All mistakes, in the order of the file.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(keys().collect());
        if let Some(path) = file {
            match std::fs::read_to_string(path) {
                Ok(text) => reader.read_file(path, &text),
                Err(error) => return Err(Mistakes(vec![unreadable(path, &error)])),
            }
        }
        reader.read_environment(&environment.0);
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        Self::finish(reader, base)
    }

    /// The configuration of a development instance: everything in one folder.
    ///
    /// Variables apply to settings that the command line does not set.
    ///
    /// # Errors
    ///
    /// All mistakes in the variables.
    pub fn development(options: &Development, environment: &Environment) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(keys().collect());
        reader.read_environment(&environment.0);
        let mut set = |key: &'static str, value: String| {
            reader.written.insert(
                key,
                WrittenValue {
                    items: vec![value],
                    place: Place::Default,
                },
            );
        };
        set("public_url", options.public_url.to_string());
        set("listen", options.listen.to_string());
        set("data_dir", options.data_dir.to_string_lossy().into_owned());
        for (key, value) in [
            // All clients are on one machine, and its tests sign in all at once.
            ("limits.anonymous_per_minute", "600000"),
            ("limits.wrong_credentials_per_minute", "60000"),
            ("limits.failed_answers_per_minute", "6000"),
            // There is no load balancer in front.
            ("limits.drain_delay", "0s"),
        ] {
            if !reader.is_written(key) {
                let items = vec![value.to_owned()];
                let place = Place::Default;
                reader.written.insert(key, WrittenValue { items, place });
            }
        }
        if !reader.is_written("instance_key") && !reader.is_written("instance_key_file") {
            let file = options.data_dir.join("instance.key");
            let items = vec![file.to_string_lossy().into_owned()];
            reader.written.insert(
                "instance_key_file",
                WrittenValue {
                    items,
                    place: Place::Default,
                },
            );
        }
        if !reader.is_written("api.validate_tokens_by_identifier") {
            reader.written.insert(
                "api.validate_tokens_by_identifier",
                WrittenValue {
                    items: vec!["true".to_owned()],
                    place: Place::Default,
                },
            );
        }
        Self::finish(reader, Path::new(""))
    }

    fn finish(mut reader: Reader, base: &Path) -> Result<Self, Mistakes> {
        let config = Self::read(&mut reader);
        rules::check(&mut reader);
        let Reader {
            written,
            mut mistakes,
            ..
        } = reader;
        match config {
            Some(mut config) if mistakes.is_empty() => {
                config.written = written;
                config.resolve_paths(base);
                Ok(config)
            }
            _ => {
                mistakes.sort();
                mistakes.dedup();
                Err(Mistakes(mistakes))
            }
        }
    }

    /// Relative paths are relative to the folder of the configuration file, so a command works the same in
    /// every working directory.
    fn resolve_paths(&mut self, base: &Path) {
        self.data_dir = base.join(&self.data_dir);
        for path in [
            &mut self.instance_key_file,
            &mut self.tls.certificate_file,
            &mut self.tls.key_file,
            &mut self.mail.smtp_password_file,
            &mut self.outbound.ca_file,
        ]
        .into_iter()
        .flatten()
        {
            *path = base.join(&*path);
        }
        if let Some(path) = self.database.url.as_ref().and_then(DatabaseUrl::sqlite_path) {
            let path = base.join(path);
            self.database.url = Some(DatabaseUrl(format!("sqlite:{}", path.display())));
        }
    }

    /// The URL of the database. By default a file in the data folder.
    pub fn database_url(&self) -> DatabaseUrl {
        match &self.database.url {
            Some(url) => {
                let database = &self.database;
                let url = url.with("pool_size", &database.pool_size.to_string());
                let url = match database.pooler.parameter() {
                    Some(pooler) => url.with("pooler", pooler),
                    None => url,
                };
                match &database.schema {
                    Some(schema) => url.with("schema", &schema.0),
                    None => url,
                }
            }
            None => DatabaseUrl(format!("sqlite:{}", self.data_dir.join("genkan.db").display())),
        }
    }

    /// The limits of the listener.
    pub fn listener_limits(&self) -> listener::Limits {
        let limits = &self.limits;
        listener::Limits {
            greeting: limits.greeting_timeout,
            head: limits.head_timeout,
            body: limits.body_timeout,
            body_bytes: limits.body_size.0,
            answer: limits.answer_timeout,
            exchange: limits.answer_timeout + READING_TIME,
            connections: limits.connections as usize,
            bodies_in_flight: limits.bodies_in_flight.0,
            connections_per_client: match limits.connections_per_client {
                Some(0) => None,
                Some(connections) => Some(connections as usize),
                // Only if each connection comes from a client directly.
                None if self.tls.mode == TlsMode::Files && self.proxy.trusted_networks.is_empty() => {
                    Some(CONNECTIONS_PER_CLIENT)
                }
                None => None,
            },
            drain: limits.shutdown_timeout,
            ..listener::Limits::default()
        }
    }

    /// The limits for strangers.
    pub fn anonymous(&self) -> Policy {
        Policy {
            per_minute: self.limits.anonymous_per_minute,
            wrong_credentials_per_minute: self.limits.wrong_credentials_per_minute,
            failed_answers_per_minute: self.limits.failed_answers_per_minute,
        }
    }

    /// The proxies whose word about a client's address counts.
    pub fn trusted_proxies(&self) -> listener::TrustedProxies {
        listener::TrustedProxies {
            networks: self.proxy.trusted_networks.clone(),
            header: self.proxy.header,
        }
    }

    /// The place where `key` is set.
    fn place(&self, key: &str) -> Place {
        self.written
            .get(key)
            .map_or(Place::Default, |written| written.place.clone())
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Mistake {
    Mistake {
        place: Place::WholeFile(path.to_owned()),
        key: None,
        problem: format!("cannot be read: {error}"),
        remedy: "Name the file with --config, or write one: docs/reference/configuration.md has an example."
            .to_owned(),
    }
}
