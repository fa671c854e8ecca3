//! A jail with a plugin in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use openneko_sandbox::egress::{Egress, Grant, SystemResolver, TrustRoots};
use openneko_sandbox::jail::{INIT_ARGUMENT, Jail, JailInit, JailOptions, find_node};
use openneko_sandbox::{
    Artifact, Backend, Call, CallFailure, CallOutcome, Limits, ParamsBy, PluginSpec, Prepared, SandboxError,
    Secret,
};

/// Node.js of this machine; the tests need it.
pub(super) fn node() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test finds its tools as a shell does")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    find_node(&path).expect("these tests need Node.js 20 or later: https://nodejs.org")
}

/// Names another place of the helper, for a user who cannot see the build.
pub(super) const INIT_VARIABLE: &str = "OPENNEKO_TEST_JAIL_INIT";

/// The helper, as a program of its own.
pub(super) fn init_program() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "set by the test of an ordinary user")]
    let elsewhere = std::env::var_os(INIT_VARIABLE);
    elsewhere
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_openneko-jail-init").into())
        .into()
}

pub(crate) fn options() -> JailOptions {
    JailOptions {
        init: JailInit {
            program: init_program(),
            args: vec![OsString::from(INIT_ARGUMENT)],
        },
        node: Some(node()),
        extra_authorities: None,
    }
}

pub(super) fn jail() -> Jail {
    Jail::new(options())
}

/// A plugin's file, its grants and its limits.
pub(super) struct Plugin {
    pub(super) spec: PluginSpec,
    pub(super) env: Vec<(String, Secret)>,
    pub(super) timeout: Duration,
    pub(super) params_by: ParamsBy,
    pub(super) jail: Jail,
    _directory: tempfile::TempDir,
}

impl Plugin {
    /// A JavaScript plugin that may reach nothing.
    pub(super) fn js(source: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.js");
        std::fs::write(&path, source).unwrap();
        Self::with(directory, Artifact::JsBundle(path.clone()), &path)
    }

    /// A native plugin that may reach nothing.
    pub(super) fn native(program: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::with(directory, Artifact::Native(program.to_owned()), program)
    }

    fn with(directory: tempfile::TempDir, artifact: Artifact, path: &Path) -> Self {
        Self {
            spec: PluginSpec {
                id: "test".to_owned(),
                artifact,
                sha512: sha512(&std::fs::read(path).unwrap()),
                egress: Arc::new(Egress::new(
                    Vec::new(),
                    TrustRoots::public(),
                    Arc::new(SystemResolver),
                )),
                limits: Limits::default(),
            },
            env: Vec::new(),
            timeout: Duration::from_secs(30),
            params_by: ParamsBy::Argument,
            jail: jail(),
            _directory: directory,
        }
    }

    /// Shows it a certificate authority.
    pub(super) fn trust(&mut self, authority: &str) {
        let mut options = options();
        options.extra_authorities = Some(authority.to_owned());
        self.jail = Jail::new(options);
    }

    pub(super) fn granted(mut self, grants: &[Grant]) -> Self {
        let egress = Egress::new(grants.to_vec(), TrustRoots::public(), Arc::new(SystemResolver));
        self.spec.egress = Arc::new(egress);
        self
    }

    pub(super) fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), Secret::new(value.to_owned())));
        self
    }

    pub(super) fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.spec.limits);
        self
    }

    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) async fn prepare(&self) -> Result<Box<dyn Prepared>, SandboxError> {
        self.jail.prepare(&self.spec).await
    }

    pub(super) async fn call(&self, method: &str, params: &str) -> Result<CallOutcome, CallFailure> {
        let call = Call {
            method,
            params_json: params,
            params_by: self.params_by,
            env: &self.env,
            timeout: self.timeout,
        };
        self.prepare().await?.call(call).await
    }

    /// What it wrote, where it must have ended well.
    pub(super) async fn says(&self) -> String {
        let outcome = self.call("run", "{}").await.unwrap();
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.exit, 0, "{stderr}");
        String::from_utf8(outcome.stdout).unwrap()
    }

    pub(super) async fn fails(&self) -> SandboxError {
        self.call("run", "{}").await.unwrap_err().error
    }
}

pub(super) fn sha512(bytes: &[u8]) -> [u8; 64] {
    digest::digest(&digest::SHA512, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}
