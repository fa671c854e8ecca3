//! The plugin host as a trait of the web app.

use std::fmt;

use async_trait::async_trait;
use openneko_plugin::rpc::{BeginAuth, CompleteAuth, Identity};
use url::Url;

use crate::host::Provider;

/// A failed call of the plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PluginFailure {
    /// The plugin's code, such as `PLUGIN_ERROR`, or the host's own.
    pub code: String,
    /// For the log, without secrets. No sign-in page shows it.
    pub message: String,
    /// A sentence for the person who signs in.
    pub public: String,
    /// Ties the two together, if the host already logged the failure.
    pub correlation_id: Option<String>,
}

/// An installed plugin, as the dashboard lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPlugin {
    pub name: String,
    pub version: String,
    /// The engine it runs in, or why it does not run.
    pub engine: String,
    pub signs_in: bool,
    /// The hosts of the package.
    pub hosts: Vec<String>,
    /// The hosts that the operator granted besides.
    pub grants: Vec<String>,
}

/// A refused attempt of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedEgress {
    pub at: jiff::Timestamp,
    pub plugin: String,
    pub host: String,
    pub reason: String,
}

/// The state of the host for operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    pub plugins: Vec<InstalledPlugin>,
    /// Newest first.
    pub denials: Vec<DeniedEgress>,
}

/// The plugin host, as the web app uses it.
#[async_trait]
pub trait SignInHost: Send + Sync {
    /// The plugin that signs people in, set up or not. It is read anew, and later calls use
    /// this reading.
    ///
    /// If it cannot be read, that is a failure, and does not mean that there is none.
    async fn status(&self) -> Result<Option<Provider>, PluginFailure>;

    /// Asks the plugin where to send a browser. The host ends a call that takes too long.
    async fn begin_auth(&self, provider: &Provider, begin: BeginAuth) -> Result<Url, PluginFailure>;

    /// Asks the plugin who came back. The host ends a call that takes too long.
    async fn complete_auth(
        &self,
        provider: &Provider,
        complete: CompleteAuth,
    ) -> Result<Identity, PluginFailure>;

    /// The state for operators.
    async fn overview(&self) -> Overview;
}

impl fmt::Debug for dyn SignInHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInHost")
    }
}
