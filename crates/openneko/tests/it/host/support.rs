//! A host with plugins that were put in place by hand, in a real jail.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openneko::host::{Engines, Host};
use openneko::paths::Paths;
use openneko::secrets::{Secret, Store};
use openneko_sandbox::jail::{INIT_ARGUMENT, Jail, JailInit, JailOptions, find_node};
use openneko_sandbox::{Backend, BackendKind};
use serde_json::{Value, json};

pub(crate) const NAME: &str = "@acme/plugin-sso";
pub(crate) const SECRET: &str = "s3cret-of-the-plugin";

/// A plugin that answers every method with `answer`, an expression in JavaScript.
/// `register` is answered by itself.
pub(crate) fn plugin(name: &str, version: &str, answer: &str) -> String {
    format!(
        r#"
const [method, params] = process.argv.slice(2);
const say = (result) => process.stdout.write(JSON.stringify({{ ok: true, result }}));
const fail = (message) => process.stdout.write(JSON.stringify({{ ok: false, error: {{ code: "PLUGIN_ERROR", message }} }}));
const reach = (host) => fetch(`https://${{host}}/`).catch(() => null);
if (method === "register") {{
  await reach("register.test");
  say({{ protocol: 1, pluginName: "{name}", pluginVersion: "{version}", capabilities: {{ auth: {{ providerLabel: "Acme" }} }} }});
}} else {{ {answer} }}
"#
    )
}

/// The answer of a plugin that puts a text of its own into the authorization URL.
pub(crate) fn url_of(expression: &str) -> String {
    format!(
        "say({{ result: {{ authorizationUrl: 'https://idp.test/?' + encodeURIComponent({expression}) }} }})"
    )
}

pub(crate) fn sha512(bytes: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(digest(&SHA512, bytes)))
}

pub(crate) struct Machine {
    directory: tempfile::TempDir,
    pub(crate) paths: Paths,
    plugins: Vec<Value>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = |name: &str| directory.path().join(name).display().to_string();
        let environment = [
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_STATE_HOME", folder("state")),
        ];
        let paths = Paths::new(environment.into_iter().collect(), directory.path());
        let machine = Self {
            directory,
            paths,
            plugins: Vec::new(),
        };
        machine.write();
        machine
    }

    /// Puts a plugin in place as an installation does: its entry comes last.
    pub(crate) fn install(&mut self, name: &str, version: &str, text: &str) -> PathBuf {
        let package = digest(&SHA512, format!("{name}@{version}").as_bytes());
        let short: String = package.as_ref()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let id = openneko_plugin::PackageName::parse(name).unwrap().storage_id();
        let folder = self.paths.plugins().join(id).join(format!("{version}-{short}"));
        fs::create_dir_all(&folder).unwrap();
        let runner = folder.join("run.js");
        fs::write(&runner, text).unwrap();
        self.plugins.retain(|entry| entry["name"] != name);
        self.plugins.push(json!({
            "name": name,
            "version": version,
            "integrity": format!("sha512-{}", STANDARD.encode(package.as_ref())),
            "permissions": { "network": ["*.acme.test"], "env": [
                { "key": "ACME_SECRET", "description": "The client secret" },
            ] },
            "capabilities": { "auth": { "providerLabel": "Declared" } },
            "runner": { "path": "run.js", "integrity": sha512(text.as_bytes()) },
        }));
        self.write();
        runner
    }

    /// Changes the entry of a plugin.
    pub(crate) fn edit(&mut self, name: &str, change: impl Fn(&mut Value)) {
        let entry = self
            .plugins
            .iter_mut()
            .find(|entry| entry["name"] == name)
            .unwrap();
        change(entry);
        self.write();
    }

    /// Adds a malformed entry to the manifest.
    pub(crate) fn add(&mut self, entry: Value) {
        self.plugins.push(entry);
        self.write();
    }

    fn write(&self) {
        let manifest = json!({
            "schema": "https://open-neko.github.io/plugins/manifest.schema.json",
            "plugins": self.plugins,
        });
        fs::write(&self.paths.manifest, manifest.to_string()).unwrap();
    }

    pub(crate) fn set(&self, key: &str, value: &str) {
        let store = Store::open(&self.paths).unwrap();
        store.set(NAME, key, Secret::new(value.to_owned())).unwrap();
    }

    pub(crate) fn host(&self) -> Host {
        self.host_with(None)
    }

    pub(crate) fn host_with(&self, minimum: Option<BackendKind>) -> Host {
        let jail: Arc<dyn Backend> = Arc::new(jail());
        Host::new(self.paths.clone(), Engines::new(vec![jail], minimum)).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn jail() -> Jail {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests find Node.js where the shell does"
    )]
    let path = std::env::var_os("PATH").unwrap();
    Jail::new(JailOptions {
        init: JailInit {
            program: env!("CARGO_BIN_EXE_openneko").into(),
            args: vec![INIT_ARGUMENT.into()],
        },
        node: Some(find_node(OsStr::new(&path)).expect("these tests need Node.js")),
        extra_authorities: None,
    })
}
