//! A machine of one's own: folders, a registry, a marketplace, and the real binary.

mod package;
mod server;
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

pub(crate) use package::{Entry, Package, gzip, integrity, tar};
pub(crate) use server::{Answer, Asked, Proxy, Server};
pub(crate) use terminal::{Terminal, open as terminal};

/// The plugin that most tests install.
pub(crate) const NAME: &str = "@acme/plugin-sso";

/// One host with its files, and the servers that it talks to.
pub(crate) struct Machine {
    directory: tempfile::TempDir,
    pub(crate) server: Server,
    /// What the marketplace lists, by package name.
    plugins: BTreeMap<String, Vec<Value>>,
    /// Versions in the registry, by package name.
    published: BTreeMap<String, BTreeMap<String, Value>>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    /// A machine that trusts nothing but the official marketplace, which it cannot reach.
    pub(crate) fn new() -> Self {
        let machine = Self {
            directory: tempfile::tempdir().unwrap(),
            server: Server::start(),
            plugins: BTreeMap::new(),
            published: BTreeMap::new(),
        };
        for folder in ["home", "work"] {
            fs::create_dir(machine.path(folder)).unwrap();
        }
        machine
    }

    /// A machine that trusts the local marketplace `acme`, and no other.
    pub(crate) fn with_marketplace() -> Self {
        let mut machine = Self::new();
        machine.write_catalog();
        let config = machine.path("home/config/openneko");
        fs::create_dir_all(&config).unwrap();
        let url = machine.server.url("/marketplace.json");
        // The official one is kept from being asked: a test is to work without a network.
        let marketplaces = json!({ "marketplaces": [
            { "name": "acme", "url": url, "addedAt": "2026-01-01" },
            { "name": "official", "url": machine.server.url("/official.json"), "addedAt": "1970-01-01", "official": true },
        ]});
        fs::write(config.join("marketplaces.json"), marketplaces.to_string()).unwrap();
        let policy = json!({ "installPolicy": { "allowedMarketplaces": [url] } });
        fs::write(config.join("config.json"), policy.to_string()).unwrap();
        machine
    }

    pub(crate) fn path(&self, inner: &str) -> PathBuf {
        self.directory.path().join(inner)
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.path("work/openneko.plugins.json")
    }

    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.path("home/config/openneko").join(name)
    }

    /// The command with this machine's environment and nothing else.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openneko"));
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/config"))
            .env("npm_config_registry", self.server.url("/"))
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command().args(args).output().unwrap())
    }

    /// Puts a package into the registry and the marketplace.
    pub(crate) fn offer(&mut self, package: &Package) {
        let tarball = package.tarball();
        self.publish(package, &tarball, &integrity(&tarball));
        self.list(package, &integrity(&tarball), &json!({}));
    }

    /// Puts a tarball into the registry, whatever it is.
    pub(crate) fn publish(&mut self, package: &Package, tarball: &[u8], integrity: &str) {
        let path = format!("/tarballs/{}-{}.tgz", package.id(), package.version);
        self.server.set(&path, Answer::ok(tarball));
        let version = json!({
            "name": package.name,
            "version": package.version,
            "dist": { "tarball": self.server.url(&path), "integrity": integrity },
        });
        let versions = self.published.entry(package.name.clone()).or_default();
        versions.insert(package.version.clone(), version);
        let metadata = json!({
            "name": package.name,
            "dist-tags": { "latest": package.version },
            "versions": versions,
        });
        self.server
            .set(&metadata_path(&package.name), Answer::json(&metadata));
    }

    /// Lists a version in the marketplace; `more` goes over the ordinary fields.
    pub(crate) fn list(&mut self, package: &Package, integrity: &str, more: &Value) {
        let mut version = json!({
            "version": package.version,
            "integrity": integrity,
            "permissions": package.permissions(),
            "capabilities": { "auth": { "providerLabel": "Acme" } },
            "publishedAt": "2026-06-02",
        });
        for (key, value) in more.as_object().unwrap() {
            version[key] = value.clone();
        }
        let versions = self.plugins.entry(package.name.clone()).or_default();
        versions.retain(|listed| listed["version"] != version["version"]);
        versions.push(version);
        self.write_catalog();
    }

    fn write_catalog(&mut self) {
        let plugins: Vec<Value> = self
            .plugins
            .iter()
            .map(|(name, versions)| plugin(name, versions))
            .collect();
        let catalog = catalog("Acme", &Value::Array(plugins));
        self.server.set("/marketplace.json", Answer::json(&catalog));
    }

    /// Every file of the machine with its content, other than locks.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.directory.path(), &mut files);
        files
    }

    /// The names of all files in the installed packages, with their folders.
    pub(crate) fn installed(&self) -> Vec<String> {
        let root = self.path("work/plugins");
        let mut files = BTreeMap::new();
        if root.exists() {
            collect(&root, &mut files);
        }
        let inner = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        files.keys().map(inner).collect()
    }

    /// The manifest as JSON.
    pub(crate) fn entries(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.manifest()).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["plugins"].as_array().unwrap().clone()
    }
}

pub(crate) fn metadata_path(name: &str) -> String {
    format!("/{}", name.replace('/', "%2f"))
}

pub(crate) fn catalog(name: &str, plugins: &Value) -> Value {
    json!({ "name": name, "owner": "acme", "description": "Plugins for tests", "plugins": plugins })
}

pub(crate) fn plugin(name: &str, versions: &[Value]) -> Value {
    json!({
        "name": name,
        "title": "Acme SSO",
        "description": "Signs people in at Acme",
        "source": "https://github.com/acme/plugins",
        "versions": versions,
    })
}

/// Locks are left out: they are empty and stay.
fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files);
        } else if !path.to_str().unwrap().ends_with(".lock") {
            files.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks that it succeeded and printed exactly this.
    #[track_caller]
    pub(crate) fn printed(&self, stdout: &str) -> &Self {
        assert_eq!((self.code, self.stdout.as_str()), (Some(0), stdout), "{self:#?}");
        self
    }

    /// Checks that it failed so, and printed nothing but what went wrong.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, stderr: &str) -> &Self {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:#?}");
        assert_eq!(self.stderr.trim_end(), stderr, "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn noted(&self, stderr: &str) -> &Self {
        assert!(self.stderr.contains(stderr), "{stderr:?} is not in {self:#?}");
        self
    }
}
