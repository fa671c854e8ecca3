//! The npm registry: the metadata of a package, and the package itself.
//!
//! Source: the registry API of npm, `package-metadata.md` of npm/registry.

mod npmrc;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use openneko_plugin::json::Json;
use openneko_plugin::permission::Integrity;
use openneko_plugin::{PackageName, Version};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use url::Url;

use crate::http::{self, Http, Request};
use crate::paths::Paths;
pub use npmrc::{Error as ConfigError, NpmConfig};

/// Enough for packages with thousands of versions.
const MAX_METADATA_BYTES: u64 = 32 << 20;
/// A plugin is one bundle or component; the JavaScript engine itself takes 12 MiB.
const MAX_TARBALL_BYTES: u64 = 64 << 20;
const METADATA_TIMEOUT: Duration = Duration::from_secs(30);
const TARBALL_TIMEOUT: Duration = Duration::from_secs(300);
/// The short form of the metadata, which is enough for an installer.
const SHORT_METADATA: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";

/// Why a package could not be downloaded from the registry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error("{registry} has no package {name}")]
    NoPackage { registry: String, name: PackageName },
    #[error("cannot ask {registry} for {name}: {source}")]
    Metadata {
        registry: String,
        name: PackageName,
        source: http::Error,
    },
    #[error("the answer of {registry} for {name} is not understood: {reason}")]
    Malformed {
        registry: String,
        name: PackageName,
        reason: String,
    },
    #[error("{registry} has no {name}@{version}")]
    NoVersion {
        registry: String,
        name: PackageName,
        version: String,
    },
    #[error("cannot download {url}: {source}")]
    Tarball { url: String, source: http::Error },
}

/// The registry's metadata of one version.
#[derive(Debug, Clone)]
pub struct PublishedVersion {
    pub version: Version,
    pub tarball: Url,
    pub integrity: Integrity,
    /// The author's message to people who still use it.
    pub deprecated: Option<String>,
}

/// One registry, for packages of one scope.
pub struct Registry {
    url: Url,
    config: NpmConfig,
    http: Http,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    name: String,
    #[serde(rename = "dist-tags", default)]
    dist_tags: Unique<String>,
    // Read one by one: a version that is not needed may be malformed.
    #[serde(borrow)]
    versions: Unique<&'a RawValue>,
}

/// An object without duplicate names: two readers might take different values.
struct Unique<T>(BTreeMap<String, T>);

impl<T> Default for Unique<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Unique<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Unique<T>, M::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if members.contains_key(&name) {
                        return Err(M::Error::custom(format_args!("{name:?} occurs twice")));
                    }
                    members.insert(name, value);
                }
                Ok(Unique(members))
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

#[derive(Deserialize)]
struct VersionMetadata {
    version: String,
    dist: Dist,
    #[serde(default)]
    deprecated: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Dist {
    tarball: String,
    integrity: Option<String>,
}

impl Registry {
    /// The registry for `name`: `flag`, else the one of npm's settings.
    ///
    /// # Errors
    ///
    /// If the settings cannot be used.
    pub fn of(paths: &Paths, name: &PackageName, flag: Option<&str>) -> Result<Self, Error> {
        let config = NpmConfig::read(paths)?;
        Ok(Self {
            url: config.registry(name.scope(), flag)?,
            http: Http::new(paths, &config.authorities())?,
            config,
        })
    }

    /// The address, as messages show it.
    pub fn shown(&self) -> String {
        http::shown(&self.url)
    }

    /// The metadata of `version`, or of the version that the registry calls `latest`.
    ///
    /// # Errors
    ///
    /// If it has no such version, or its answer lacks the hash that verifies the package.
    pub async fn published(
        &self,
        name: &PackageName,
        version: Option<&Version>,
    ) -> Result<PublishedVersion, Error> {
        let url = self.metadata_url(name);
        let request = Request {
            url: &url,
            accept: SHORT_METADATA,
            authorization: self.config.authorization(&url)?,
            limit: MAX_METADATA_BYTES,
            timeout: METADATA_TIMEOUT,
        };
        let body = self
            .http
            .get(request, |_, _| {})
            .await
            .map_err(|source| match source {
                http::Error::Status(status) if status.as_u16() == 404 => Error::NoPackage {
                    registry: self.shown(),
                    name: name.clone(),
                },
                source => Error::Metadata {
                    registry: self.shown(),
                    name: name.clone(),
                    source,
                },
            })?;
        let malformed = |reason: String| Error::Malformed {
            registry: self.shown(),
            name: name.clone(),
            reason,
        };
        let metadata: Metadata<'_> =
            serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()))?;
        if metadata.name != name.as_str() {
            return Err(malformed(format!("it speaks of {:?}", metadata.name)));
        }
        let wanted = version
            .map(Version::as_str)
            .or_else(|| metadata.dist_tags.0.get("latest").map(String::as_str));
        let found = wanted.and_then(|wanted| metadata.versions.0.get(wanted));
        let found = found.ok_or_else(|| Error::NoVersion {
            registry: self.shown(),
            name: name.clone(),
            version: wanted.unwrap_or("latest").to_owned(),
        })?;
        published(found, wanted).map_err(malformed)
    }

    /// Downloads the tarball. `progress` gets the size, if it is known, and the bytes so far.
    ///
    /// # Errors
    ///
    /// If it cannot be downloaded, or is larger than 64 MiB.
    pub async fn tarball(
        &self,
        published: &PublishedVersion,
        progress: impl FnMut(Option<u64>, u64),
    ) -> Result<Vec<u8>, Error> {
        let request = Request {
            url: &published.tarball,
            accept: "application/octet-stream, */*; q=0.5",
            authorization: self.config.authorization(&published.tarball)?,
            limit: MAX_TARBALL_BYTES,
            timeout: TARBALL_TIMEOUT,
        };
        self.http
            .get(request, progress)
            .await
            .map_err(|source| Error::Tarball {
                url: http::shown(&published.tarball),
                source,
            })
    }

    /// npm asks for `@scope%2fname`.
    fn metadata_url(&self, name: &PackageName) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}{}", self.url.path(), name.as_str().replace('/', "%2f"));
        url.set_path(&path);
        url
    }
}

fn published(found: &RawValue, wanted: Option<&str>) -> Result<PublishedVersion, String> {
    let json: Json = serde_json::from_str(found.get()).map_err(|error| error.to_string())?;
    let found: VersionMetadata = json.to().map_err(|error| error.to_string())?;
    if Some(found.version.as_str()) != wanted {
        return Err(format!("the entry of a version speaks of {:?}", found.version));
    }
    let version = Version::parse(&found.version).map_err(|error| error.to_string())?;
    let tarball = http::parse_url(&found.dist.tarball).map_err(|error| error.to_string())?;
    let integrity = found.dist.integrity.as_deref().and_then(sha512);
    let integrity = integrity.ok_or("it has no SHA-512 of the package (dist.integrity)")?;
    let deprecated = match found.deprecated {
        Some(serde_json::Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    Ok(PublishedVersion {
        version,
        tarball,
        integrity,
        deprecated,
    })
}

/// The one SHA-512 among the hashes that the registry lists.
///
/// Source: Subresource Integrity §3.5. There, any of several hashes of the same strength
/// is enough, so a list of two is refused here.
fn sha512(list: &str) -> Option<Integrity> {
    let mut found = list
        .split_ascii_whitespace()
        .filter(|hash| hash.starts_with("sha512-"))
        .map(|hash| hash.split_once('?').map_or(hash, |(hash, _)| hash));
    let integrity = Integrity::parse(found.next()?).ok()?;
    integrity.digest()?;
    found.next().is_none().then_some(integrity)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With two values, a registry could show one to a reviewer and another to us.
    #[test]
    fn an_answer_that_says_two_things_is_refused() {
        let hash = Integrity::of_digest(&[7; 64]);
        let dist = format!(
            r#"{{"tarball":"https://npm.test/t","integrity":"{}"}}"#,
            hash.as_str()
        );
        let version = |dist: &str| format!(r#"{{"version":"1.0.0","dist":{dist}}}"#);
        let good = version(&dist);
        let read = |text: &str| {
            let metadata: Metadata<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            let found = metadata.versions.0.get("1.0.0").ok_or("there is none")?;
            published(found, Some("1.0.0"))
        };
        let whole = |versions: &str| format!(r#"{{"name":"p","dist-tags":{{}},"versions":{{{versions}}}}}"#);
        let one = |version: &str| whole(&format!(r#""1.0.0":{version}"#));
        assert!(read(&one(&good)).is_ok());
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for text in [
            whole(&format!(r#""1.0.0":{good},"1.0.0":{good}"#)),
            whole(&format!(r#""1.0.0":{good},"1.0.\u0030":{good}"#)),
            format!(r#"{{"name":"p","versions":{{}},"versions":{{"1.0.0":{good}}}}}"#),
            format!(
                r#"{{"name":"p","dist-tags":{{"latest":"1","latest":"2"}},"versions":{{"1.0.0":{good}}}}}"#
            ),
            one(&version(&dist.replace(
                "\"integrity\"",
                "\"tarball\":\"https://evil.test/t\",\"integrity\"",
            ))),
            one(&good.replace("\"dist\"", "\"x\":1,\"x\":2,\"dist\"")),
            one(&good.replace("\"dist\"", &format!("\"x\":{deep},\"dist\""))),
        ] {
            assert!(read(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_one_sha512_is_found() {
        let hash = Integrity::of_digest(&[7; 64]).as_str().to_owned();
        for list in [
            hash.clone(),
            format!(" sha1-AAAA {hash}?opt "),
            format!("{hash} sha384-x"),
        ] {
            assert_eq!(sha512(&list).unwrap().as_str(), hash, "{list}");
        }
        let other = Integrity::of_digest(&[8; 64]);
        for list in [
            "",
            "sha1-AAAA",
            "sha512-unknown",
            &format!("{hash} {}", other.as_str()),
        ] {
            assert!(sha512(list).is_none(), "{list}");
        }
    }
}
