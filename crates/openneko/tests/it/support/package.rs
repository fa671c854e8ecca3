//! npm packages, also ones that npm would never make.

use std::io::Write;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::NAME;

/// A plugin's package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `package.json`
    pub(crate) json: Value,
    /// Beside `package.json`.
    pub(crate) entries: Vec<Entry>,
}

/// An entry of a tar archive. The path is not checked.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) kind: EntryType,
    pub(crate) link: String,
    pub(crate) content: Vec<u8>,
}

impl Entry {
    pub(crate) fn file(path: &str, content: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            kind: EntryType::Regular,
            link: String::new(),
            content: content.to_owned(),
        }
    }

    pub(crate) fn link(path: &str, kind: EntryType, target: &str) -> Self {
        Self {
            kind,
            link: target.to_owned(),
            ..Self::file(path, b"")
        }
    }
}

impl Package {
    pub(crate) fn new(version: &str) -> Self {
        Self::named(NAME, version)
    }

    pub(crate) fn named(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            json: json!({
                "name": name,
                "version": version,
                "openneko": {
                    "runner": "./dist/run.js",
                    "permissions": { "network": ["*.acme.com"] },
                    "capabilities": { "auth": { "providerLabel": "Acme" } },
                },
            }),
            entries: vec![Entry::file(
                "package/dist/run.js",
                format!("// {version}\n").as_bytes(),
            )],
        }
    }

    pub(crate) fn id(&self) -> String {
        self.name.trim_start_matches('@').replace('/', "-")
    }

    pub(crate) fn permissions(&self) -> Value {
        let openneko = &self.json["openneko"];
        openneko.get("permissions").cloned().unwrap_or_else(|| json!({}))
    }

    pub(crate) fn tarball(&self) -> Vec<u8> {
        let mut entries = vec![Entry::file(
            "package/package.json",
            self.json.to_string().as_bytes(),
        )];
        entries.extend(self.entries.clone());
        gzip(&tar(&entries))
    }
}

pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_ustar();
        // Written past the checks of the library.
        let name = entry.path.as_bytes();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        let link = entry.link.as_bytes();
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(entry.kind);
        header.set_mode(0o644);
        header.set_size(entry.content.len() as u64);
        header.set_cksum();
        archive.append(&header, entry.content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn integrity(tarball: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA512, tarball);
    format!("sha512-{}", STANDARD.encode(hash))
}
