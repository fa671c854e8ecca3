//! The secrets of the plugins: environment values, sealed at rest in one file.
//!
//! Every process that writes holds a lock and replaces the file in one step. A file
//! that cannot be read is an error and never an empty store: a plugin without its
//! secrets would fail in obscure ways, and the next write would lose them.

mod document;
mod key;
mod seal;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use openneko_sandbox::Secret;
use zeroize::Zeroizing;

use crate::file;
use crate::paths::Paths;
use document::{Document, Value};
use key::Key;

/// Enough for some thousand plugins.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// Linux takes 128 KiB for one environment variable.
const MAX_VALUE_BYTES: usize = 64 << 10;
const MAX_KEY_CHARS: usize = 64;

/// The stored secrets. Every method reads the file anew, so a change of another
/// process counts at once.
#[derive(Debug, Clone)]
pub struct Store {
    file: PathBuf,
    key: PathBuf,
}

/// Whether a value is the first of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Set,
    Updated,
}

/// Why secrets cannot be read or written. No message holds a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("secrets store at {} is invalid JSON: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error(
        "cannot decrypt {plugin}/{key}: it was stored with another key than the one in {}. \
         Restore that file, or set the value again after `openneko secrets unset {plugin} {key}`",
        key_file.display()
    )]
    WrongKey {
        plugin: String,
        key: String,
        key_file: PathBuf,
    },
    #[error(
        "{} is missing or empty, but secrets were stored with it. Restore it from a backup: \
         without it they cannot be decrypted",
        .0.display()
    )]
    NoKey(PathBuf),
    #[error("{} is not text", .0.display())]
    KeyNotText(PathBuf),
    #[error("{0:?} is not the name of a plugin")]
    NotAPlugin(String),
    #[error("the section {0:?} of the secrets store is not one of plain values and is left alone")]
    ForeignSection(String),
    #[error("secret key {0:?} must be UPPER_SNAKE_CASE and have at most 64 characters")]
    KeyName(String),
    #[error("the value of {0} is too long: 64 KiB is the most")]
    ValueTooLong(String),
    #[error("the value of {0} holds a NUL character, which no environment variable can")]
    ValueWithNul(String),
    #[error("the system gives no random bytes")]
    Random,
}

impl Error {
    fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            verb,
            path: path.to_owned(),
            source,
        }
    }
}

/// Whether `key` is `UPPER_SNAKE_CASE` of at most 64 characters, as environment values are named.
pub fn is_key_name(key: &str) -> bool {
    key.len() <= MAX_KEY_CHARS
        && key.starts_with(|c: char| c.is_ascii_uppercase())
        && key
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

impl Store {
    /// The store of this configuration; makes its directory, and no file.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made, or is not ours alone.
    pub fn open(paths: &Paths) -> Result<Self, Error> {
        file::private_dir(&paths.config_dir)
            .map_err(|source| Error::io("use the directory", &paths.config_dir, source))?;
        Ok(Self {
            file: paths.secrets(),
            key: paths.secret_key(),
        })
    }

    /// The file, to watch it.
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Those of the files that other users of this machine can read or change.
    pub fn exposed_files(&self) -> Vec<&Path> {
        let is_exposed = |path: &Path| fs::metadata(path).is_ok_and(|file| file.mode() & 0o077 != 0);
        let files = [self.file.as_path(), self.key.as_path()];
        files.into_iter().filter(|path| is_exposed(path)).collect()
    }

    /// Every value of a plugin, by its key. A plugin without secrets has none.
    ///
    /// # Errors
    ///
    /// If the file or the key cannot be read, or any value does not open.
    pub fn get(&self, plugin: &str) -> Result<BTreeMap<String, Secret>, Error> {
        let mut document = self.read()?;
        let values = match document.plugins.remove(plugin) {
            Some(values) => values,
            None => document.strings_of_other(plugin),
        };
        let key = self.key_for(&values)?;
        let open = |(name, value): (String, Value)| {
            let value = self.open_value(key.as_ref(), (plugin, &name), value)?;
            Ok((name, value))
        };
        values.into_iter().map(open).collect()
    }

    /// The names of all plugins and of their keys, sorted. Needs no key file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn list(&self) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let plugins = self.read()?.plugins;
        Ok(plugins
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(plugin, values)| (plugin, values.into_keys().collect()))
            .collect())
    }

    /// Stores one value.
    ///
    /// # Errors
    ///
    /// As [`Store::set_all`].
    pub fn set(&self, plugin: &str, key: &str, value: Secret) -> Result<Change, Error> {
        let change = self.set_all(plugin, vec![(key.to_owned(), value)])?;
        Ok(change
            .into_iter()
            .next()
            .map_or(Change::Set, |(_, change)| change))
    }

    /// Stores several values of a plugin: all of them or none.
    ///
    /// # Errors
    ///
    /// If a name or a value is malformed, or the store cannot be read or written;
    /// nothing is stored then.
    pub fn set_all(
        &self,
        plugin: &str,
        values: Vec<(String, Secret)>,
    ) -> Result<Vec<(String, Change)>, Error> {
        check_plugin(plugin)?;
        for (key, value) in &values {
            check_value(key, value)?;
        }
        let mut changes = Vec::new();
        self.edit(|document| {
            if document.others.contains_key(plugin) {
                return Err(Error::ForeignSection(plugin.to_owned()));
            }
            let section = document.plugins.entry(plugin.to_owned()).or_default();
            for (key, value) in values {
                let old = section.insert(key.clone(), Value::Plain(value));
                changes.push((key, old.map_or(Change::Set, |_| Change::Updated)));
            }
            Ok(true)
        })?;
        Ok(changes)
    }

    /// Removes a value; `false` if there was none.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written; it is then unchanged.
    pub fn unset(&self, plugin: &str, key: &str) -> Result<bool, Error> {
        let mut was_set = false;
        self.edit(|document| {
            if document.others.contains_key(plugin) {
                return Err(Error::ForeignSection(plugin.to_owned()));
            }
            if let Some(section) = document.plugins.get_mut(plugin) {
                was_set = section.remove(key).is_some();
                if section.is_empty() {
                    document.plugins.remove(plugin);
                }
            }
            Ok(was_set)
        })?;
        Ok(was_set)
    }

    /// A key for one purpose, such as `session-cookie:v1`: HMAC-SHA256 of the
    /// label. It changes only with the key file.
    ///
    /// # Errors
    ///
    /// If the key file cannot be read or made, or was lost.
    pub fn derived_key(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
        if let Some(key) = Key::read(&self.key)? {
            return Ok(key.derive(label));
        }
        let has_sealed = self.read()?.plugins.values().any(has_sealed);
        Ok(self.key_or_new(has_sealed)?.derive(label))
    }

    /// Changes the file under its lock. `change` says whether there is anything to write.
    fn edit(&self, change: impl FnOnce(&mut Document) -> Result<bool, Error>) -> Result<(), Error> {
        let failed = |source| Error::io("write", &self.file, source);
        let lock = file::Lock::acquire(&self.file).map_err(failed)?;
        let mut document = self.read()?;
        let had_sealed = document.plugins.values().any(has_sealed);
        if !change(&mut document)? {
            return Ok(());
        }
        let text = self.seal(&document, had_sealed)?;
        lock.write(text.as_bytes(), 0o600).map_err(failed)
    }

    /// The text of the file. Sealed values stay unchanged. But before a new one is
    /// sealed, all of them must open: otherwise the store would need two keys.
    fn seal(&self, document: &Document, had_sealed: bool) -> Result<String, Error> {
        let has_plain =
            |values: &BTreeMap<_, _>| values.values().any(|value| matches!(value, Value::Plain(_)));
        let key = if document.plugins.values().any(has_plain) {
            Some(self.key_or_new(had_sealed)?)
        } else {
            None
        };
        let mut sealed = BTreeMap::new();
        for (plugin, values) in &document.plugins {
            let mut section = BTreeMap::new();
            for (name, value) in values {
                let text = match (value, &key) {
                    (Value::Plain(secret), Some(key)) => {
                        seal::seal(key, secret.expose()).ok_or(Error::Random)?
                    }
                    (Value::Sealed(text), Some(_)) => {
                        self.open_value(key.as_ref(), (plugin, name), value.clone())?;
                        text.clone()
                    }
                    (Value::Sealed(text), None) => text.clone(),
                    (Value::Plain(_), None) => unreachable!("a plain value asks for the key"),
                };
                section.insert(name.as_str(), text);
            }
            sealed.insert(plugin.as_str(), section);
        }
        document
            .render(&sealed)
            .map_err(|error| self.malformed(&error.into()))
    }

    fn read(&self) -> Result<Document, Error> {
        let content = file::read(&self.file, MAX_FILE_BYTES)
            .map_err(|source| Error::io("read", &self.file, source))?
            .map(Zeroizing::new);
        let Some(content) = content else {
            return Ok(Document::default());
        };
        let text = std::str::from_utf8(&content).map_err(|_| Error::Malformed {
            path: self.file.clone(),
            reason: "it is not UTF-8".to_owned(),
        })?;
        Document::parse(text).map_err(|error| self.malformed(&error))
    }

    fn malformed(&self, error: &document::DocumentError) -> Error {
        Error::Malformed {
            path: self.file.clone(),
            reason: error.to_string(),
        }
    }

    /// The key to open `values` with, if any of them is sealed.
    fn key_for(&self, values: &BTreeMap<String, Value>) -> Result<Option<Key>, Error> {
        if !has_sealed(values) {
            return Ok(None);
        }
        let key = Key::read(&self.key)?;
        key.map(Some).ok_or_else(|| Error::NoKey(self.key.clone()))
    }

    /// A new key cannot open existing values, so one is made only for an empty store.
    fn key_or_new(&self, has_sealed: bool) -> Result<Key, Error> {
        if has_sealed {
            return Key::read(&self.key)?.ok_or_else(|| Error::NoKey(self.key.clone()));
        }
        Key::read_or_create(&self.key)
    }

    fn open_value(&self, key: Option<&Key>, name: (&str, &str), value: Value) -> Result<Secret, Error> {
        match (value, key) {
            (Value::Plain(secret), _) => Ok(secret),
            (Value::Sealed(text), Some(key)) => seal::open(key, &text).map_err(|_| Error::WrongKey {
                plugin: name.0.to_owned(),
                key: name.1.to_owned(),
                key_file: self.key.clone(),
            }),
            (Value::Sealed(_), None) => Err(Error::NoKey(self.key.clone())),
        }
    }
}

fn has_sealed(values: &BTreeMap<String, Value>) -> bool {
    values.values().any(|value| matches!(value, Value::Sealed(_)))
}

fn check_plugin(plugin: &str) -> Result<(), Error> {
    let may_be_one = !plugin.is_empty()
        && plugin.len() <= 214
        && !plugin.starts_with('_')
        && plugin.chars().all(|c| c.is_ascii_graphic());
    may_be_one
        .then_some(())
        .ok_or_else(|| Error::NotAPlugin(plugin.to_owned()))
}

fn check_value(key: &str, value: &Secret) -> Result<(), Error> {
    if !is_key_name(key) {
        return Err(Error::KeyName(key.to_owned()));
    }
    if value.expose().len() > MAX_VALUE_BYTES {
        return Err(Error::ValueTooLong(key.to_owned()));
    }
    if value.expose().contains('\0') {
        return Err(Error::ValueWithNul(key.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
