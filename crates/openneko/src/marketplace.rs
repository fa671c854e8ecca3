//! The trusted marketplaces and their catalogs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openneko_plugin::json::{Json, Object};
use openneko_plugin::marketplace::{BadEntry, Catalog, MAX_SIZE, Malformed};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::file::{self, Lock};
use crate::http::{self, Http, Request, UrlError};
use crate::paths::Paths;

pub const OFFICIAL: &str = "official";
pub const OFFICIAL_URL: &str = "https://open-neko.github.io/plugins/marketplace.json";

const MAX_FILE_BYTES: u64 = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// A marketplace that is trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedMarketplace {
    /// The slug by which people name it.
    pub name: String,
    pub url: String,
    /// `YYYY-MM-DD`
    pub added_at: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub official: bool,
    #[serde(flatten)]
    pub extra: Object,
}

/// The file of the trusted marketplaces, with all its fields.
#[derive(Debug)]
pub struct Marketplaces {
    root: Object,
    pub trusted: Vec<TrustedMarketplace>,
}

/// Why the trusted marketplaces cannot be read or changed.
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
    #[error("marketplace \"{0}\" is already trusted")]
    AlreadyTrusted(String),
    #[error("{0} is already trusted as \"{1}\"")]
    UrlAlreadyTrusted(String, String),
    #[error("the name {0:?} of the marketplace has no letter or digit to make a slug of")]
    NoSlug(String),
    #[error("marketplace \"official\" is the official OpenNeko marketplace — refusing to remove")]
    Official,
}

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error("cannot read the file: {0}")]
    File(String),
    #[error("it is not text")]
    NotText,
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Marketplaces {
    /// The trusted marketplaces, the official one among them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or understood.
    pub fn read(paths: &Paths) -> Result<Self, Error> {
        let (marketplaces, is_complete) = Self::load(paths)?;
        if !is_complete {
            // The original writes the file at its first read, and people then edit
            // it. If it cannot be written, reading must still work.
            let _ = Self::edit(paths, |_| Ok(()));
        }
        Ok(marketplaces)
    }

    fn load(paths: &Paths) -> Result<(Self, bool), Error> {
        let path = paths.marketplaces();
        let malformed = |reason: String| Error::Malformed {
            path: path.clone(),
            reason,
        };
        let content = file::read(&path, MAX_FILE_BYTES).map_err(|source| failed("read", &path, source))?;
        let mut root = match &content {
            Some(content) => {
                serde_json::from_slice::<Object>(content).map_err(|error| malformed(error.to_string()))?
            }
            None => Object::new(),
        };
        let list = match (content.is_some(), root.remove("marketplaces")) {
            (_, Some(list @ Json::Array(_))) => list,
            (false, None) => Json::Array(Vec::new()),
            _ => return Err(malformed("it has no list \"marketplaces\"".to_owned())),
        };
        let mut trusted: Vec<TrustedMarketplace> = list.to().map_err(|error| malformed(error.to_string()))?;
        let is_complete = trusted.iter().any(|marketplace| marketplace.name == OFFICIAL);
        if !is_complete {
            let official = TrustedMarketplace {
                name: OFFICIAL.to_owned(),
                url: OFFICIAL_URL.to_owned(),
                added_at: "1970-01-01".to_owned(),
                official: true,
                extra: Object::new(),
            };
            trusted.insert(0, official);
        }
        Ok((Self { root, trusted }, is_complete))
    }

    /// Changes the list under its lock.
    ///
    /// # Errors
    ///
    /// Those of `change`, and if the file cannot be read or written; it is then unchanged.
    pub fn edit<T>(paths: &Paths, change: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let path = paths.marketplaces();
        let failed = |source| failed("write", &path, source);
        file::private_dir(&paths.config_dir).map_err(failed)?;
        let lock = Lock::acquire(&path).map_err(failed)?;
        let (mut marketplaces, _) = Self::load(paths)?;
        let result = change(&mut marketplaces)?;
        let list = Json::from(&marketplaces.trusted).map_err(|error| Error::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        let mut root = marketplaces.root;
        root.insert("marketplaces", list);
        lock.write(Json::Object(root).to_file().as_bytes(), 0o644)
            .map_err(failed)?;
        Ok(result)
    }

    /// Trusts another marketplace.
    ///
    /// # Errors
    ///
    /// If its slug or its address is already trusted.
    pub fn add(&mut self, name: &str, url: &str, today: String) -> Result<String, Error> {
        let slug = slug(name).ok_or_else(|| Error::NoSlug(name.to_owned()))?;
        if let Some(other) = self.trusted.iter().find(|other| other.url == url) {
            return Err(Error::UrlAlreadyTrusted(url.to_owned(), other.name.clone()));
        }
        if self.find(&slug).is_some() {
            return Err(Error::AlreadyTrusted(slug));
        }
        self.trusted.push(TrustedMarketplace {
            name: slug.clone(),
            url: url.to_owned(),
            added_at: today,
            official: false,
            extra: Object::new(),
        });
        Ok(slug)
    }

    /// Stops trusting a marketplace; returns its slug if it was trusted.
    ///
    /// # Errors
    ///
    /// For the official one.
    pub fn remove(&mut self, name_or_url: &str) -> Result<Option<String>, Error> {
        let matches = |one: &TrustedMarketplace| one.name == name_or_url || one.url == name_or_url;
        let Some(at) = self.trusted.iter().position(matches) else {
            return Ok(None);
        };
        if self.trusted[at].name == OFFICIAL {
            return Err(Error::Official);
        }
        Ok(Some(self.trusted.remove(at).name))
    }

    pub fn find(&self, slug: &str) -> Option<&TrustedMarketplace> {
        self.trusted.iter().find(|marketplace| marketplace.name == slug)
    }
}

/// A marketplace's address in its stored form: `https:`, or for development
/// `http:` on this machine, a `file:` URL or the path of a file.
///
/// # Errors
///
/// [`UrlError`] for anything else.
pub fn address(text: &str, current_dir: &Path) -> Result<String, UrlError> {
    let not_a_url = || UrlError::NotAUrl(text.to_owned());
    let is_path = !text.contains("://") && !text.starts_with("file:");
    if is_path {
        let path = std::fs::canonicalize(current_dir.join(text)).map_err(|_| not_a_url())?;
        return Ok(Url::from_file_path(path).map_err(|()| not_a_url())?.to_string());
    }
    if text.starts_with("file:") {
        let url = Url::parse(text).map_err(|_| not_a_url())?;
        url.to_file_path().map_err(|()| not_a_url())?;
        return Ok(url.to_string());
    }
    http::parse_url(text).map(|url| url.to_string())
}

/// Reads a marketplace's catalog. Also returns its unusable entries.
///
/// # Errors
///
/// [`FetchError`] if there is no catalog at that address.
pub async fn fetch(http: &Http, address: &str) -> Result<(Catalog, Vec<BadEntry>), FetchError> {
    let limit = MAX_SIZE as u64;
    let content = match Url::parse(address).ok().filter(|url| url.scheme() == "file") {
        Some(url) => {
            let path = url
                .to_file_path()
                .map_err(|()| UrlError::NotAUrl(address.to_owned()))?;
            let content = file::read(&path, limit).map_err(|error| FetchError::File(error.to_string()))?;
            content.ok_or_else(|| FetchError::File("there is none".to_owned()))?
        }
        None => {
            let url = http::parse_url(address)?;
            let request = Request {
                url: &url,
                accept: "application/json",
                authorization: None,
                limit,
                timeout: TIMEOUT,
            };
            http.get(request, |_, _| {}).await?
        }
    };
    let text = String::from_utf8(content).map_err(|_| FetchError::NotText)?;
    Ok(Catalog::parse(&text)?)
}

/// Lower case; `-` for each run of anything but letters and digits; 40 characters.
fn slug(name: &str) -> Option<String> {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let mut slug = slug.trim_end_matches('-').to_owned();
    slug.truncate(40);
    (!slug.is_empty()).then_some(slug)
}

fn failed(verb: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        verb,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_those_of_the_original() {
        assert_eq!(slug("OpenNeko Official").unwrap(), "openneko-official");
        assert_eq!(slug("  Ärzte & Söhne -- 2! ").unwrap(), "rzte-s-hne-2");
        assert_eq!(
            slug(&format!("{} b", "a".repeat(39))).unwrap(),
            format!("{}-", "a".repeat(39))
        );
        assert_eq!(slug("!!!"), None);
    }

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        let here = Path::new("/");
        assert_eq!(address("https://a.example", here).unwrap(), "https://a.example/");
        assert_eq!(address("/etc/hostname", here).unwrap(), "file:///etc/hostname");
        assert_eq!(
            address("file:///etc/hostname", here).unwrap(),
            "file:///etc/hostname"
        );
        assert!(address("http://localhost:4873/m.json", here).is_ok());
        for bad in [
            "http://a.example",
            "ftp://a.example",
            "file://host/etc",
            "no/such/file",
            "https://a:b@c.example",
        ] {
            assert!(address(bad, here).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_file_is_made_and_completed_and_keeps_what_it_does_not_know() {
        let directory = tempfile::tempdir().unwrap();
        let environment = [("XDG_CONFIG_HOME", directory.path().to_str().unwrap())];
        let paths = Paths::new(environment.into_iter().collect(), directory.path());
        let read = || std::fs::read_to_string(paths.marketplaces()).unwrap();

        assert_eq!(Marketplaces::read(&paths).unwrap().trusted[0].name, OFFICIAL);
        assert_eq!(
            read(),
            format!(
                "{{\n  \"marketplaces\": [\n    {{\n      \"name\": \"official\",\n      \"url\": \"{OFFICIAL_URL}\",\n      \
                 \"addedAt\": \"1970-01-01\",\n      \"official\": true\n    }}\n  ]\n}}\n"
            )
        );
        let text = r#"{"later":1,"marketplaces":[{"name":"a","url":"https://a.example/","addedAt":"2026-01-01","note":"x"}]}"#;
        std::fs::write(paths.marketplaces(), text).unwrap();
        Marketplaces::edit(&paths, |all| {
            all.add("B!", "https://b.example/", "2026-01-02".to_owned())
        })
        .unwrap();
        let text = read();
        assert!(
            text.contains("\"later\": 1") && text.contains("\"note\": \"x\""),
            "{text}"
        );
        let marketplaces = Marketplaces::read(&paths).unwrap();
        let names: Vec<_> = marketplaces.trusted.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, [OFFICIAL, "a", "b"]);

        for text in ["", "{}", r#"{"marketplaces":{}}"#, r#"{"marketplaces":[{}]}"#] {
            std::fs::write(paths.marketplaces(), text).unwrap();
            assert!(Marketplaces::read(&paths).is_err(), "{text}");
            assert_eq!(read(), text);
        }
    }
}
